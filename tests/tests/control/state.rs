//! The daemon: its state, its counters, and the notices that it keeps.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result};
use hostinfo_control::{Error, LibvirtState, NoticeKind, Refusal};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::{FakeGuest, Host};

use crate::RULES;

#[test]
fn the_state_tells_which_rules_are_in_force_and_what_is_wrong_with_the_newer_ones() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let mut client = host.client()?;
    let status = client.status()?;
    assert_eq!((status.pid, status.rules.rules), (daemon.pid(), 3));
    assert_eq!((status.rules.problem, status.guests), (None, 0));
    assert_ne!(status.libvirt.state, LibvirtState::Off);
    host.write_rules("*:\n  interval = never\n")?;
    daemon.wait_for_log("rules-refused")?;
    let rules = client.rules()?;
    assert_eq!((rules.text.as_deref(), rules.state.rules), (Some(RULES), 3));
    let problem = rules.state.problem.context("no problem")?;
    assert!(problem.contains("hostinfo.conf:2:"), "{problem}");
    assert!(client.metrics()?.contains("\nhostinfod_rules_bad 1\n"));
    host.write_rules("*:\n  interval = 2\n")?;
    wait_until("the mended rules", PATIENCE, || Ok(client.status()?.rules.problem.is_none()))?;
    assert_eq!(client.rules()?.text.as_deref(), Some("*:\n  interval = 2\n"));
    Ok(())
}

#[test]
fn the_state_tells_of_settings_with_an_error_and_of_a_directory_that_is_gone() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let mut client = host.client()?;
    let status = client.status()?;
    assert!(status.settings.problem.is_none() && status.socket_dir.problem.is_none());
    host.write_config("[flow]\nlines = 3\n")?;
    daemon.hang_up()?;
    let problem = wait_for("the error", PATIENCE, || Ok(client.status()?.settings.problem))?;
    assert!(problem.contains("hostinfod.toml") && problem.contains("line 2"), "{problem}");
    assert!(client.metrics()?.contains("\nhostinfod_settings_bad 1\n"));
    host.write_config("")?;
    daemon.hang_up()?;
    wait_until("good settings", PATIENCE, || Ok(client.status()?.settings.problem.is_none()))?;

    fs::rename(host.sockets(), host.path().join("elsewhere"))?;
    let problem = wait_for("the problem", PATIENCE, || Ok(client.status()?.socket_dir.problem))?;
    assert!(problem.contains("no such directory: make it with `install -d"), "{problem}");
    symlink("/dev/null", host.sockets())?;
    wait_until("the device in its place to be named", PATIENCE, || {
        let problem = client.status()?.socket_dir.problem.unwrap_or_default();
        Ok(problem.contains("is not a directory: remove it"))
    })?;
    fs::remove_file(host.sockets())?;
    fs::rename(host.path().join("elsewhere"), host.sockets())?;
    wait_until("the directory", PATIENCE, || Ok(client.status()?.socket_dir.problem.is_none()))
}

#[test]
fn the_daemon_counts_what_it_does_once_whether_as_text_or_one_by_one() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("db1"))?;
    guest.ask("ping")?;
    guest.ask("get loadavg.5")?;
    guest.send("nothing\n".repeat(8))?;
    for _ in 0..5 {
        assert!(guest.reply()?[0].starts_with("404"));
    }
    guest.ask("ping")?;
    let mut client = host.client()?;
    let text = client.metrics()?;
    for line in [
        "hostinfod_guests{state=\"connected\"} 1",
        "hostinfod_queries_total{result=\"answered\"} 2",
        "hostinfod_queries_total{result=\"not_permitted\"} 1",
        "hostinfod_queries_total{result=\"no_such_statistic\"} 5",
        "hostinfod_queries_total{result=\"dropped\"} 3",
        "hostinfod_query_duration_seconds_count 8",
        "hostinfod_rules 3",
        "hostinfod_control_clients 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
    let figures = client.stats()?.figures;
    assert_eq!(figures.len(), text.lines().filter(|line| !line.starts_with('#')).count());
    Ok(())
}

#[test]
fn a_notice_is_read_by_its_guests_until_it_is_cleared() -> Result<()> {
    let host = Host::new("*:\n  interval = 0\n  notice = 1\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("db1"))?;
    let mut client = host.client()?;
    let at = "2036-11-22T22:00:00Z".parse()?;
    let set =
        client.set_notice("qemu-db*", NoticeKind::Maintenance, "new disks", Some(at), None)?;
    assert_eq!((set.notice.at, set.guests), (at, 1));
    assert_eq!(
        guest.ask_one("get notice.1")?,
        "200 notice.1=maintenance at 2036-11-22T22:00:00Z: new disks"
    );
    assert_eq!(client.notices()?, std::slice::from_ref(&set.notice));
    let soon = "2035-11-22T22:00:00Z".parse()?;
    for number in 0..16 {
        let text = number.to_string();
        client.set_notice("qemu-db1", NoticeKind::Info, &text, Some(soon), None)?;
    }
    let hidden = client.set_notice("*", NoticeKind::Info, "hidden", Some(at), None)?;
    assert_eq!((hidden.guests, hidden.hidden, set.hidden), (1, 1, 0));
    client.clear_notices(Some((2..=18).collect()))?;
    let refused = client.set_notice("[", NoticeKind::Info, "x", None, None).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::BadNotice { .. })), "{refused}");
    let refused = client.clear_notices(Some(vec![99])).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::NoSuchNotice { id: 99, .. })), "{refused}");
    assert_eq!(client.clear_notices(Some(vec![set.notice.id]))?, [set.notice]);
    assert!(!guest.ask_one("get notice.1")?.starts_with("200"));
    Ok(())
}
