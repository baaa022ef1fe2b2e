//! hostinfoctl and guests of a real libvirtd: enabled, disabled, repaired.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::hostinfoctl;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::WITH_CHANNELS;
use hostinfo_tests::{Domain, Host, Libvirtd, Port};

const BLOCKED: &str = "403 this guest may not ask";

#[test]
fn a_guest_is_enabled_starts_asks_is_renamed_repaired_cloned_and_disabled() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    let guest = Domain::define(&libvirtd, "web", "")?;
    let before = libvirtd.config("web")?;

    let said = ctl(&["enable", "web"])?;
    ensure!(said.stderr.contains("can be migrated only to a host that has"), "{said:?}");
    let said = said.succeeds()?;
    ensure!(
        said.contains("web: enabled: /dev/ttyS1 (COM2 under Windows), from its next"),
        "{said}"
    );
    let enabled = libvirtd.config("web")?;
    let again = ctl(&["enable", "web"])?;
    ensure!(again.stderr.is_empty(), "nothing has changed: {again:?}");
    ensure!(again.succeeds()?.starts_with("qemu-web: was enabled already"));
    ensure!(libvirtd.config("web")? == enabled);

    let mut guest = guest.boot(&libvirtd)?;
    guest.ask_until("vm.name", "200 vm.name=web")?;
    let list = ctl(&["list", "web"])?.succeeds()?;
    ensure!(list.contains("ttyS1  ttyS1    connected") && list.contains("line 1"), "{list}");
    libvirtd.virsh(&["destroy", "web"])?;

    libvirtd.virsh(&["domrename", "web", "mail"])?;
    guest.boot_as(&libvirtd, "mail")?;
    guest.ask_until("loadavg", BLOCKED)?;
    let refusal = ctl(&["enable", "mail"])?.fails_with(1)?;
    ensure!(refusal.contains("enable --repair mail,"), "{refusal}");
    let list = ctl(&["list", "mail"])?.succeeds()?;
    ensure!(list.contains("wrong  wrong    error") && list.contains("--repair"), "{list}");
    let repaired = ctl(&["enable", "--repair", "mail"])?.succeeds()?;
    ensure!(repaired.contains("from its next start: it runs with what it had"), "{repaired}");
    libvirtd.virsh(&["destroy", "mail"])?;
    guest.boot_as(&libvirtd, "mail")?;
    guest.ask_until("vm.name", "200 vm.name=mail")?;
    libvirtd.virsh(&["destroy", "mail"])?;

    let clone = libvirtd.config("mail")?.replace("<name>mail<", "<name>clone<");
    let uuid = clone.lines().find(|line| line.contains("<uuid>")).context("no UUID")?;
    libvirtd.define_xml(&clone.replace(uuid, ""))?;
    guest.boot_as(&libvirtd, "clone")?;
    guest.ask_until("loadavg", BLOCKED)?;
    let list = ctl(&["list"])?.succeeds()?;
    ensure!(
        list.contains("the domain \"clone\" uses the hostinfo socket of another guest"),
        "{list}"
    );
    libvirtd.virsh(&["destroy", "clone"])?;

    let said = ctl(&["disable", "*"])?.succeeds()?;
    ensure!(said == "qemu-clone: disabled\nqemu-mail: disabled\n", "{said}");
    ensure!(ctl(&["disable", "mail"])?.succeeds()? == "qemu-mail: was disabled already\n");
    ensure!(libvirtd.config("mail")? == before.replace("<name>web<", "<name>mail<"));
    Ok(())
}

#[test]
fn a_guest_that_runs_gets_a_channel_asks_at_once_and_loses_it_again() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    let mut running = Domain::define(&libvirtd, "web", WITH_CHANNELS)?.boot(&libvirtd)?;

    let said = ctl(&["enable", "web", "--transport", "serial", "--now"])?.fails_with(1)?;
    ensure!(said.contains("leave out --now"), "{said}");
    let said = ctl(&["enable", "--now", "web"])?.succeeds()?;
    ensure!(said.contains("/dev/virtio-ports/org.hostinfo.0"), "{said}");
    ensure!(said.trim_end().ends_with(", now"), "{said}");
    // udev's work.
    let linked = running.run(
        "until port=$(grep -lx org.hostinfo.0 /sys/class/virtio-ports/*/name); do :; done
         port=${port%/name}; ln -s ../${port##*/} /dev/virtio-ports/org.hostinfo.0",
    )?;
    ensure!(linked.status == 0, "{linked:?}");
    let mut answer = Vec::new();
    for _ in 0..100 {
        // Until the daemon has connected nobody hears what the guest says.
        if let Ok(reply) = running.ask_by(Port::Channel, "vm.name") {
            answer = reply;
            break;
        }
    }
    ensure!(answer == ["200 vm.name=web"], "{answer:?}");
    let list = ctl(&["list", "--json"])?.succeeds()?;
    let list: serde_json::Value = serde_json::from_str(&list)?;
    let web = &list["guests"][0];
    ensure!(web["state"] == "connected" && web["running"]["transport"] == "channel", "{list}");

    let socket = host.socket("web");
    ensure!(socket.exists());
    let said = ctl(&["disable", "web"])?.succeeds()?;
    ensure!(said.contains("stays until it ends; disable --now unplugs it"), "{said}");
    let list = ctl(&["list", "web"])?.succeeds()?;
    ensure!(list.contains("none   channel  connected"), "a guest that runs keeps it: {list}");
    ensure!(ctl(&["disable", "--now", "web"])?.succeeds()? == "qemu-web: disabled\n");
    ensure!(!libvirtd.virsh(&["dumpxml", "web"])?.contains("hostinfo.0"));
    ensure!(!socket.exists(), "nothing of it is left");
    ensure!(ctl(&["enable", "--now", "web"])?.succeeds()?.contains(", now"), "and again");
    Ok(())
}

#[test]
fn a_guest_that_is_saved_or_transient_is_told_what_that_means_for_it() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    libvirtd.define_bare("web", WITH_CHANNELS)?;
    libvirtd.virsh(&["start", "web"])?;
    libvirtd.virsh(&["managedsave", "web"])?;
    let said = ctl(&["enable", "web"])?.succeeds()?;
    ensure!(said.contains("without its saved state"), "{said}");

    libvirtd.virsh(&["start", "web", "--force-boot"])?;
    libvirtd.virsh(&["undefine", "web"])?;
    let said = ctl(&["disable", "web"])?.succeeds()?;
    ensure!(said.contains("stays until it ends"), "{said}");
    libvirtd.virsh(&["destroy", "web"])?;

    libvirtd.define_bare("web", WITH_CHANNELS)?;
    libvirtd.virsh(&["start", "web"])?;
    libvirtd.virsh(&["undefine", "web"])?;
    let said = ctl(&["enable", "web"])?.fails_with(1)?;
    ensure!(said.contains("it is transient") && said.contains("--now"), "{said}");
    let said = ctl(&["enable", "web", "--now"])?.succeeds()?;
    ensure!(said.trim_end().ends_with(", until it ends"), "{said}");
    let list = ctl(&["list", "--state", "until-it-ends"])?.succeeds()?;
    ensure!(list.contains("off    channel  unknown"), "{list}");
    let said = ctl(&["disable", "web"])?.fails_with(1)?;
    ensure!(said.contains("it is transient") && said.contains("--now"), "{said}");
    Ok(())
}

#[test]
fn any_name_can_be_enabled_and_the_directory_is_made() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    fs::remove_dir(host.sockets())?;
    let names = ["a b", "it's \"<&\u{e9}>\"", "web-[1]", "-x", "*"];
    for name in names {
        libvirtd.define_bare(name, "")?;
    }
    let dry = ctl(&["enable", "--dry-run", "*b"])?.succeeds()?;
    ensure!(dry.contains("a b: would be enabled") && !host.sockets().exists(), "{dry}");
    // A name goes before a pattern, so this is one guest.
    let said = ctl(&["enable", "--", "*"])?.succeeds()?;
    ensure!(said.lines().count() == 1 && host.sockets().metadata()?.mode() & 0o777 == 0o711);
    for name in names {
        let said = ctl(&["enable", "--json", "--vhostmd", "--", name])?.succeeds()?;
        let said: serde_json::Value = serde_json::from_str(&said)?;
        ensure!(
            said["guests"][0]["name"] == name && said["guests"][0]["result"] == "changed",
            "{said}"
        );
        let xml = libvirtd.config(name)?;
        ensure!(xml.contains("org.github.vhostmd.1") && xml.contains("/sockets/vhostmd/"), "{xml}");
    }
    ensure!(host.sockets().join("vhostmd").metadata()?.mode() & 0o777 == 0o711);
    let said = ctl(&["enable", "--vhostmd", "a b"])?.succeeds()?;
    ensure!(
        said.contains("; for vhostmd's clients /dev/virtio-ports/org.github.vhostmd.1"),
        "{said}"
    );
    let said = ctl(&["enable", "--json", "qemu-a b", "none"])?;
    ensure!(said.status == 3 && said.stderr.is_empty(), "{said:?}");
    let said: serde_json::Value = serde_json::from_str(&said.stdout)?;
    let guests = &said["guests"];
    ensure!(guests[0]["name"] == "none" && guests[0]["result"] == "failed", "{said}");
    ensure!(guests[0]["guest"].is_null(), "there is none: {said}");
    ensure!(guests[1]["guest"] == "qemu-a b" && guests[1]["result"] == "unchanged", "{said}");
    let list = ctl(&["list", "--json"])?.succeeds()?;
    let list: serde_json::Value = serde_json::from_str(&list)?;
    let list = list["guests"].as_array().context("no list")?;
    ensure!(list.len() == names.len());
    ensure!(list.iter().all(|row| row["state"] == "next_start"));
    ensure!(list.iter().all(|row| row["saved"]["device"] == "/dev/ttyS1"));
    ensure!(list.iter().all(|row| row["vhostmd"] == "/dev/virtio-ports/org.github.vhostmd.1"));
    let long = "x".repeat(100);
    libvirtd.define_bare(&long, "")?;
    let said = ctl(&["enable", &long])?.fails_with(1)?;
    ensure!(said.contains("a Unix socket's has at most 107"), "{said}");
    Ok(())
}

#[test]
fn libvirts_own_tools_take_the_output_of_snippet() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let ctl = |args: &[&str]| hostinfoctl(&libvirtd, &host, args);
    for (name, more) in [("a b, c", "serial"), ("-d", "channel")] {
        libvirtd.define_bare(name, "")?;
        let said = ctl(&["snippet", "--transport", more, "--json", "--", name])?.succeeds()?;
        let said: serde_json::Value = serde_json::from_str(&said)?;
        let line = said["virt_xml"].as_str().context("no line")?;
        libvirtd.shell(&line.replacen("virt-xml", "virt-xml -c qemu:///system", 1))?;
        let list = ctl(&["enable", "--", name])?.succeeds()?;
        ensure!(list.contains("was enabled already"), "{line}\n{list}");
        let again = ctl(&["snippet", "--json", "--", name])?;
        ensure!(again.stderr.contains("it already has this"), "{again:?}");
        let again: serde_json::Value = serde_json::from_str(&again.succeeds()?)?;
        ensure!(again["xml"] == said["xml"], "the one that it has: {again}");
    }
    let said = ctl(&["snippet", "new", "--json"])?.succeeds()?;
    let said: serde_json::Value = serde_json::from_str(&said)?;
    let option = |at: usize| said["virt_install"][at].as_str().context("no option");
    let made = Command::new("virt-install")
        .args(["--connect", "test:///default", "--name", "new", "--memory", "64"])
        .args(["--disk", "none", "--osinfo", "detect=off,require=off", "--import"])
        .args([option(0)?, option(1)?, "--dry-run", "--print-xml"])
        .output()
        .context("run virt-install: `scripts/setup test` installs it")?;
    let xml = String::from_utf8_lossy(&made.stdout).into_owned();
    let source = format!("path=\"{}\"", host.socket("new").display());
    ensure!(xml.contains(&source) && xml.contains("<target port=\"1\"/>"), "{made:?}");
    Ok(())
}
