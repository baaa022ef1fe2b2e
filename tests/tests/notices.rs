//! Notices outlive the daemon, and whoever sets or clears one is told of in the log.

use std::fs;

use anyhow::{Context as _, Result};
use hostinfo_control::NoticeKind;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};

const RULES: &str = "*:\n  interval = 0\n";

#[test]
fn a_notice_outlives_a_daemon_that_is_killed() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let qemu = FakeQemu::listen(&host.socket("a"))?;
    let mut guest = qemu.accept()?;
    let at = "2036-11-22T22:00:00Z".parse()?;
    let mut client = host.client()?;
    client.set_notice("qemu-a", NoticeKind::Maintenance, "second", Some(at), None)?;
    let soon = "2036-11-22T21:00:00Z".parse()?;
    client.set_notice("*", NoticeKind::Migration, "first", Some(soon), Some(at))?;
    let told = [
        "200-notice.1=migration at 2036-11-22T21:00:00Z: first",
        "200 notice.2=maintenance at 2036-11-22T22:00:00Z: second",
    ];
    assert_eq!(guest.ask("notice")?, told);
    daemon.kill()?;
    let _daemon = host.start_daemon()?;
    let mut guest = qemu.accept()?;
    assert_eq!(guest.ask("notice")?, told);
    Ok(())
}

#[test]
fn a_damaged_file_is_set_aside_and_guests_are_served() -> Result<()> {
    let host = Host::new(RULES)?;
    let file = host.state().join("notices.json");
    fs::write(&file, "{\"next\": 3, \"notices\": [")?;
    let daemon = host.start_daemon()?;
    daemon.wait_for_log("notices.json.damaged")?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    assert_eq!(guest.ask_one("notice")?, "503 notice: there is no notice for this guest");
    host.client()?.set_notice("*", NoticeKind::Info, "x", None, None)?;
    assert!(guest.ask_one("notice")?.ends_with(": x"));
    assert!(fs::read_to_string(file.with_extension("json.damaged"))?.ends_with('['));
    Ok(())
}

#[test]
fn setting_and_clearing_a_notice_are_events_with_the_user_who_did_it() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let mut client = host.client()?;
    let id = client.set_notice("qemu-*", NoticeKind::Info, "hello", None, None)?.notice.id;
    client.clear_notices(None)?;
    daemon.wait_for_log("notice-cleared")?;
    let uid = format!("uid={}", rustix::process::geteuid().as_raw());
    let log = daemon.log();
    for event in ["event=\"notice-set\"", "event=\"notice-cleared\""] {
        let line = log.lines().find(|line| line.contains(event)).context(log.clone())?;
        for field in [&*format!("id={id}"), "pattern=\"qemu-*\"", &uid, ": hello"] {
            assert!(line.contains(field), "{field}: {line}");
        }
    }
    Ok(())
}
