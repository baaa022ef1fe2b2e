//! Commands about the daemon and what it keeps: status, stats, notice and incidents.

use std::fs;
use std::os::unix::net::UnixDatagram;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::{alone, json};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::{FakeGuest, Host};
use serde_json::Value;

use crate::RULES;

#[test]
fn without_a_daemon_what_needs_it_says_so_and_the_rest_goes_on() -> Result<()> {
    let host = Host::new(RULES)?;
    for command in [
        &["status"][..],
        &["watch"],
        &["stats"],
        &["explain", "web"],
        &["preview", "web"],
        &["notice", "list"],
    ] {
        let said = alone(&host, command)?.fails_with(5)?;
        ensure!(said.lines().count() == 1 && said.contains("start it"), "{command:?}: {said}");
    }
    let list = alone(&host, &["list"])?;
    ensure!(list.stderr.contains("note: what the daemon knows is left out"), "{list:?}");
    let list = list.succeeds()?;
    ensure!(list.contains("test-test  none   none     -           line 5"), "{list}");
    let said = alone(&host, &["list", "-c", "nonsense:///"])?.fails_with(4)?;
    ensure!(said.contains("nonsense:///"), "{said}");
    let said = alone(&host, &["enable", "x", "-c", "test:///none"])?.fails_with(4)?;
    ensure!(said.lines().count() == 1, "libvirt's own lines are left out: {said}");
    Ok(())
}

#[test]
fn status_names_guests_that_are_in_error_and_fails() -> Result<()> {
    let host = Host::new(RULES)?;
    host.write_config("[libvirt]\nenabled = false\n")?;
    let _daemon = host.start_daemon()?;
    alone(&host, &["status"])?.succeeds()?;
    // No stream: nothing can be said by it.
    let _wrong = UnixDatagram::bind(host.socket("web"))?;
    let said = wait_for("the daemon to see it", PATIENCE, || {
        let said = alone(&host, &["status"])?;
        Ok((said.status == 1).then_some(said))
    })?;
    ensure!(said.stdout.contains("\nerror     qemu-web: "), "{said:?}");
    let said: Value = serde_json::from_str(&alone(&host, &["status", "--json"])?.stdout)?;
    ensure!(said["errors"][0]["guest"] == "qemu-web" && said["pid"].is_number(), "{said}");
    Ok(())
}

#[test]
fn status_tells_what_is_wrong_with_a_newer_rules_file_and_fails() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    host.write_config("[libvirt]\nenabled = false\n")?;
    let rules = |said: &str| said.lines().any(|line| line.contains("2 rules, in force since"));
    let said = alone(&host, &["status"])?;
    ensure!(rules(&said.stdout) && said.stdout.contains(&daemon.pid().to_string()), "{said:?}");
    host.write_rules("*:\n  physcups = 1\n")?;
    let said = wait_for("the daemon to see it", PATIENCE, || {
        let said = alone(&host, &["status"])?;
        Ok((said.status == 1 && said.stdout.contains("not in force")).then_some(said))
    })?;
    ensure!(rules(&said.stdout) && said.stdout.contains("hostinfo.conf:2:3"), "{said:?}");
    let stats = alone(&host, &["stats"])?.succeeds()?;
    ensure!(stats.starts_with("Since 20") && stats.contains("guests"), "{stats}");
    let metrics = alone(&host, &["stats", "--format", "openmetrics"])?.succeeds()?;
    ensure!(metrics.ends_with("# EOF\n"), "{metrics}");
    Ok(())
}

#[test]
fn a_notice_is_told_at_once_and_taken_back() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("web"))?;
    let args = ["notice", "set", "qemu-w*", "down at ten", "--kind", "maintenance", "--at", "+2h"];
    let said = alone(&host, &args)?.succeeds()?;
    ensure!(said.contains("is set, for 1 guest that is there"), "{said}");
    let told = guest.ask_one("notice.1")?;
    ensure!(told.starts_with("200 notice.1=maintenance at ") && told.ends_with(": down at ten"));
    let list = alone(&host, &["notice", "list"])?.succeeds()?;
    ensure!(list.contains("qemu-w*") && list.contains("down at ten"), "{list}");
    let number = list.lines().nth(1).and_then(|line| line.split(' ').next()).context("no line")?;
    alone(&host, &["notice", "clear", "999"])?.fails_with(1)?;
    alone(&host, &["notice", "clear", number])?.succeeds()?;
    wait_until("it to be gone", PATIENCE, || Ok(!guest.ask_one("notice.1")?.starts_with("200")))?;
    ensure!(alone(&host, &["notice", "list"])?.succeeds()? == "There are no notices.\n");
    let at = ["--at", "2036-11-22T22:00:00Z", "--until", "+1h"];
    let set = json(&host, &[&["notice", "set", "qemu-*", "x"], &at[..]].concat())?;
    ensure!(set["notice"]["until"] == "2036-11-22T23:00:00Z", "an hour after it: {set}");
    alone(&host, &["notice", "set", "qemu-*", "x", "--at", "soon"])?.fails_with(2)?;
    alone(&host, &["notice", "set", "qemu-[", "x"])?.fails_with(1)?;
    Ok(())
}

#[test]
fn incidents_that_were_recorded_are_shown_without_a_daemon() -> Result<()> {
    let host = Host::new(RULES)?;
    let state = host.state();
    let state = ["--state-dir", state.to_str().context("no text")?];
    let show = |args: &[&str]| alone(&host, &[&["incidents"], &state[..], args].concat());
    ensure!(show(&[])?.succeeds()?.starts_with("No incidents are stored. hostinfod"));
    fs::create_dir_all(host.state().join("incidents"))?;
    let file = r#"{"version":1,"guest":"qemu-web","incidents":[{"what":"cpu","state":"contended",
        "from":"2026-11-28T10:02:31Z","to":"2026-11-28T10:05:31Z","part":34,"whole":100}]}"#;
    fs::write(host.state().join("incidents/x"), file)?;
    let said = show(&["web"])?.succeeds()?;
    ensure!(said.contains("qemu-web  cpu       contended  2026-11-28"), "{said}");
    ensure!(show(&["db"])?.succeeds()? == "No such incidents are stored.\n");
    show(&["--since", "yesterday"])?.fails_with(2)?;
    Ok(())
}
