//! The rules are in force at once, however the file is changed, and never half.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::{FakeGuest, Guest, Host, Port};
use hostinfo_wire::reply::parse_retry_after;

const OPEN: &str = "*:\n  interval = 0\n";
const CLOSED: &str = "*:\n  interval = 0\n  physcpus = 0\n";
const REFUSED: &str = "403 physcpus: not permitted";

/// "At once": the 50 ms for which a file has to be left alone, and a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Long enough for a change to be noticed that must not have an effect.
const A_WHILE: Duration = Duration::from_millis(500);

fn may_see_physcpus(guest: &mut FakeGuest) -> Result<bool> {
    Ok(guest.ask_one("physcpus")? != REFUSED)
}

/// A host whose rules let a guest see `physcpus`, `close`d in some way.
fn closes_at_once(
    prepare: impl Fn(&Path) -> Result<()>,
    close: impl Fn(&Path) -> Result<()>,
) -> Result<()> {
    let host = Host::new(OPEN)?;
    prepare(&host.rules())?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    assert!(may_see_physcpus(&mut guest)?);
    close(&host.rules())?;
    // 20 lines a second, and bursts of 40, are answered without delay.
    wait_until("the new rules", AT_ONCE, || {
        std::thread::sleep(Duration::from_millis(30));
        Ok(!may_see_physcpus(&mut guest)?)
    })
}

fn as_it_is(_: &Path) -> Result<()> {
    Ok(())
}

/// The file becomes a link to one in another folder, as configuration tools make it.
fn elsewhere(rules: &Path) -> Result<()> {
    let target = rules.with_file_name("generation-1");
    fs::create_dir(&target)?;
    fs::rename(rules, target.join("rules"))?;
    Ok(symlink(target.join("rules"), rules)?)
}

#[test]
fn rules_written_in_place_are_in_force_at_once() -> Result<()> {
    closes_at_once(as_it_is, |rules| Ok(fs::write(rules, CLOSED)?))
}

#[test]
fn rules_renamed_over_the_old_ones_are_in_force_at_once() -> Result<()> {
    closes_at_once(as_it_is, |rules| {
        let new = rules.with_extension("new");
        fs::write(&new, CLOSED)?;
        Ok(fs::rename(new, rules)?)
    })
}

#[test]
fn rules_that_are_a_new_hard_link_are_in_force_at_once() -> Result<()> {
    closes_at_once(as_it_is, |rules| {
        let new = rules.with_extension("new");
        fs::write(&new, CLOSED)?;
        fs::remove_file(rules)?;
        Ok(fs::hard_link(new, rules)?)
    })
}

#[test]
fn rules_behind_a_link_that_is_swapped_are_in_force_at_once() -> Result<()> {
    closes_at_once(elsewhere, |rules| {
        let target = rules.with_file_name("generation-2");
        fs::create_dir(&target)?;
        fs::write(target.join("rules"), CLOSED)?;
        let link = rules.with_extension("link");
        symlink(target.join("rules"), &link)?;
        Ok(fs::rename(link, rules)?)
    })
}

#[test]
fn rules_written_where_a_link_leads_are_in_force_at_once() -> Result<()> {
    closes_at_once(elsewhere, |rules| Ok(fs::write(fs::canonicalize(rules)?, CLOSED)?))
}

#[test]
fn rules_renamed_over_where_a_link_leads_are_in_force_at_once() -> Result<()> {
    closes_at_once(elsewhere, |rules| {
        let target = fs::canonicalize(rules)?;
        let new = target.with_extension("new");
        fs::write(&new, CLOSED)?;
        Ok(fs::rename(new, target)?)
    })
}

#[test]
fn rules_that_appear_where_there_were_none_are_in_force_at_once() -> Result<()> {
    closes_at_once(|rules| Ok(fs::remove_file(rules)?), |rules| Ok(fs::write(rules, CLOSED)?))
}

#[test]
fn rules_that_replace_a_link_to_nowhere_or_to_itself_are_in_force_at_once() -> Result<()> {
    for target in ["hostinfo.conf", "nowhere/at/all"] {
        closes_at_once(as_it_is, |rules| {
            fs::remove_file(rules)?;
            symlink(target, rules)?;
            std::thread::sleep(A_WHILE);
            fs::remove_file(rules)?;
            std::thread::sleep(A_WHILE);
            let new = rules.with_extension("new");
            fs::write(&new, CLOSED)?;
            Ok(fs::rename(new, rules)?)
        })?;
    }
    Ok(())
}

#[test]
fn rules_whose_directory_is_made_anew_are_in_force_at_once() -> Result<()> {
    closes_at_once(as_it_is, |rules| {
        let directory = rules.parent().unwrap_or(rules);
        fs::rename(directory, directory.with_extension("old"))?;
        std::thread::sleep(A_WHILE);
        fs::create_dir(directory)?;
        std::thread::sleep(A_WHILE);
        Ok(fs::write(rules, CLOSED)?)
    })
}

#[test]
fn a_file_that_is_deleted_emptied_or_wrong_changes_nothing() -> Result<()> {
    let host = Host::new(CLOSED)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    for wrong in
        [None, Some(""), Some("# nothing\n"), Some("*:\n  physcpus = perhaps\n"), Some("*")]
    {
        match wrong {
            None => fs::remove_file(host.rules())?,
            Some(text) => host.write_rules(text)?,
        }
        std::thread::sleep(A_WHILE);
        assert!(!may_see_physcpus(&mut guest)?, "after {wrong:?}");
    }
    daemon.wait_for_log("perhaps")?;
    host.write_rules(OPEN)?;
    wait_until("the mended rules", AT_ONCE, || may_see_physcpus(&mut guest))
}

#[test]
fn a_file_is_not_read_in_the_middle_of_a_write() -> Result<()> {
    use std::io::Write as _;
    let host = Host::new(CLOSED)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let mut file = fs::File::create(host.rules())?;
    // Valid as far as it goes: it would open what the next line closes.
    file.write_all(OPEN.as_bytes())?;
    for _ in 0..10 {
        std::thread::sleep(A_WHILE / 10);
        assert!(!may_see_physcpus(&mut guest)?);
    }
    file.write_all(b"  physcpus = 0\n  loadavg = 0\n")?;
    drop(file);
    wait_until("the whole file", AT_ONCE, || {
        std::thread::sleep(Duration::from_millis(30));
        Ok(guest.ask_one("loadavg.1")?.starts_with("403"))
    })?;
    assert!(!may_see_physcpus(&mut guest)?);
    Ok(())
}

#[test]
fn after_sighup_the_rules_hold_and_changed_ones_are_in_force_at_once() -> Result<()> {
    let host = Host::new(OPEN)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    daemon.hang_up()?;
    assert!(may_see_physcpus(&mut guest)?);
    host.write_rules(CLOSED)?;
    daemon.hang_up()?;
    wait_until("the new rules", AT_ONCE, || Ok(!may_see_physcpus(&mut guest)?))
}

#[test]
fn a_daemon_does_not_start_with_wrong_rules_and_says_where_they_are_wrong() -> Result<()> {
    let host = Host::new("*:\n  interval = 0\n  physcups = 0\n")?;
    let mut daemon = host.launch_daemon()?;
    assert_eq!(daemon.wait()?.code(), Some(78), "{}", daemon.log());
    assert!(daemon.log().contains("hostinfo.conf:3:3"), "{}", daemon.log());
    assert!(daemon.log().contains("physcpus"), "the nearest name: {}", daemon.log());
    Ok(())
}

#[test]
fn a_real_guest_feels_a_changed_rule_within_a_second() -> Result<()> {
    let host = Host::new(OPEN)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    assert_ne!(guest.ask("physcpus")?, [REFUSED]);
    host.write_rules(CLOSED)?;
    wait_until("the new rules", AT_ONCE, || Ok(guest.ask("physcpus")? == [REFUSED]))?;
    host.write_rules("qemu-a:\n  enabled = 0\n")?;
    wait_until("the new rules", AT_ONCE, || {
        Ok(guest.ask("physcpus")? == ["403 this guest may not ask"])
    })
}

#[test]
fn the_first_rule_that_matches_decides_alone() -> Result<()> {
    let host = Host::new(
        "qemu-a*:\n  interval = 0\n  physcpus = 0\n\n*:\n  interval = 0\n  loadavg = 0\n",
    )?;
    let _daemon = host.start_daemon()?;
    for (name, physcpus, loadavg) in [("abc", "403", "200"), ("b", "200", "403")] {
        let mut guest = FakeGuest::join(&host.socket(name))?;
        assert_eq!(guest.ask_one("physcpus")?.get(..3), Some(physcpus), "{name}");
        assert_eq!(guest.ask_one("loadavg.1")?.get(..3), Some(loadavg), "{name}");
    }
    Ok(())
}

#[test]
fn the_interval_belongs_to_the_guest_and_not_to_its_connection() -> Result<()> {
    let host = Host::new("*:\n  interval = 1h\n")?;
    let _daemon = host.start_daemon()?;
    let path = host.socket("a");
    let mut guest = FakeGuest::join(&path)?;
    // What is refused does not count.
    assert_eq!(guest.ask_one("host.name")?.get(..3), Some("403"));
    assert_eq!(guest.ask_one("physcpus")?.get(..3), Some("200"));
    let wait = guest.ask_one("physcpus")?;
    let wait = wait.strip_prefix("429 ").and_then(parse_retry_after).unwrap_or_default();
    assert!(wait > Duration::from_secs(3590) && wait <= Duration::from_secs(3600), "{wait:?}");
    drop(guest);
    fs::remove_file(&path)?;
    let mut guest = FakeGuest::join(&path)?;
    assert_eq!(guest.ask_one("physcpus")?.get(..3), Some("429"));
    assert_eq!(guest.ask_one("ping x")?, "200 pong x");
    Ok(())
}

#[test]
fn the_example_of_the_first_announcement_works_to_the_letter() -> Result<()> {
    let host = Host::new(include_str!("../demo.conf"))?;
    let _daemon = host.start_daemon()?;
    for (socket, physcpus, interval) in
        [("qemu-myguest", "403", "60"), ("qemu-other", "200", "30"), ("lxc-other", "200", "1")]
    {
        let mut guest = FakeGuest::join(&host.sockets().join(socket))?;
        let reply = guest.ask("get physcpus interval")?;
        let [cpus, seconds] = &reply[..] else { panic!("{socket}: {reply:?}") };
        assert_eq!(cpus.get(..3), Some(physcpus), "{socket}");
        assert_eq!(*seconds, format!("200 interval={interval}"), "{socket}");
        assert_eq!(guest.ask_one("interval")?.get(..3), Some("429"), "{socket}");
    }
    Ok(())
}
