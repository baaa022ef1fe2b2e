//! hostinfoctl and the libvirt of another host: an ssh that only says so leads to one that is here.

use std::fs;

use anyhow::{Result, ensure};
use hostinfo_tests::ctl::hostinfoctl;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::process::write_script;
use hostinfo_tests::{FakeGuest, Host, Libvirtd};

/// Runs here what ssh would run there.
const SSH: &str = "#!/bin/sh
until [ \"$1\" = -- ]; do shift; done
shift 2
exec sh -c \"$*\"
";

#[test]
fn for_another_host_only_its_libvirt_is_asked_and_nothing_of_this_one() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    let _daemon = host.start_daemon()?;
    // They have one name by chance.
    let mut local = FakeGuest::join(&host.socket("web"))?;
    local.ask_one("loadavg.1")?;
    let _other = FakeGuest::join(&host.socket("other"))?;
    libvirtd.define_bare("web", "")?;
    let ssh = libvirtd.folder().join("ssh");
    write_script(&ssh, SSH)?;
    let there = format!("qemu+ssh://host7/system?command={}", path(&ssh)?);

    let list = ctl(&["list", "-c", &there])?;
    let note = "is on another host: what its hostinfod and its rules say is left out";
    ensure!(list.stderr.lines().count() == 1 && list.stderr.contains(note), "{list:?}");
    let list = list.succeeds()?;
    ensure!(
        list == "GUEST     SAVED  RUNNING  CONNECTION\nqemu-web  none   off      -\n",
        "{list}"
    );
    let said = ctl(&["diff", path(&host.rules())?, "-c", &there])?.fails_with(2)?;
    ensure!(said.contains("run hostinfoctl diff on that host"), "{said}");
    for local in [&["status"][..], &["stats"], &["explain", "web"], &["preview", "web", "loadavg"]]
    {
        let said = ctl(&[local, &["-c", &there]].concat())?;
        ensure!(said.stderr.contains("note: this is about this host, and not about"), "{said:?}");
    }
    let said = ctl(&["enable", "web", "-c", &there])?;
    ensure!(said.stderr.contains("has to exist on the host of"), "{said:?}");
    ensure!(said.succeeds()?.starts_with("qemu-web: enabled"));

    fs::write(&ssh, "#!/bin/sh\necho no route to host7 >&2; head -c 4 >/dev/null; exit 255\n")?;
    let list = ctl(&["list", "-c", &there])?;
    ensure!(list.stdout.is_empty() && list.stderr.contains("no route to host7"), "{list:?}");
    let said = list.fails_with(4)?;
    ensure!(said.contains("check that it can be reached, and that it runs libvirt"), "{said}");
    Ok(())
}
