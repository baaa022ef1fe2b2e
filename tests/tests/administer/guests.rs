//! Commands about guests: list, explain, preview and watch.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::{self, alone, json};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::process::Process;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};
use serde_json::Value;

use crate::RULES;

#[test]
fn a_guest_is_listed_with_what_it_asked_and_explained_and_previewed() -> Result<()> {
    let host = Host::new(RULES)?;
    // Whatever libvirt this machine has.
    host.write_config("[libvirt]\nenabled = false\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("web"))?;
    let reply = guest.ask("memory.total loadavg.1 physcpus")?;
    guest.ask_one("host.name")?;

    let list = json(&host, &["list", "web"])?;
    let list_of_web = list.clone();
    let web = &list["guests"][0];
    ensure!(
        web["guest"] == "qemu-web" && web["name"] == "web" && list["format_version"] == 1,
        "{list}"
    );
    ensure!(web["state"] == "connected" && web["rule"]["line"] == 1, "{list}");
    let queries = &web["queries"];
    ensure!(queries["answered"] == 1 && queries["refused"] == 1, "{list}");
    ensure!(queries["last"]["asked"] == "host.name", "{list}");
    let list = alone(&host, &["list"])?.succeeds()?;
    ensure!(list.contains("connected") && list.trim_end().ends_with("s ago"), "{list}");
    let list = alone(&host, &["list", "--wide"])?.succeeds()?;
    ensure!(list.contains("s ago: host.name (403)"), "{list}");
    for (filter, is_there) in [("connected", true), ("error", false)] {
        let list = alone(&host, &["list", "--state", filter])?.succeeds()?;
        ensure!(list.contains("qemu-web") == is_there, "{filter}: {list}");
    }

    let without = ["-c", "nonsense:///"];
    let list = alone(&host, &[&["list", "w*"][..], &without].concat())?;
    ensure!(list.stderr.contains("note: what libvirt knows is left out"), "{list:?}");
    ensure!(list.succeeds()?.contains("connected"));
    alone(&host, &[&["list", "nobody"][..], &without].concat())?.fails_with(3)?;
    let whole = json(&host, &["list", "qemu-web"])?;
    // The daemon computes that time anew for each list, so it may differ by a millisecond.
    let without_time = |list: &Value| {
        let mut guest = list["guests"][0].clone();
        guest["queries"]["last"]["at"] = Value::Null;
        guest
    };
    ensure!(without_time(&whole) == without_time(&list_of_web), "{whole}");

    let why = alone(&host, &["explain", "web", "physcpus", "memory"])?.succeeds()?;
    ensure!(why.contains("rule qemu-web at") && why.contains("may ask once in 0 s"), "{why}");
    let line = |name: &str| why.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    ensure!(line("physcpus").contains(" no ") && line("physcpus").ends_with("hostinfo.conf:3"));
    ensure!(line("memory.total").ends_with("built-in default"), "{why}");
    alone(&host, &["explain", "web", "physcups"])?.fails_with(1)?;
    alone(&host, &["explain", "nobody"])?.fails_with(3)?;

    let preview = alone(&host, &["preview", "web", "memory.total", "physcpus"])?.succeeds()?;
    let total = reply.iter().find(|line| line.contains("memory.total=")).context("no total")?;
    ensure!(preview.contains(total) && preview.contains("403 physcpus"), "{preview}");
    Ok(())
}

#[test]
fn a_guest_that_libvirt_has_and_that_has_no_socket_yet_is_explained_previewed_and_watched()
-> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    // libvirt's own stand-in has it.
    for name in ["test", "test-test"] {
        let why = alone(&host, &["explain", name, "physcpus"])?.succeeds()?;
        ensure!(why.starts_with("test-test: ") && why.contains("hostinfo.conf:5"), "{why}");
        let preview = json(&host, &["preview", name, "physcpus"])?;
        ensure!(preview["guest"] == "test-test", "{preview}");
        let reply = preview["reply"].as_str().context("no reply")?;
        ensure!(reply.starts_with("200 physcpus="), "{preview}");
    }
    let mut command = ctl::command(&host, &["watch", "test"])?;
    let mut watching = Process::start(command.stdout(Stdio::piped()), host.path().join("watch"))?;
    let mut guest = FakeGuest::join(&host.sockets().join("test-test"))?;
    wait_until("the line", PATIENCE, || {
        ensure!(watching.ended()?.is_none(), "{}", watching.log());
        guest.ask_one("physcpus")?;
        Ok(watching.log().contains("test-test  physcpus -> "))
    })?;
    alone(&host, &["preview", "nobody"])?.fails_with(3)?;
    Ok(())
}

#[test]
fn a_request_longer_than_the_daemon_takes_is_a_wrong_command_line() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let _web = FakeQemu::listen(&host.socket("web"))?;
    let names = vec!["memory.total"; 2500];
    let long = "x".repeat(30_000);
    for command in [
        &[&["explain", "web"], &names[..]].concat()[..],
        &[&["preview", "web"], &names[..]].concat(),
        &["notice", "set", "*", &long],
    ] {
        let said = alone(&host, command)?.fails_with(2)?;
        ensure!(said.contains("ask for less at once"), "{said}");
    }
    Ok(())
}

#[test]
fn watch_shows_a_guests_line_with_its_answer() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("web"))?;
    let mut command = ctl::command(&host, &["watch"])?;
    let watching = Process::start(command.stdout(Stdio::piped()), host.path().join("watch"))?;
    let seen = wait_for("the line", PATIENCE, || {
        guest.ask_one("physcpus")?;
        Ok(Some(watching.log()).filter(|log| log.contains("physcpus")))
    })?;
    ensure!(seen.contains("  qemu-web  physcpus -> 403 physcpus: not permitted  ("), "{seen}");
    Ok(())
}

#[test]
fn a_name_that_is_nearly_one_is_answered_with_the_one_that_is_meant() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("web"))?;
    let said = alone(&host, &["notice", "set", "web", "down at ten"])?.succeeds()?;
    ensure!(said.contains("is set, for 1 guest"), "{said}");
    ensure!(guest.ask_one("notice.1")?.ends_with("down at ten"));
    for (args, words) in [
        (&["notice", "set", "weeb", "x"][..], "there is no guest \"weeb\": do you mean \"web\"?"),
        (&["explain", "weeb"], "do you mean \"web\"?"),
        (&["preview", "tset", "physcpus"], "do you mean \"test\"?"),
        (&["list", "tset"], "do you mean \"test\"?"),
    ] {
        let said = alone(&host, args)?.fails_with(3)?;
        ensure!(said.contains(words), "{args:?}: {said}");
    }
    let said = alone(&host, &["notice", "set", "w*", "x"])?.fails_with(2)?;
    ensure!(said.contains("did you mean \"qemu-w*\"?"), "{said}");
    let said = alone(&host, &["explain", "web", "physcups"])?.fails_with(1)?;
    ensure!(said.trim_end().ends_with("do you mean physcpus?"), "{said}");
    let said = alone(&host, &["preview", "web", "physcups"])?;
    ensure!(said.stderr.contains("do you mean physcpus?"), "{said:?}");
    let said = alone(&host, &["explain", "qemu-wbe", "physcpus"])?;
    ensure!(said.stderr.contains("yet: do you mean \"qemu-web\"?") && said.status == 0, "{said:?}");
    Ok(())
}
