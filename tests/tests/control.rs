//! What the daemon tells its administrator: guests, decisions, previews, and how it does itself.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result, ensure};
use hostinfo_catalog::StatId;
use hostinfo_control::{
    Decision, Error, Event, Guest, GuestState, LibvirtState, NoticeKind, PortKind, Refusal,
};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};

const RULES: &str = "\
qemu-off:
  enabled = 0
qemu-db*:
  interval = 0
  loadavg = 1
  loadavg.5 = 0
*:
  interval = 1m
";

fn listed(host: &Host, guest: &str) -> Result<Option<Guest>> {
    Ok(host.client()?.list()?.into_iter().find(|one| one.guest == guest))
}

#[test]
fn a_guest_is_listed_with_its_rule_and_what_became_of_what_it_asked() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("db1"))?;
    let _off = FakeGuest::join(&host.socket("off"))?;
    let quiet = FakeQemu::listen(&host.socket("quiet"))?;
    drop(quiet);
    for line in ["get physcpus", "ping", "get loadavg.5", "get nothing", "ping \u{7}x"] {
        guest.ask(line)?;
    }
    let guests = host.client()?.list()?;
    let names: Vec<&str> = guests.iter().map(|guest| guest.name.as_str()).collect();
    assert_eq!(names, ["db1", "off", "quiet"]);
    let [asked, off, quiet] = &guests[..] else { panic!("{guests:?}") };
    assert_eq!((&*asked.driver, asked.state), ("qemu", GuestState::Connected));
    assert_eq!((asked.pattern.as_deref(), asked.line), (Some("qemu-db*"), Some(3)));
    assert_eq!(asked.ports.iter().map(|port| port.kind).collect::<Vec<_>>(), [PortKind::Hostinfo]);
    let counts = asked.counts;
    assert_eq!((counts.answered, counts.not_permitted), (2, 1));
    assert_eq!((counts.no_such_statistic, counts.malformed), (1, 1));
    let last = asked.last.as_ref().context("no last query")?;
    assert_eq!((&*last.asked, last.code), ("ping  x", 400));
    assert_eq!(off.state, GuestState::Disabled);
    assert_eq!(off.problem.as_deref(), Some("its rule says enabled = 0"));
    assert_eq!((quiet.state, quiet.interval), (GuestState::Waiting, 60.0));
    drop(guest);
    fs::remove_file(host.socket("db1"))?;
    wait_until("the guest to be gone", PATIENCE, || {
        Ok(listed(&host, "qemu-db1")?.is_some_and(|one| one.state == GuestState::Absent))
    })
}

#[test]
fn many_guests_are_listed_page_by_page_in_order_and_none_twice() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let count = 2 * hostinfo_control::limits::PAGE + 1;
    let _guests: Vec<FakeQemu> = (0..count)
        .map(|number| FakeQemu::listen(&host.socket(&format!("{number:04}"))))
        .collect::<Result<_>>()?;
    let present = || -> Result<Vec<Guest>> {
        let guests = host.client()?.list()?.into_iter();
        Ok(guests.filter(|guest| guest.state != GuestState::Absent).collect())
    };
    wait_until("all guests", PATIENCE, || Ok(present()?.len() == count))?;
    let guests = present()?;
    assert!(guests.is_sorted_by(|one, next| one.guest < next.guest));
    Ok(())
}

#[test]
fn explain_is_the_decision_that_a_guest_meets_with_the_line_that_makes_it() -> Result<()> {
    let host = Host::new(RULES)?;
    host.write_config("[flow]\nlines_per_second = 0\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("db1"))?;
    let mut client = host.client()?;
    let explained = client.explain("db1", None)?;
    assert_eq!((&*explained.guest, explained.line), ("qemu-db1", Some(3)));
    assert!(explained.path.ends_with("hostinfo.conf") && explained.may_ask);
    assert!(explained.statistics.len() >= StatId::COUNT);
    for decision in &explained.statistics {
        let name =
            decision.name.replace(".DEV.", ".vda.").replace(".NAME", ".a").replace(".N", ".0");
        let reply = guest.ask(&format!("get {name}"))?;
        let is_denied = reply.last().is_some_and(|line| line.starts_with("403"));
        assert_eq!(decision.permitted, !is_denied, "{decision:?} {reply:?}");
    }
    let one = client.explain("qemu-db1", Some(vec!["loadavg".to_owned()]))?.statistics;
    let told: Vec<_> = one.iter().map(|one| (&*one.name, one.permitted, one.line)).collect();
    assert_eq!(
        told,
        [
            ("loadavg.1", true, Some(5)),
            ("loadavg.5", false, Some(6)),
            ("loadavg.15", true, Some(5))
        ]
    );
    let refused = client.explain("db1", Some(vec!["nothing".to_owned()])).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::NoSuchStatistic { .. })), "{refused}");
    Ok(())
}

#[test]
fn a_guest_that_may_not_ask_is_refused_every_statistic_by_its_line_or_its_problem() -> Result<()> {
    let refused = |host: &Host, line: Option<u64>, problem: &str| -> Result<()> {
        let mut guest = FakeGuest::join(&host.socket("off"))?;
        ensure!(guest.ask_one("get physcpus")?.starts_with("403"));
        let told = host.client()?.explain("off", None)?;
        ensure!(!told.may_ask && told.problem.as_deref() == Some(problem), "{told:?}");
        let is_refused = |one: &Decision| !one.permitted && one.line == line;
        ensure!(told.statistics.iter().all(is_refused), "{told:?}");
        Ok(())
    };
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let absent = host.client()?.explain("qemu-off", None)?;
    assert_eq!((absent.state, absent.may_ask), (GuestState::Absent, false));
    assert!(absent.statistics.iter().all(|one| !one.permitted && one.line == Some(2)));
    refused(&host, Some(2), "its rule says enabled = 0")?;
    let host = Host::new(RULES)?;
    host.write_config("[libvirt]\nrequired = true\nuri = 'qemu+unix:///system?socket=/none'\n")?;
    let _daemon = host.start_daemon()?;
    refused(&host, None, "libvirt does not answer, and hostinfod.toml says required = true")
}

#[test]
fn a_guest_that_is_not_there_is_called_by_its_whole_name() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut client = host.client()?;
    assert!(client.explain("qemu-db1", None)?.may_ask);
    assert!(client.preview("qemu-db1", "loadavg.1")?.starts_with("200 "));
    assert_eq!(client.preview("qemu-db1", "loadavg.5")?, "403 loadavg.5: not permitted\n");
    for refused in [
        client.explain("db1", None).err(),
        client.preview("db1", "ping").err(),
        host.client()?.watch(Some("db1"))?.next().and_then(Result::err),
    ] {
        let refused = refused.context("not refused")?;
        assert!(matches!(refused, Error::Refused(Refusal::NoSuchGuest { .. })), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("no guest called db1 has a socket") && said.contains("$driver-db1"));
    }
    let mut watch = host.client()?.watch(Some("qemu-db1"))?;
    let seen = std::thread::spawn(move || watch.next());
    let mut guest = FakeGuest::join(&host.socket("db1"))?;
    wait_until("the watcher to see something", PATIENCE, || {
        guest.ask("ping")?;
        Ok(seen.is_finished())
    })?;
    let Ok(seen) = seen.join() else { panic!() };
    assert_eq!(seen.context("the watch is over")??.guest, "qemu-db1");
    // The same name on two hypervisors is nobody's, also where it has a hyphen.
    let _others =
        ["qemu-a-b", "lxc-a-b"].map(|whole| FakeQemu::listen(&host.sockets().join(whole)));
    wait_until("both guests", PATIENCE, || Ok(client.list()?.len() == 3))?;
    let said = client.preview("a-b", "ping").err().context("not refused")?.to_string();
    assert!(said.contains("more than one guest is called a-b"), "{said}");
    Ok(())
}

#[test]
fn a_preview_is_what_the_guest_then_gets_and_counts_for_nothing() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("web"))?;
    let mut client = host.client()?;
    for line in [
        "get session physcpus host.id nothing loadavg vm.memory.resident",
        "json interval guest.name driver",
        "verdict",
        "ping x",
        "vm.cpu.contention",
        "help",
        "a line that is no request",
    ] {
        let previews = [client.preview("web", line)?, client.preview("qemu-web", line)?];
        assert!(previews[0].ends_with('\n') && previews[0] == previews[1], "{previews:?}");
    }
    let nonsense: Vec<String> =
        (0..10).map(|_| client.preview("web", "nothing")).collect::<Result<_, _>>()?;
    assert!(nonsense.iter().all(|reply| reply == "404 nothing: no such statistic\n"));
    // Its interval is a minute: the first query is answered only if no preview was counted.
    let line = "get session physcpus host.id nothing loadavg";
    let expected = client.preview("web", line)?;
    assert_eq!(guest.ask(line)?.join("\n") + "\n", expected);
    assert!(guest.ask_one("get physcpus")?.starts_with("429"));
    let listed = listed(&host, "qemu-web")?.context("not listed")?;
    assert_eq!((listed.counts.answered, listed.counts.too_soon), (1, 1));
    assert_eq!(listed.counts.no_such_statistic, 0);
    assert!(client.preview("web", "get physcpus")?.starts_with("200 "));
    assert!(client.preview("web", "two\nlines").is_err());
    Ok(())
}

#[test]
fn a_preview_for_an_absent_guest_runs_and_reads_nothing_of_the_administrators() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let state = host.state();
    host.write_config(&format!("[paths]\ncustom_dir = '{}'\n", state.display()))?;
    let own = |name, from| {
        format!("[custom.{name}]\nkind = 'info'\nhelp = 'h'\nscope = 'guest'\n{from}\n")
    };
    // hostinfo-run does not run, so whoever asked for the command would be told that.
    let file = own("file", format!("file = '{}/{{guest}}'", state.display()))
        + &own("slow", "command = ['/bin/sh', '-c', 'true', '{guest}']".to_owned());
    fs::write(state.join("own.toml"), file)?;
    fs::write(state.join("none"), "text")?;
    let _daemon = host.start_daemon()?;
    let mut client = host.client()?;
    for name in ["custom.file", "custom.slow"] {
        let reply = client.preview("qemu-none", name)?;
        assert_eq!(reply, format!("503 {name}: it is there only for a guest that is\n"));
    }
    Ok(())
}

#[test]
fn a_watch_shows_each_query_of_one_guest_or_of_all_as_it_happens() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut one = FakeGuest::join(&host.socket("db1"))?;
    let mut other = FakeGuest::join(&host.socket("db2"))?;
    let mut all = host.client()?.watch(None)?;
    let mut first = host.client()?.watch(Some("db1"))?;
    // Both have begun when they see something.
    let begun = std::thread::spawn(move || {
        let seen = [all.next(), first.next()];
        (seen, all, first)
    });
    wait_until("the watchers to see something", PATIENCE, || {
        one.ask("ping begun")?;
        Ok(begun.is_finished())
    })?;
    let Ok((_, mut all, mut first)) = begun.join() else { panic!() };
    other.ask("get loadavg.5")?;
    one.ask("get physcpus")?;
    let next = |watch: &mut hostinfo_control::Watch| -> Result<Event> {
        wait_for("an event", PATIENCE, || {
            let event = watch.next().context("the watch is over")??;
            Ok((event.asked != "ping begun").then_some(event))
        })
    };
    let denied = next(&mut all)?;
    assert_eq!((&*denied.guest, &*denied.asked, denied.code), ("qemu-db2", "get loadavg.5", 403));
    assert_eq!(denied.reply, "403 loadavg.5: not permitted\n");
    assert_eq!((denied.bytes, denied.left_out), (29, 0));
    let answered = next(&mut first)?;
    assert_eq!((&*answered.guest, answered.code), ("qemu-db1", 200));
    assert!(answered.reply.starts_with("200 physcpus=") && answered.seconds < 1.0);
    Ok(())
}

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
