//! What the log tells of who may what, and that a guest cannot fill it.

use anyhow::Result;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};
use hostinfo_wire::limits::LOG_BURST;

const RULES: &str = "qemu-off:\n  enabled = 0\n*:\n  interval = 0\n";

/// The lines of the log with that event.
fn events(log: &str, event: &str) -> Vec<String> {
    let event = format!("event=\"{event}\"");
    log.lines().filter(|line| line.contains(&event)).map(str::to_owned).collect()
}

fn has(line: &str, fields: &[&str]) -> bool {
    fields.iter().all(|field| line.contains(field))
}

#[test]
fn coming_being_denied_and_going_are_an_event_each_with_the_rule_that_decides() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    guest.ask("get host.name physcpus host.kernel")?;
    guest.ask("json host.name loadavg")?;
    let pid = format!("pid={}", std::process::id());
    drop(guest);
    daemon.wait_for_log("guest-gone")?;
    let log = daemon.log();
    let guest = "guest=\"qemu-a\"";
    let place = ["rule=\"*\"", "line=3"];
    let granted = events(&log, "access-granted");
    assert!(granted.len() == 1 && has(&granted[0], &[guest, place[0], place[1], &pid]), "{log}");
    let denied = events(&log, "query-denied");
    assert_eq!(denied.len(), 2, "{log}");
    let first = [guest, place[0], place[1], "asked=\"get host.name physcpus host.kernel\""];
    assert!(has(&denied[0], &first) && denied[0].contains("denied=2"), "{log}");
    assert!(denied[1].contains("denied=1"), "{log}");
    assert!(has(&events(&log, "guest-gone")[0], &[guest]), "{log}");
    Ok(())
}

#[test]
fn the_log_says_that_a_guest_may_not_ask_and_when_a_rule_lets_it() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let _guest = FakeGuest::join(&host.socket("off"))?;
    daemon.wait_for_log("may not ask: its rule says enabled = 0")?;
    assert_eq!(events(&daemon.log(), "access-granted").len(), 0);
    host.write_rules("*:\n  interval = 0\n")?;
    daemon.wait_for_log("access-granted")?;
    host.write_rules("*:\n  interval = never\n")?;
    daemon.wait_for_log("rules-refused")?;
    assert_eq!(events(&daemon.log(), "rules-loaded").len(), 2, "{}", daemon.log());
    Ok(())
}

#[test]
fn rules_that_are_written_again_as_they_were_are_no_event() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let since = host.client()?.status()?.rules.since;
    host.write_rules(RULES)?;
    daemon.hang_up()?;
    daemon.wait_for_log("settings read again")?;
    host.write_rules("*:\n  interval = never\n")?;
    daemon.wait_for_log("rules-refused")?;
    assert_eq!(events(&daemon.log(), "rules-loaded").len(), 1, "{}", daemon.log());
    assert_eq!(host.client()?.status()?.rules.since, since);
    Ok(())
}

#[test]
fn a_flood_of_denials_fills_no_log_and_hides_nothing_else() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let qemu = FakeQemu::listen(&host.socket("a"))?;
    let mut guest = qemu.accept()?;
    for _ in 0..4 * LOG_BURST {
        guest.ask("host.name")?;
    }
    drop(guest);
    daemon.wait_for_log("guest-gone")?;
    assert_eq!(events(&daemon.log(), "query-denied").len(), LOG_BURST as usize);
    Ok(())
}

#[test]
fn a_socket_that_is_not_served_is_named_in_the_log() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let _nameless = FakeQemu::listen(&host.sockets().join("nohyphen"))?;
    daemon.wait_for_log("socket-refused")?;
    assert!(daemon.log().contains("socket=\"nohyphen\""), "{}", daemon.log());
    Ok(())
}
