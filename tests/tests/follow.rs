//! hostinfoctl enable --follow, and guests of a real libvirtd: each gets its channel once, whenever it
//! has started and whatever becomes of libvirtd.

use std::fs;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::{alone, hostinfoctl, meddled};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::{WITH_CHANNELS, escaped, path};
use hostinfo_tests::{Follower, Host, Libvirtd, serial};

/// A transient domain with nothing to boot from, paused: it does nothing, and takes 16 MiB.
fn create(libvirtd: &Libvirtd, name: &str, elements: &str, devices: &str) -> Result<()> {
    let file = libvirtd.folder().join(format!("{name}.xml"));
    fs::write(
        &file,
        format!(
            "<domain type='qemu'><name>{}</name>{elements}<memory unit='MiB'>16</memory>
             <os><type arch='x86_64' machine='q35'>hvm</type></os>
             <devices><serial type='null'/>{devices}</devices></domain>",
            escaped(name)
        ),
    )?;
    libvirtd.virsh(&["create", "--paused", path(&file)?]).map(drop)
}

/// Whether what runs has a hostinfo channel, exactly one.
fn has_channel(libvirtd: &Libvirtd, host: &Host, name: &str) -> Result<bool> {
    let xml = libvirtd.virsh(&["dumpxml", name])?;
    let socket = format!("path='{}'", host.socket(name).display());
    let counts = [&*socket, "name='org.hostinfo.0'"].map(|text| xml.matches(text).count());
    ensure!(counts == [0, 0] || counts == [1, 1], "{xml}");
    Ok(counts == [1, 1])
}

#[test]
fn guests_that_started_before_and_after_get_a_channel_once_and_others_are_left_alone() -> Result<()>
{
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    libvirtd.define_bare("web-1", WITH_CHANNELS)?;
    libvirtd.virsh(&["start", "web-1"])?;
    let config = libvirtd.config("web-1")?;
    create(&libvirtd, "web-2", "", WITH_CHANNELS)?;
    create(&libvirtd, "other", "", WITH_CHANNELS)?;
    let own = serial(&host.socket("web-own"))?;
    create(&libvirtd, "web-own", "", &format!("{WITH_CHANNELS}{own}"))?;
    let before = libvirtd.virsh(&["dumpxml", "web-own"])?;

    let dry =
        hostinfoctl(&libvirtd, &host, &["enable", "--follow", "--dry-run", "web-*"])?.succeeds()?;
    for line in [
        "qemu-web-1: would be enabled: ",
        "qemu-web-2: would be enabled: ",
        "qemu-web-own: was enabled already",
    ] {
        ensure!(dry.contains(line), "{dry}");
    }
    ensure!(dry.lines().count() == 3 && !has_channel(&libvirtd, &host, "web-1")?, "{dry}");

    let follower = Follower::start(&libvirtd, &host, &["web-*"])?;
    follower.wait_for_guests(&["web-1", "web-2"])?;
    create(&libvirtd, "web-3", "", WITH_CHANNELS)?;
    libvirtd.define_bare("web-4", WITH_CHANNELS)?;
    libvirtd.virsh(&["start", "web-4"])?;
    follower.wait_for_guests(&["web-3", "web-4"])?;
    for name in ["web-1", "web-2", "web-3", "web-4"] {
        ensure!(has_channel(&libvirtd, &host, name)?, "{name}");
        ensure!(follower.count(name) == 1, "{}", follower.log());
    }
    let after = libvirtd.config("web-1")?;
    ensure!(after == config, "what it is started from stays: {config}\n{after}");
    ensure!(libvirtd.virsh(&["dumpxml", "web-own"])? == before, "it has its port");
    ensure!(!has_channel(&libvirtd, &host, "other")?);

    // Another run of the same guest needs another channel; what an administrator removes stays removed.
    libvirtd.virsh(&["destroy", "web-4"])?;
    libvirtd.virsh(&["start", "web-4"])?;
    wait_until("the second channel", PATIENCE, || Ok(follower.count("web-4") == 2))?;
    hostinfoctl(&libvirtd, &host, &["disable", "--now", "web-3"])?.succeeds()?;
    create(&libvirtd, "web-5", "", WITH_CHANNELS)?;
    follower.wait_for_guests(&["web-5"])?;
    ensure!(!has_channel(&libvirtd, &host, "web-3")? && follower.count("web-3") == 1);

    let log = follower.log();
    ensure!(follower.stop(&libvirtd)?.success(), "{log}");
    ensure!(has_channel(&libvirtd, &host, "web-1")?, "nothing is taken away");
    Ok(())
}

#[test]
fn while_libvirtd_is_restarted_or_crashes_no_guest_is_lost_and_none_is_changed_twice() -> Result<()>
{
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let follower = Follower::start(&libvirtd, &host, &["*"])?;
    create(&libvirtd, "a", "", WITH_CHANNELS)?;
    follower.wait_for_guests(&["a"])?;
    libvirtd.stop()?;
    let said = hostinfoctl(&libvirtd, &host, &["enable", "--follow", "*"])?.fails_with(4)?;
    ensure!(said.contains("start libvirt"), "a new one says so and ends: {said}");
    libvirtd.begin("libvirtd")?;
    // It may not have noticed yet that libvirtd is back.
    create(&libvirtd, "b", "", WITH_CHANNELS)?;
    follower.wait_for_guests(&["b"])?;
    libvirtd.crash()?;
    follower.wait_for_log("guests get no port until it answers")?;
    libvirtd.begin("libvirtd")?;
    create(&libvirtd, "c", "", WITH_CHANNELS)?;
    follower.wait_for_guests(&["c"])?;
    for name in ["a", "b", "c"] {
        ensure!(has_channel(&libvirtd, &host, name)?, "{name}");
        ensure!(follower.count(name) == 1, "{}", follower.log());
        ensure!(
            !follower.log().contains(&format!("hostinfoctl: qemu-{name}: ")),
            "{}",
            follower.log()
        );
    }
    Ok(())
}

#[test]
fn two_that_follow_at_once_give_each_guest_one_channel_between_them() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let names: Vec<String> = (0..6).map(|number| format!("web-{number}")).collect();
    for name in &names {
        create(&libvirtd, name, "", WITH_CHANNELS)?;
    }
    let launch = || Follower::launch(&libvirtd, &host, &["*"]);
    let both = [launch()?, launch()?];
    for name in &names {
        let count = || both.iter().map(|follower| follower.count(name)).sum::<usize>();
        wait_until("its channel", PATIENCE, || Ok(count() > 0))?;
    }
    // What either of them has begun is done, too.
    create(&libvirtd, "last", "", WITH_CHANNELS)?;
    wait_until("the last channel", PATIENCE, || has_channel(&libvirtd, &host, "last"))?;
    let logs = both.each_ref().map(Follower::log).concat();
    for name in &names {
        ensure!(has_channel(&libvirtd, &host, name)?, "{name}: {logs}");
        UnixStream::connect(host.socket(name)).with_context(|| format!("{name}: {logs}"))?;
        let enabled = logs.matches(&format!("{name}: enabled: ")).count();
        ensure!(enabled == 1, "{name}, {enabled} times: {logs}");
    }
    ensure!(!logs.contains("hostinfoctl: qemu-web-"), "nothing failed: {logs}");
    Ok(())
}

#[test]
fn a_guest_that_ends_meanwhile_is_no_error() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let follower = Follower::start(&libvirtd, &host, &["*"])?;
    for number in 0..10 {
        let name = format!("short-{number}");
        create(&libvirtd, &name, "", WITH_CHANNELS)?;
        libvirtd.virsh(&["destroy", &name])?;
    }
    create(&libvirtd, "last", "", WITH_CHANNELS)?;
    follower.wait_for_guests(&["last"])?;
    let log = follower.log();
    ensure!(!log.contains("hostinfoctl: qemu-short-"), "{log}");
    ensure!((0..10).all(|number| follower.count(&format!("short-{number}")) <= 1), "{log}");
    Ok(())
}

#[test]
fn a_guest_that_can_have_no_channel_is_named_once_with_the_remedy_and_holds_up_nobody() -> Result<()>
{
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    create(&libvirtd, "bare", "", "")?;
    let taken = "<channel type='null'><target type='virtio' name='org.hostinfo.0'/></channel>";
    create(&libvirtd, "taken", "", taken)?;
    let clone = serial(&host.socket("web"))?;
    create(&libvirtd, "clone", "", &format!("{WITH_CHANNELS}{clone}"))?;
    create(&libvirtd, "web", "", WITH_CHANNELS)?;
    let follower = Follower::start(&libvirtd, &host, &["*"])?;
    for words in [
        "qemu-bare: it runs without a virtio-serial controller",
        "qemu-taken: its channel org.hostinfo.0 leads elsewhere",
        "qemu-clone: the domain \"clone\" uses the hostinfo socket of another guest",
        "qemu-web: the domain \"clone\" uses the hostinfo socket of another guest",
    ] {
        follower.wait_for_log(&format!("hostinfoctl: {words}"))?;
    }
    create(&libvirtd, "good", "", WITH_CHANNELS)?;
    follower.wait_for_guests(&["good"])?;
    // What was in the way is gone.
    libvirtd.virsh(&["destroy", "clone"])?;
    follower.wait_for_guests(&["web"])?;
    ensure!(has_channel(&libvirtd, &host, "web")?);
    let log = follower.log();
    for name in ["bare", "taken"] {
        ensure!(log.matches(&format!("hostinfoctl: qemu-{name}: ")).count() == 1, "{log}");
    }
    Ok(())
}

#[test]
fn guests_over_which_the_helper_ends_or_libvirt_hangs_hold_up_no_other() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    // If each kept the connection from being made again, they would take 1 + 2 + 4 + ... + 256 s.
    for number in 0..9 {
        create(&libvirtd, &format!("bad-{number}"), "", WITH_CHANNELS)?;
    }
    create(&libvirtd, "good", "", WITH_CHANNELS)?;
    let program = meddled(&libvirtd, "case $order in *qemu-bad-*) exit;; esac")?;
    let follower = Follower::launch_program(&program, &libvirtd, &host, &["*"])?;
    follower.wait_for_guests(&["good"])?;
    follower.wait_for_log("hostinfoctl: qemu-bad-8: ")?;
    ensure!(!has_channel(&libvirtd, &host, "bad-0")?);
    Ok(())
}

#[test]
fn guests_are_followed_by_their_tags_also_by_one_that_they_are_given_while_they_run() -> Result<()>
{
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let nova = "<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>
        <nova:owner><nova:project uuid='e1'>acme</nova:project></nova:owner>
        </nova:instance></metadata>";
    let follower = Follower::start(&libvirtd, &host, &["*", "project-name=ac*", "title=Web ?"])?;
    create(&libvirtd, "a", &format!("<title>Web 1</title>{nova}"), WITH_CHANNELS)?;
    create(&libvirtd, "b", &format!("<title>Web 22</title>{nova}"), WITH_CHANNELS)?;
    create(&libvirtd, "c", "<title>Web 1</title>", WITH_CHANNELS)?;
    follower.wait_for_guests(&["a"])?;
    libvirtd.virsh(&["desc", "b", "--live", "--title", "Web 2"])?;
    follower.wait_for_guests(&["b"])?;
    ensure!(!has_channel(&libvirtd, &host, "c")? && follower.count("c") == 0);
    // A guest that leaves the set keeps what it has.
    libvirtd.virsh(&["desc", "b", "--live", "--title", "Mail"])?;
    libvirtd.virsh(&["desc", "c", "--live", "--title", "Web 3"])?;
    create(&libvirtd, "d", &format!("<title>Web 4</title>{nova}"), WITH_CHANNELS)?;
    follower.wait_for_guests(&["d"])?;
    ensure!(has_channel(&libvirtd, &host, "b")?);
    Ok(())
}

#[test]
fn follow_refuses_what_cannot_work_at_once_and_with_the_remedy() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    for (words, status, expected) in [
        (&["role=db"][..], 2, "such as '*'"),
        (&["*", "role=a", "role=b"], 2, "tag `role` given twice"),
        (&["[a"], 2, "set without an end"),
    ] {
        let said = alone(&host, &[&["enable", "--follow"], words].concat())?.fails_with(status)?;
        ensure!(said.contains(expected), "{said}");
    }
    host.write_config("[tags]\nown = false\n")?;
    let said = alone(&host, &["enable", "--follow", "*", "role=a"])?.fails_with(1)?;
    ensure!(said.contains("no guest can have the tag role"), "{said}");
    let said = alone(&host, &["enable", "--follow", "--dry-run", "test-*"])?;
    ensure!(said.stderr.contains("did you mean \"*\"") && said.status == 0, "{said:?}");
    Ok(())
}
