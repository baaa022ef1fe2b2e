//! hostinfoctl and guests of a real libvirtd, where something goes wrong: nothing is left half done,
//! and what is wrong is named.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, ensure};
use hostinfo_tests::ctl::{self, hostinfoctl, meddled};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::{WITH_CHANNELS, path};
use hostinfo_tests::{Host, Libvirtd, paths, serial};

#[test]
fn a_change_that_fails_half_way_is_taken_back() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    for (name, devices) in [("bare", ""), ("web", WITH_CHANNELS)] {
        libvirtd.define_bare(name, devices)?;
        libvirtd.virsh(&["start", name])?;
    }
    // There is nothing that a channel could be plugged into.
    fs::remove_dir(host.sockets())?;
    let before = libvirtd.config("bare")?;
    let said = ctl(&["enable", "--now", "bare"])?.fails_with(1)?;
    ensure!(said.contains("without a virtio-serial controller"), "{said}");
    ensure!(libvirtd.config("bare")? == before);
    ensure!(!host.sockets().exists(), "nothing was made for what cannot be");
    let said = ctl(&["enable", "--now", "--dry-run", "bare"])?.fails_with(1)?;
    ensure!(said.contains("without a virtio-serial controller"), "{said}");

    // The channel can be plugged in, and the configuration cannot be saved.
    let before = libvirtd.config("web")?;
    libvirtd.shell("mount -o remount,ro /etc/libvirt")?;
    let said = ctl(&["enable", "--now", "web"])?.fails_with(1)?;
    ensure!(said.contains("Read-only file system"), "{said}");
    libvirtd.shell("mount -o remount,rw /etc/libvirt")?;
    ensure!(!libvirtd.virsh(&["dumpxml", "web"])?.contains("hostinfo"), "it is unplugged again");
    ensure!(libvirtd.config("web")? == before);
    Ok(())
}

#[test]
fn a_guest_that_somebody_else_changes_at_the_same_time_is_left_as_they_made_it() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    libvirtd.define_bare("web", "")?;
    let other = libvirtd.folder().join("other.xml");
    let port = serial(&host.socket("other"))?.replace("port='1'", "port='3'");
    fs::write(&other, port)?;
    let act = format!("virsh -q attach-device web {} --config >&2", other.display());
    let program = meddled(&libvirtd, &act)?;
    let said = ctl::run(&libvirtd, &host, &[path(&program)?], &["enable", "web"])?.fails_with(1)?;
    ensure!(said.contains("somebody else changed it"), "{said}");
    let after = libvirtd.config("web")?;
    ensure!(after.contains("qemu-other") && !after.contains("qemu-web"), "{after}");
    Ok(())
}

#[test]
fn a_signal_ends_it_between_two_guests_and_never_within_one() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    for signal in ["INT", "HUP", "TERM"] {
        let [one, two] = ["a", "b"].map(|name| format!("{name}-{signal}"));
        libvirtd.define_bare(&one, "")?;
        libvirtd.define_bare(&two, "")?;
        let program = meddled(&libvirtd, "touch $0.begun; sleep 1")?;
        // A terminal that goes away signals all that run in it, so the helper as well.
        let said = libvirtd.shell(&format!(
            "rm -f {2}/hostinfo-libvirt.begun
             setsid {0} --socket-dir {1} enable {one} {two} 2>&1 & ctl=$!
             until [ -e {2}/hostinfo-libvirt.begun ]; do sleep 0.1; done
             kill -s {signal} -- -$ctl; wait $ctl; echo status $?",
            program.display(),
            host.sockets().display(),
            libvirtd.folder().display(),
        ))?;
        ensure!(said.contains(&format!("{one}: enabled")), "{signal}: {said}");
        ensure!(said.contains(&format!("interrupted before qemu-{two}")), "{signal}: {said}");
        ensure!(said.contains("status 1"), "{signal}: {said}");
        ensure!(libvirtd.config(&one)?.contains(&format!("qemu-{one}")));
        ensure!(!libvirtd.config(&two)?.contains("hostinfo"));
    }
    Ok(())
}

#[test]
fn if_nobody_reads_their_output_enable_and_disable_change_every_guest_and_fail() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let names = ["a", "b", "c"];
    for name in names {
        libvirtd.define_bare(name, "")?;
    }
    let program = paths::program("hostinfoctl")?;
    let cases = [("enable", "| true"), ("disable", ">/dev/full"), ("enable --json", ">/dev/full")];
    for (act, output) in cases {
        let said = libvirtd.shell(&format!(
            "{{ {{ {} --socket-dir {} {act} a b c 2>&3; echo status $? >&3; }} {output}; }} 3>&1",
            program.display(),
            host.sockets().display(),
        ))?;
        ensure!(
            said.contains("some of what was done could not be printed"),
            "{act} {output}: {said}"
        );
        ensure!(said.contains("status 1"), "{act} {output}: {said}");
        for name in names {
            let is_enabled = libvirtd.config(name)?.contains("hostinfo");
            ensure!(is_enabled == act.starts_with("enable"), "{act} {output} {name}");
        }
    }
    Ok(())
}

#[test]
fn missing_guests_and_denied_access_have_their_own_error_and_status() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    libvirtd.define_bare("web", "")?;
    let said = ctl(&["enable", "weeb"])?.fails_with(3)?;
    ensure!(said == "hostinfoctl: there is no guest \"weeb\": do you mean \"web\"?\n", "{said}");
    ctl(&["enable", "x*"])?.fails_with(3)?;
    ctl(&["enable", "web["])?.fails_with(2)?;
    ctl(&["enable", "-c", "qemu+unix:///system?socket=/nonexistent", "web"])?.fails_with(4)?;

    // A user who may look, and not change. The programs are copied, since that user cannot read the folder of the build.
    let folder = libvirtd.folder().join("programs");
    fs::create_dir(&folder)?;
    for program in ["hostinfoctl", "hostinfo-libvirt"] {
        fs::copy(paths::program(program)?, folder.join(program))?;
    }
    for open in [libvirtd.folder(), host.path(), &host.etc()] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755))?;
    }
    let program = folder.join("hostinfoctl");
    libvirtd.shell("chmod 0700 /run/libvirt/libvirt-sock")?;
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let nobody = [&nobody[..], &[path(&program)?]].concat();
    let list = ctl::run(&libvirtd, &host, &nobody, &["list"])?.succeeds()?;
    ensure!(list.contains("web"), "{list}");
    let diff = ctl::run(&libvirtd, &host, &nobody, &["enable", "--dry-run", "web"])?.succeeds()?;
    ensure!(diff.contains("+    <serial type='unix'>"), "{diff}");
    let said = ctl::run(&libvirtd, &host, &nobody, &["enable", "web"])?.fails_with(6)?;
    ensure!(said.contains("be root or in the group"), "{said}");
    for args in [&["enable", "web"][..], &["enable", "--dry-run", "web"]] {
        let args = [args, &["-c", "qemu:///session"]].concat();
        let said = ctl::run(&libvirtd, &host, &nobody, &args)?.fails_with(1)?;
        ensure!(said.contains("user 65534, who cannot make their sockets in"), "{said}");
    }
    let session = format!("qemu+unix:///session?socket={}", path(&host.control())?);
    let listener = std::os::unix::net::UnixListener::bind(host.control())?;
    std::os::unix::fs::chown(host.control(), Some(65534), None)?;
    let said = ctl(&["enable", "web", "-c", &session])?.fails_with(1)?;
    ensure!(said.contains("the session of another user"), "{said}");
    drop(listener);
    fs::remove_file(host.control())?;

    let _daemon = host.start_daemon_beside(&libvirtd)?;
    libvirtd.shell("kill -STOP $(cat /run/libvirtd.pid)")?;
    let said = ctl(&["enable", "web"])?.fails_with(4)?;
    ensure!(said.contains("libvirt did not answer within 10 s"), "{said}");
    let said = ctl(&["list", "web"])?.fails_with(4)?;
    ensure!(said.contains("web: only libvirt knows whether there is such a guest"), "{said}");
    let said = ctl(&["list"])?;
    ensure!(!said.stderr.contains("what the daemon knows is left out"), "{said:?}");
    let said = said.fails_with(4)?;
    ensure!(said.contains("guests without a socket are left out"), "{said}");
    libvirtd.shell("kill -CONT $(cat /run/libvirtd.pid)")?;
    ensure!(!libvirtd.config("web")?.contains("qemu-web"));
    Ok(())
}
