//! `hostinfoctl doctor` and `status`, with a daemon and without one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::{Ended, alone, command, hostinfoctl, output, program};
use hostinfo_tests::process::write_script;
use hostinfo_tests::{FakeGuest, FakeQemu, Host, Libvirtd};
use serde_json::{Value, json};

const RULES: &str = "*:\n  interval = 0\n";

/// Programs that stand for this machine's: a systemd with these units, and a journal with that line.
/// What journalctl prints where the journal has audit records, but of no denial, and began in 1970.
const JOURNAL: &str =
    r#"case "$*" in *--system*) echo '{"__REALTIME_TIMESTAMP":"1"}' ;; *) echo AVC ;; esac"#;

fn stand_ins(host: &Host, systemctl: &str, journal: &str) -> Result<String> {
    let folder = host.path().join("bin");
    fs::create_dir_all(&folder)?;
    for (name, script) in [("systemctl", systemctl), ("journalctl", journal)] {
        write_script(&folder.join(name), format!("#!/bin/sh\n{script}\n"))?;
    }
    Ok(format!("{}:{}", folder.display(), std::env::var("PATH")?))
}

fn unit(id: &str, load: &str, active: &str, file: &str) -> String {
    format!(
        "printf 'Id={id}\\nLoadState={load}\\nActiveState={active}\\nUnitFileState={file}\\nUser=root\\n\\n'\n"
    )
}

fn doctor(host: &Host, path: &str, more: &[&str]) -> Result<Ended> {
    output(command(host, &[&["doctor"], more].concat())?.env("PATH", path))
}

fn finding<'v>(told: &'v Value, words: &str) -> Result<&'v Value> {
    let findings = told["findings"].as_array().context("no findings")?;
    let has = |one: &&Value| one["message"].as_str().is_some_and(|message| message.contains(words));
    findings.iter().find(has).with_context(|| format!("nothing says {words:?}: {told}"))
}

#[test]
fn a_host_on_which_all_is_well_has_nothing_to_be_done() -> Result<()> {
    let host = Host::new(RULES)?;
    host.write_config("[libvirt]\nenabled = false\n")?;
    let _daemon = host.start_daemon()?;
    let _guest = FakeGuest::join(&host.socket("web"))?;
    let units = unit("hostinfo.service", "loaded", "active", "enabled")
        + &unit("hostinfo-follow.service", "loaded", "inactive", "disabled");
    let path = stand_ins(&host, &units, JOURNAL)?;
    let said = doctor(&host, &path, &[])?.succeeds()?;
    ensure!(said.ends_with("Nothing has to be done.\n"), "{said}");
    for words in [
        "ok       units      hostinfo.service: active, enabled\n",
        "ok       units      hostinfo-follow.service: inactive, disabled\n",
        "ok       rules      ",
        "ok       settings   ",
        "can connect to the sockets there (1)",
        "note     libvirt    not used",
        "ok       denials    ",
    ] {
        ensure!(said.contains(words), "{words:?} is missing: {said}");
    }
    ensure!(!said.contains('\u{1b}'), "colours only on a terminal: {said}");
    let said = doctor(&host, &path, &["web"])?.succeeds()?;
    ensure!(said.contains("ok       guests     qemu-web: connected\n"), "{said}");
    let said = doctor(&host, &path, &["weeb"])?;
    ensure!(said.status == 1 && said.stdout.contains("there is no guest \"weeb\""), "{said:?}");
    Ok(())
}

/// Somebody who has taken it over could otherwise have root open a directory of the host to its user.
#[test]
fn what_the_daemon_says_of_its_directory_is_no_reason_for_a_command() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let _guest = FakeGuest::join(&host.socket("web"))?;
    let other = host.path().join("other");
    fs::create_dir(&other)?;
    let mut doctor = Command::new(program()?);
    doctor.arg("doctor").arg("--socket-dir").arg(&other).arg("--control").arg(host.control());
    let said = output(&mut doctor)?.stdout;
    let theirs = host.sockets().display().to_string();
    let note = format!(
        "hostinfod says that its sockets are in {theirs}, and {} was looked at",
        other.display()
    );
    ensure!(said.contains(&note), "{said}");
    let mut commands = said.lines().filter(|line| line.trim_start().starts_with('#'));
    ensure!(!commands.any(|command| command.contains(&theirs)), "{said}");
    Ok(())
}

#[test]
fn without_a_daemon_each_fault_is_found_with_its_remedy() -> Result<()> {
    let host = Host::new("*:\n  physcups = 1\n")?;
    host.write_config("[flow]\nnonsense = 1\n")?;
    fs::remove_dir(host.sockets())?;
    let units = unit("hostinfo.service", "loaded", "failed", "enabled")
        + &unit("hostinfo-follow.service", "loaded", "inactive", "enabled");
    let denial = "AVC apparmor=\"DENIED\" operation=\"connect\" profile=\"libvirt-hostinfod\" name=\"/x\" \
                  comm=\"hostinfod\" denied_mask=\"wr\" fsuid=0 ouid=0";
    let message = json!({ "MESSAGE": denial, "__REALTIME_TIMESTAMP": "1764000000000000" });
    let path = stand_ins(&host, &units, &format!("echo '{message}'"))?;
    let said = doctor(&host, &path, &["--json"])?;
    ensure!(said.status == 1, "{said:?}");
    let told: Value = serde_json::from_str(&said.stdout)?;
    ensure!(told["format_version"] == 1, "{told}");
    let rules = host.rules().display().to_string();
    for (words, level, remedy) in [
        (
            "hostinfo.service has failed",
            "problem",
            "journalctl -u hostinfo.service -b -n 20".to_owned(),
        ),
        (
            "hostinfo-follow.service does not run",
            "problem",
            "systemctl start hostinfo-follow.service".into(),
        ),
        ("hostinfod does not answer", "problem", "systemctl start hostinfo".into()),
        ("hostinfo.conf: 1 error", "problem", format!("hostinfoctl check {rules}")),
        ("nonsense", "problem", format!("hostinfod --check --config {}", host.config().display())),
        ("sockets is missing", "problem", format!("mkdir -m 0711 {}", host.sockets().display())),
        (
            "AppArmor denied hostinfod: connect of /x",
            "problem",
            "echo '  /x rw,' >>/etc/apparmor.d/local/hostinfod && apparmor_parser -r /etc/apparmor.d/hostinfod".into(),
        ),
        ("test:///default answers; domains: 1", "fine", String::new()),
        ("1 of libvirt's domains have no port", "note", String::new()),
    ] {
        let found = finding(&told, words)?;
        ensure!(found["level"] == level, "{found}");
        ensure!(found["remedy"][0].as_str().unwrap_or_default() == remedy, "{found}");
    }
    // The remedy for the rules works, and shows the place.
    ensure!(alone(&host, &["check"])?.stdout.contains("hostinfo.conf:2:3: error"));

    let status = output(command(&host, &["status"])?.env("PATH", &path))?;
    ensure!(status.stdout.contains("problem  rules      "), "{status:?}");
    ensure!(!status.stdout.contains("ok  "), "in short: {status:?}");
    ensure!(status.fails_with(5)?.lines().count() == 1);
    Ok(())
}

/// Any user can have the kernel print such words, by the name of a program that crashes, and with line ends by that of a mount.
#[test]
fn the_kernels_messages_which_any_user_can_word_are_no_denials() -> Result<()> {
    let host = Host::new(RULES)?;
    let denial = "audit: type=1400 audit('$(date +%s)'.1:2): apparmor=\"DENIED\" operation=\"open\" \
                  profile=\"libvirt-hostinfod\" name=\"/etc/shadow\" comm=\"hostinfod\" denied_mask=\"wr\" fsuid=0 ouid=0";
    let journal =
        format!("case \"$*\" in *_TRANSPORT=kernel*) echo '{denial}'; exit ;; esac; {JOURNAL}");
    let said = doctor(&host, &stand_ins(&host, "exit 1", &journal)?, &[])?.stdout;
    ensure!(said.contains("ok       denials    no record of the last 24 h says that"), "{said}");
    Ok(())
}

/// Any user can have the journal filled, until what was denied before is deleted from it.
#[test]
fn since_when_the_journal_is_complete_is_said_and_that_journalctl_is_too_slow() -> Result<()> {
    let host = Host::new(RULES)?;
    let journal = JOURNAL.replace("\"1\"", "\"'$(date +%s)'000000\"");
    let said = doctor(&host, &stand_ins(&host, "exit 1", &journal)?, &[])?.stdout;
    ensure!(
        said.contains("unseen   denials    what SELinux and AppArmor denied before "),
        "{said}"
    );
    ensure!(!said.contains("no record of"), "{said}");
    let said = doctor(&host, &stand_ins(&host, "exit 1", "exec sleep 60")?, &[])?.stdout;
    ensure!(said.contains("journalctl was asked, but it did not end within 10 s"), "{said}");
    Ok(())
}

#[test]
fn without_systemd_and_libvirt_that_is_said_and_a_guest_in_error_is_named() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let _web = FakeQemu::listen(&host.socket("web"))?;
    let absent =
        "echo 'System has not been booted with systemd as init system (PID 1).' >&2; exit 1";
    let path = stand_ins(&host, absent, "exit 1")?;
    let said = doctor(&host, &path, &["-c", "nonsense:///"])?;
    ensure!(said.status == 1, "{said:?}");
    for words in [
        "note     units      this host has no systemd; hostinfod runs without it",
        "problem  libvirt    nonsense:///",
    ] {
        ensure!(said.stdout.contains(words), "{words:?} is missing: {said:?}");
    }
    ensure!(said.stdout.ends_with("1 problem.\n"), "{said:?}");
    daemon.stop()?;
    let said = doctor(&host, &path, &["-c", "nonsense:///"])?;
    ensure!(
        said.stdout.contains("\n                    # install -d /run/hostinfo && hostinfod &\n")
    );
    ensure!(
        said.stdout.ends_with("2 problems.\n") && !said.stdout.contains("# systemctl"),
        "{said:?}"
    );
    let said = alone(&host, &["doctor", "-c", "qemu+ssh://host/system"])?.fails_with(2)?;
    ensure!(said.contains("run hostinfoctl doctor there"), "{said}");
    Ok(())
}

#[test]
fn a_directory_that_hostinfods_user_cannot_use_is_found_before_a_guest_starts() -> Result<()> {
    let host = Host::new(RULES)?;
    let units = "printf 'Id=hostinfo.service\\nLoadState=loaded\\nActiveState=active\\n\
                 UnitFileState=enabled\\nUser=nobody\\n\\n'";
    let path = stand_ins(&host, units, "exit 1")?;
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let directory = host.sockets();
    for (mode, words) in [(0o700, "cannot read"), (0o755, "has no default ACL for user nobody")] {
        set(&directory, mode)?;
        let said = doctor(&host, &path, &["--json"])?;
        let told: Value = serde_json::from_str(&said.stdout)?;
        let remedy = &finding(&told, words)?["remedy"][0];
        let expected =
            format!("setfacl -m u:nobody:rwx -d -m u:nobody:rwx {}", directory.display());
        ensure!(remedy == &expected, "{said:?}");
    }
    Ok(())
}

#[test]
fn the_commands_for_a_guest_that_needs_a_restart_give_it_its_port_when_copied_at_once() -> Result<()>
{
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(RULES)?);
    libvirtd.define_bare("web", "")?;
    libvirtd.virsh(&["start", "--paused", "web"])?;
    hostinfoctl(&libvirtd, &host, &["enable", "web"])?.succeeds()?;
    let told = hostinfoctl(&libvirtd, &host, &["doctor", "--json"])?;
    let told: Value = serde_json::from_str(&told.stdout)?;
    let remedy = finding(&told, "qemu-web: it runs without the port")?["remedy"].as_array();
    let remedy: Vec<&str> = remedy.context("no remedy")?.iter().filter_map(Value::as_str).collect();
    ensure!(remedy.iter().any(|line| line.starts_with("while virsh list")), "{remedy:?}");
    // Paused, it does not hear that it is to shut down.
    libvirtd.shell(&format!("(sleep 2; virsh destroy web) & {}", remedy.join("\n")))?;
    let xml = libvirtd.virsh(&["dumpxml", "web"])?;
    ensure!(xml.contains(&*host.socket("web").to_string_lossy()), "{xml}");
    Ok(())
}

#[test]
fn the_daemon_checks_its_settings_and_rules_without_serving_anybody() -> Result<()> {
    let host = Host::new(RULES)?;
    let check = || -> Result<(Option<i32>, String)> {
        let said = std::process::Command::new(hostinfo_tests::paths::program("hostinfod")?)
            .args(["--check", "--config"])
            .arg(host.config())
            .arg("--rules")
            .arg(host.rules())
            .output()?;
        Ok((said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned()))
    };
    ensure!(check()? == (Some(0), String::new()));
    host.write_rules("*:\n  physcups = 1\n")?;
    let (status, said) = check()?;
    ensure!(status == Some(78) && said.contains("hostinfo.conf:2:3"), "{said}");
    host.write_config("nonsense = 1\n")?;
    let (status, said) = check()?;
    ensure!(status == Some(78) && said.contains("nonsense"), "{said}");
    Ok(())
}
