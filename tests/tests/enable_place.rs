//! hostinfoctl and guests of a real libvirtd: where a guest gets its port, and what libvirt makes of
//! that.

use std::collections::HashSet;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::hostinfoctl;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Host, Libvirtd};

/// A domain whose only console is a virtio console.
const WITH_CONSOLE: &str = "<console type='pty'><target type='virtio' port='0'/></console>";

/// Defines a domain without a serial port.
fn define(libvirtd: &Libvirtd, name: &str, devices: &str) -> Result<String> {
    libvirtd.define_xml(&format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>
         <os><type arch='x86_64' machine='q35'>hvm</type></os>
         <devices>{devices}</devices></domain>"
    ))?;
    libvirtd.config(name)
}

/// The lines that a diff adds, without their signs and blanks.
fn added(diff: &str) -> Vec<&str> {
    let lines = diff.lines().filter(|line| !line.starts_with("+++"));
    lines.filter_map(|line| line.strip_prefix('+')).map(str::trim).collect()
}

#[test]
fn a_guest_with_a_virtio_console_alone_gets_a_channel_and_keeps_its_console() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    let before = define(&libvirtd, "web", WITH_CONSOLE)?;
    let said = ctl(&["enable", "web"])?.succeeds()?;
    ensure!(said.contains("/dev/virtio-ports/org.hostinfo.0"), "{said}");
    libvirtd.virsh(&["start", "web"])?;
    let console = libvirtd.virsh(&["ttyconsole", "web"])?;
    ensure!(console.trim().starts_with("/dev/pts/"), "virsh console leads there: {console}");
    libvirtd.virsh(&["destroy", "web"])?;
    ctl(&["disable", "web"])?.succeeds()?;
    ensure!(libvirtd.config("web")?.contains("<target type='virtio' port='0'/>"));
    ensure!(!libvirtd.config("web")?.contains("hostinfo"), "it had: {before}");
    Ok(())
}

#[test]
fn a_dry_run_shows_what_libvirt_makes_of_the_change_and_changes_nothing() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    let before = define(&libvirtd, "web", WITH_CONSOLE)?;
    let serial = ["enable", "web", "--transport", "serial"];
    let said = ctl(&[&serial[..], &["--dry-run"]].concat())?;
    ensure!(said.stderr.contains("virsh console will no longer lead to"), "{said:?}");
    let diff = said.succeeds()?;
    // Nobody has put this in.
    ensure!(added(&diff).contains(&"<target type='serial' port='1'/>"), "{diff}");
    ensure!(libvirtd.config("web")? == before);
    ensure!(libvirtd.virsh(&["list", "--all", "--name"])?.trim() == "web");

    ctl(&serial)?.succeeds()?;
    let after = libvirtd.config("web")?;
    let lines: HashSet<&str> = after.lines().map(str::trim).collect();
    // QEMU's driver says more of a serial port than that it is one.
    let missing = added(&diff).into_iter().find(|line| {
        !lines.contains(line)
            && !lines.contains(
                &*line.replace("<target port='1'/>", "<target type='isa-serial' port='1'>"),
            )
    });
    ensure!(missing.is_none(), "{missing:?} is not in {after}");
    Ok(())
}

#[test]
fn a_guest_without_serial_ports_and_consoles_gets_ttys1_and_is_as_it_was_when_it_is_disabled()
-> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    let before = define(&libvirtd, "web", "")?;
    let said = ctl(&["enable", "web"])?.succeeds()?;
    ensure!(said.contains("/dev/ttyS1"), "{said}");
    ctl(&["disable", "web"])?.succeeds()?;
    ensure!(libvirtd.config("web")? == before, "{}", libvirtd.config("web")?);
    Ok(())
}

#[test]
fn if_ttys1_is_taken_a_guest_gets_a_channel_or_ttys2_if_that_is_asked_for() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    let two = "<serial type='null'><target port='0'/></serial>\
               <serial type='null'><target port='1'/></serial>";
    for name in ["a", "b"] {
        define(&libvirtd, name, two)?;
    }
    let said = ctl(&["enable", "a"])?.succeeds()?;
    ensure!(said.contains("/dev/virtio-ports/org.hostinfo.0"), "{said}");
    let said = ctl(&["enable", "b", "--port", "2"])?.succeeds()?;
    ensure!(said.contains("/dev/ttyS2"), "{said}");
    let snippet = ctl(&["snippet", "a", "--json"])?.succeeds()?;
    let snippet: serde_json::Value = serde_json::from_str(&snippet)?;
    let device = snippet["device"].as_str().context("no device")?;
    ensure!(device == "/dev/virtio-ports/org.hostinfo.0", "{snippet}");
    Ok(())
}
