//! Upgrades of a running daemon: another program goes on in its place, and its guests notice nothing.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::json;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::upgrading::{Asking, LATE, RULES, upgrade};
use hostinfo_tests::{FakeGuest, FakeQemu, Guest, Host, Port};

/// The value in a reply of one line.
fn value(line: &str) -> Result<f64> {
    let (_, value) = line.rsplit_once('=').with_context(|| format!("no value: {line}"))?;
    Ok(value.parse()?)
}

/// The seconds that a guest has to wait.
fn wait(guest: &mut FakeGuest) -> Result<f64> {
    let line = guest.ask_one("loadavg.1")?;
    let words = line.strip_prefix("429 retry after ").and_then(|rest| rest.strip_suffix(" s"));
    Ok(words.with_context(|| line.clone())?.parse()?)
}

#[test]
fn a_guest_goes_on_with_half_a_line_its_session_and_its_counters() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let qemu = FakeQemu::listen(&host.socket("a"))?;
    let mut guest = qemu.accept()?;
    let session = guest.ask("session session.start")?;
    guest.ask("cpu.busy")?;
    std::thread::sleep(Duration::from_millis(1200));
    let counters = ["cpu.seconds.user", "pressure.cpu.some.seconds", "net.rx.bytes"];
    let mut before = [0.0; 3];
    for (counter, before) in counters.iter().zip(&mut before) {
        *before = value(&guest.ask_one(counter)?).unwrap_or_default();
    }
    let pid = daemon.pid();
    for signal in [false, true] {
        guest.send("ping ha")?;
        // It has arrived before anything is handed over.
        std::thread::sleep(Duration::from_millis(100));
        match signal {
            false => drop(upgrade(&host)?),
            true => {
                let count = |words: &str| daemon.log().matches(words).count();
                let mut late = count(LATE);
                daemon.upgrade()?;
                wait_until("a second upgrade", PATIENCE, || {
                    if count(LATE) > late {
                        late += 1;
                        daemon.upgrade()?;
                    }
                    Ok(count("goes on in place of") == 2)
                })?;
            }
        }
        guest.send("lf\n")?;
        ensure!(guest.reply()? == ["200 pong half"]);
        ensure!(guest.ask("session session.start")? == session);
        // Its window is that since the samples of before.
        let busy = guest.ask_one("cpu.busy")?;
        ensure!(busy.starts_with("200 cpu.busy="), "{busy}");
        for (counter, before) in counters.iter().zip(&mut before) {
            let now = value(&guest.ask_one(counter)?).unwrap_or_default();
            ensure!(now >= *before, "{counter} fell from {before} to {now}");
            *before = now;
        }
    }
    ensure!(daemon.pid() == pid && qemu.stays_alone(Duration::ZERO)?);
    let shown = json(&host, &["status"])?;
    ensure!(shown["pid"] == pid && shown["connected"] == 1, "{shown}");
    let log = daemon.log();
    ensure!(log.matches("access-granted").count() == 1 && !log.contains("guest-gone"), "{log}");
    Ok(())
}

#[test]
fn an_allowance_is_neither_gained_nor_lost() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("slow"))?;
    ensure!(guest.ask_one("loadavg.1")?.starts_with("200 "));
    let (before, asked) = (wait(&mut guest)?, Instant::now());
    for _ in 0..3 {
        upgrade(&host)?;
        let (left, passed) = (wait(&mut guest)?, asked.elapsed().as_secs_f64());
        // What it was told is rounded up to a millisecond.
        ensure!((before - left - passed).abs() < 0.5, "{before} {left} {passed}");
    }
    Ok(())
}

#[test]
fn a_guest_that_does_not_read_gets_each_byte_once_when_it_does() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let lines = 30;
    // Their replies are more than the socket holds.
    for number in 0..lines {
        guest.send(format!("list\nping {number}\n"))?;
    }
    std::thread::sleep(Duration::from_millis(500));
    upgrade(&host)?;
    upgrade(&host)?;
    let first = guest.reply()?;
    ensure!(first.len() > 100, "{first:?}");
    for number in 0..lines {
        ensure!(guest.reply()? == [format!("200 pong {number}")]);
        if number + 1 < lines {
            ensure!(guest.reply()? == first, "{number}");
        }
    }
    ensure!(guest.ask("ping end")? == ["200 pong end"]);
    Ok(())
}

#[test]
fn a_pseudo_terminal_and_a_guest_whose_vmm_connects_go_on() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let vmms = host.path().join("vmms");
    fs::create_dir_all(vmms.join("web"))?;
    let path = format!("{}/{{name}}/v.sock_4678", vmms.display());
    let user = rustix::process::geteuid().as_raw();
    host.write_config(&format!(
        "[[listen]]\npath = '{path}'\ndriver = 'fc'\nguests = ['fc-*']\nuser = '{user}'\n"
    ))?;
    let (_daemon, _pty) = host.start_daemon_with_pty()?;
    let socket = vmms.join("web/v.sock_4678");
    let mut guest = FakeGuest::connect(&socket)?;
    let session = guest.ask("session")?;
    upgrade(&host)?;
    ensure!(guest.ask("session")? == session);
    let mut another = FakeGuest::connect(&socket)?;
    ensure!(another.ask("session")? == session);
    upgrade(&host)?;
    ensure!(another.ask("ping")? == ["200 pong"] && guest.ask("ping")? == ["200 pong"]);
    let shown = json(&host, &["list"])?;
    ensure!(shown.to_string().contains("\"driver\":\"pty\""), "{shown}");
    Ok(())
}

#[test]
fn a_real_guest_is_watched_on_and_its_own_counters_count_on() -> Result<()> {
    let host = Host::new("*:\n  interval = 0\n  all = 1\n  watch = 1\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let verdict = |guest: &mut Guest| guest.sh("hostinfo verdict.cpu.state");
    wait_until("a verdict", PATIENCE, || Ok(!verdict(&mut guest)?.contains("unknown")))?;
    let ask = "hostinfo session vm.cpu.seconds vm.memory.majorfaults";
    let before = guest.sh(ask)?;
    upgrade(&host)?;
    let after = guest.sh(ask)?;
    let of = |reply: &str, name: &str| {
        let line = reply.lines().find(|line| line.contains(name)).map(str::to_owned);
        line.with_context(|| format!("no {name} in {reply}"))
    };
    ensure!(of(&before, "session=")? == of(&after, "session=")?);
    for counter in ["vm.cpu.seconds=", "vm.memory.majorfaults="] {
        ensure!(value(&of(&after, counter)?)? >= value(&of(&before, counter)?)?, "{before}{after}");
    }
    let now = verdict(&mut guest)?;
    ensure!(!now.contains("unknown"), "{now}");
    let shown = json(&host, &["status"])?;
    ensure!(shown["watched"]["guests"] == 1, "{shown}");
    Ok(())
}

/// The states of a process's children, by their numbers: proc(5).
fn children(pid: u32) -> Result<Vec<(String, String)>> {
    let numbers = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let state = |number: &str| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let (_, rest) = stat.rsplit_once(") ").unwrap_or_default();
        (number.to_owned(), rest.chars().take(1).collect())
    };
    Ok(numbers.split_whitespace().map(state).collect())
}

#[test]
fn libvirts_last_answer_counts_until_a_new_helper_answers_and_the_old_one_is_waited_for()
-> Result<()> {
    let host = Host::new(EVERYTHING)?;
    host.write_config("[libvirt]\nuri = 'test:///default'\n")?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    daemon.wait_for_log("libvirt answers")?;
    ensure!(guest.ask("guests.running")? == ["200 guests.running=1"]);
    let mut helpers = children(daemon.pid())?;
    ensure!(helpers.len() == 1, "{helpers:?}");
    for _ in 0..3 {
        upgrade(&host)?;
        ensure!(guest.ask("guests.running")? == ["200 guests.running=1"]);
        wait_until("another helper", PATIENCE, || {
            let now = children(daemon.pid())?;
            let is_another = now.len() == 1 && now != helpers && now[0].1 != "Z";
            helpers = if is_another { now } else { helpers.clone() };
            Ok(is_another)
        })?;
    }
    let log = daemon.log();
    ensure!(log.matches("libvirt answers").count() == 1 && !log.contains("outage"), "{log}");
    Ok(())
}

#[test]
fn twenty_upgrades_lose_no_query_of_two_hundred_guests_and_answer_none_twice() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let guests = Asking::join(&host, 200)?;
    let asked = guests.ask_during(|| {
        for _ in 0..20 {
            upgrade(&host)?;
        }
        Ok(())
    })?;
    ensure!(asked > 2000, "{asked}");
    let log = daemon.log();
    ensure!(log.matches("goes on in place of").count() == 20, "{log}");
    let name = fs::read_to_string(format!("/proc/{}/comm", daemon.pid()))?;
    ensure!(name == "hostinfod\n", "{name}");
    // Nothing of the programs before is left open.
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid()))?.count();
    ensure!(open < 200 + 40, "{open}");
    Ok(())
}
