//! Guests of a real libvirtd whose tags decide which rule applies.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_tests::ctl::hostinfoctl;
use hostinfo_tests::deadline::{PATIENCE, wait_for};
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::{Daemon, DomainGuest, Host, Libvirtd, serial};

const RULES: &str = "qemu-a role=db:
  interval = 0
  host.name = 0
qemu-a project=acme title=\"Web 1\"*:
  interval = 0
  loadavg = 0
qemu-a:
  interval = 0
  time = 0
*:
";

/// Rules by what they do not permit.
const DB: &str = "200-loadavg.1=";
const ACME: &str = "403-loadavg.1: not permitted";

const BOTH: &str = "loadavg.1 time";

fn set(libvirtd: &Libvirtd, tags: &str) -> Result<()> {
    let uri = ["--uri", "urn:hostinfo:1", "--key", "hostinfo"];
    libvirtd.virsh(&[&["metadata", "a"], &uri[..], &["--live", "--set", tags]].concat())?;
    Ok(())
}

/// A guest, and the daemon that serves it.
fn begin(libvirtd: &Libvirtd, host: &Host) -> Result<(Daemon, DomainGuest)> {
    let daemon = host.start_daemon_beside(libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    Ok((daemon, DomainGuest::boot(libvirtd, "a", &host.socket("a"))?))
}

/// Another daemon in place of one that was killed, which may take a moment to end.
fn begin_again(libvirtd: &Libvirtd, host: &Host) -> Result<Daemon> {
    wait_for("another daemon", PATIENCE, || Ok(host.start_daemon_beside(libvirtd).ok()))
}

#[test]
fn tags_from_each_source_are_in_force_soon_after_they_change() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(RULES)?);
    let (_daemon, mut guest) = begin(&libvirtd, &host)?;
    guest.ask_until(BOTH, DB)?;
    ensure!(guest.ask("time")? == ["403 time: not permitted"], "it has no tags");
    set(&libvirtd, "<tags><tag name='role'>db</tag></tags>")?;
    let start = Instant::now();
    guest.ask_until("time", "200 time=")?;
    ensure!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    let nova = "<instance><owner><project uuid='acme'>x</project></owner></instance>";
    let space = "http://openstack.org/xmlns/libvirt/nova/1.1";
    libvirtd.virsh(&["metadata", "a", "--uri", space, "--key", "nova", "--live", "--set", nova])?;
    libvirtd.virsh(&["desc", "a", "--title", "--live", "Web 1 of 2"])?;
    set(&libvirtd, "<tags/>")?;
    guest.ask_until(BOTH, ACME)?;

    // A place of one's own, and nothing of hostinfo's own.
    host.write_config(
        "[tags]\nown = false\nrole = { namespace = 'urn:x', path = 'a/b', attribute = 'c' }\n",
    )?;
    libvirtd.shell("kill -HUP $(pidof hostinfod)")?;
    guest.ask_until("time", "403 time: not permitted")?;
    let other = ["--uri", "urn:x", "--key", "x", "--live", "--set", "<a><b c='db'/></a>"];
    libvirtd.virsh(&[&["metadata", "a"], &other[..]].concat())?;
    guest.ask_until("time", "200 time=")?;
    Ok(())
}

#[test]
fn a_running_domain_whose_xml_does_not_name_its_socket_has_the_rule_of_its_tags() -> Result<()> {
    let rules = "qemu-a role=restricted:\n  enabled = 0\n*:\n";
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(rules)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let options = libvirtd.folder().join("options");
    std::fs::write(
        &options,
        format!(
            "[chardev \"own\"]\n backend = \"socket\"\n path = \"{}\"\n server = \"on\"\n \
             wait = \"off\"\n",
            host.socket("a").display()
        ),
    )?;
    libvirtd.define_xml(&format!(
        "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
         <name>a</name><metadata><tags xmlns='urn:hostinfo:1'><tag name='role'>restricted</tag>
         </tags></metadata><memory unit='MiB'>32</memory>
         <os><type arch='x86_64' machine='q35'>hvm</type></os>
         <qemu:commandline><qemu:arg value='-readconfig'/><qemu:arg value='{}'/>
         </qemu:commandline></domain>",
        options.display()
    ))?;
    libvirtd.virsh(&["start", "a"])?;
    daemon.wait_for_log("guest qemu-a may not ask: its rule says enabled = 0")?;
    ensure!(!daemon.log().contains("access-granted"), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_tag_that_cannot_be_read_never_lets_a_later_rule_decide() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(RULES)?);
    let (daemon, mut guest) = begin(&libvirtd, &host)?;
    set(&libvirtd, "<tags><tag name='role'>db</tag></tags>")?;
    guest.ask_until("time", "200 time=")?;
    let twice =
        "<tags><tag name='role'>a</tag><tag name='role'>db</tag><tag name='new'>x</tag></tags>";
    for unclear in [
        twice,
        "<tags><tag name='role'>d&#10;b</tag></tags>",
        "<tags><tag>db</tag></tags>",
        &format!("<tags>{}</tags>", "<tag name='x'/>".repeat(5_000)),
    ] {
        set(&libvirtd, unclear)?;
        std::thread::sleep(Duration::from_millis(1500));
        let reply = guest.ask("time")?;
        ensure!(reply[0].starts_with("200 time="), "it keeps its rule: {reply:?}");
    }
    drop(daemon);
    // It was never read for this daemon.
    let daemon = begin_again(&libvirtd, &host)?;
    daemon.wait_for_log("access-refused")?;
    ensure!(guest.ask("time")? == ["503 ask again in 1 s"]);
    let told = hostinfoctl(&libvirtd, &host, &["explain", "qemu-a", "time"])?.succeeds()?;
    ensure!(told.contains("cannot be read"), "{told}");
    set(&libvirtd, "<tags><tag name='role'>web</tag></tags>")?;
    guest.ask_until("time", "403 time: not permitted")?;
    Ok(())
}

#[test]
fn while_libvirt_is_silent_a_guest_keeps_its_rule_and_one_that_is_not_known_waits() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(RULES)?);
    let (daemon, mut guest) = begin(&libvirtd, &host)?;
    set(&libvirtd, "<tags><tag name='role'>db</tag></tags>")?;
    guest.ask_until("time", "200 time=")?;
    libvirtd.crash()?;
    daemon.wait_for_log("what only libvirt knows is unavailable")?;
    guest.ask_until("time", "200 time=")?;
    host.write_rules(&format!("# other lines\n{RULES}"))?;
    daemon.wait_for_log("rules-loaded")?;
    guest.ask_until("time", "200 time=")?;
    drop(daemon);

    let daemon = begin_again(&libvirtd, &host)?;
    daemon.wait_for_log("access-refused")?;
    ensure!(guest.ask("time")? == ["503 ask again in 1 s"]);
    libvirtd.begin("libvirtd")?;
    guest.ask_until("time", "200 time=")?;
    Ok(())
}

#[test]
fn an_administrator_tags_a_guest_in_what_runs_and_in_what_is_started() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(RULES)?);
    let (_daemon, mut guest) = begin(&libvirtd, &host)?;
    let tag = |args: &[&str]| hostinfoctl(&libvirtd, &host, &[&["tag", "a"], args].concat());
    let both = ["role=db", "tier=a & b"];
    let told = tag(&[&both[..], &["--dry-run"]].concat())?.succeeds()?;
    ensure!(told.contains("+role=db\n") && told.ends_with("qemu-a: would be tagged\n"), "{told}");
    ensure!(!tag(&[])?.succeeds()?.contains("role"), "nothing was changed");
    ensure!(tag(&both)?.succeeds()? == "qemu-a: tagged\n");
    guest.ask_until("time", "200 time=")?;
    ensure!(tag(&both)?.succeeds()? == "qemu-a: was tagged already\n");
    ensure!(libvirtd.config("a")?.contains(">a &amp; b<"), "{}", libvirtd.config("a")?);

    let file = host.path().join("new.conf");
    std::fs::write(&file, "qemu-a role=db:\n  interval = 60\n*:\n")?;
    let diff = hostinfoctl(&libvirtd, &host, &["diff", path(&file)?])?;
    let diff = diff.succeeds()?;
    ensure!(diff.contains("qemu-a role=db (line 1) -> qemu-a role=db (line 1)"), "{diff}");

    ensure!(tag(&["--remove", "role"])?.succeeds()? == "qemu-a: tagged\n");
    guest.ask_until("time", "403 time: not permitted")?;
    let shown = tag(&["--json"])?.succeeds()?;
    ensure!(shown.contains("\"tier\": \"a & b\"") && shown.contains("\"uuid\""), "{shown}");
    ensure!(!shown.contains("role"), "{shown}");

    set(&libvirtd, "<tags><tag name='role'>a</tag><tag name='role'>b</tag></tags>")?;
    let refused = tag(&["x=1"])?.fails_with(1)?;
    ensure!(refused.contains("qemu-a: its tag role is there twice"), "{refused}");
    ensure!(tag(&["role=db"])?.succeeds()? == "qemu-a: tagged\n");
    guest.ask_until("time", "200 time=")?;
    let refused = tag(&["role=a\nb"])?.fails_with(2)?;
    ensure!(refused.contains("no line breaks"), "{refused}");
    hostinfoctl(&libvirtd, &host, &["tag", "b", "x=1"])?.fails_with(3)?;
    Ok(())
}

#[test]
fn beside_a_domain_with_heavy_metadata_the_others_are_served_and_listed() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(RULES)?);
    let spaces: String = (0..2000).map(|number| format!(" xmlns:x{number}='u{number}'")).collect();
    let inner = "<y xmlns:z='z'/>".repeat(15_000);
    let port = serial(&host.socket("heavy"))?;
    libvirtd.define_xml(&format!(
        "<domain type='qemu'><name>heavy</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
         <os><type>hvm</type></os>
         <metadata><r xmlns='urn:r'{spaces}>{inner}</r></metadata>
         <devices>{port}</devices></domain>"
    ))?;
    libvirtd.define("a", path(&host.socket("a"))?)?;
    libvirtd.virsh(&["start", "a"])?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("guest qemu-a")?;
    let log = daemon.log();
    ensure!(!log.contains("cannot be read") && !log.contains("did not answer"), "{log}");
    let listed = hostinfoctl(&libvirtd, &host, &["list"])?.succeeds()?;
    ensure!(listed.contains("qemu-a") && listed.contains("qemu-heavy"), "{listed}");
    Ok(())
}
