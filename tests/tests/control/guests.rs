//! Guests: the list, their decisions, previews, and what they ask.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_catalog::StatId;
use hostinfo_control::{Decision, Error, Event, Guest, GuestState, PortKind, Refusal};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};

use crate::{RULES, listed};

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
    refused(&host, None, "libvirt does not answer, and has to confirm whose process this is")
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
        assert_eq!(reply, format!("503 {name}: only a guest that exists has this value\n"));
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
