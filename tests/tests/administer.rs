//! hostinfoctl with a real daemon, and without one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::{self, alone};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::process::Process;
use hostinfo_tests::{FakeGuest, FakeQemu, Host, paths};
use serde_json::{Value, json};

const RULES: &str = "qemu-web:\n  interval = 0\n  physcpus = 0\n\n*:\n  interval = 30\n";

fn json(host: &Host, args: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&alone(host, &[args, &["--json"]].concat())?.succeeds()?)?)
}

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
fn without_libvirt_diff_covers_only_guests_with_a_socket_and_says_so() -> Result<()> {
    let host = Host::new(RULES)?;
    let file = host.path().join("new.conf");
    let name = file.to_str().context("no text")?;
    fs::write(&file, RULES.replace("30", "60"))?;
    let said = alone(&host, &["diff", name, "-c", "nonsense:///"])?;
    ensure!(
        said.stdout.is_empty() && said.stderr.contains("guests without a socket are left out"),
        "{said:?}"
    );
    said.fails_with(4)?;
    let _web = FakeQemu::listen(&host.socket("db"))?;
    let said = alone(&host, &["diff", name, "-c", "nonsense:///"])?;
    ensure!(said.stdout.contains("qemu-db: ") && said.status == 4, "{said:?}");
    let said = alone(&host, &["diff", name, "qemu-db", "-c", "nonsense:///"])?.succeeds()?;
    ensure!(said.starts_with("qemu-db: "), "{said}");
    Ok(())
}

#[test]
fn a_rules_file_that_cannot_be_read_is_named_with_the_remedy() -> Result<()> {
    let host = Host::new(RULES)?;
    for open in [host.path(), &host.etc()] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755))?;
    }
    fs::set_permissions(host.rules(), fs::Permissions::from_mode(0o600))?;
    // Nobody can get to where this was built.
    let program = host.path().join("hostinfoctl");
    fs::copy(paths::program("hostinfoctl")?, &program)?;
    let rules = host.rules();
    let rules = rules.to_str().context("no text")?;
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
    for command in [&["check"][..], &["diff", rules], &["list"]] {
        let said = Command::new("setpriv")
            .args(nobody)
            .arg(&program)
            .args(["--rules", rules])
            .args(command)
            .output()?;
        let words = String::from_utf8_lossy(&said.stderr);
        let remedy = format!("{rules}: Permission denied: be root");
        ensure!(words.contains(&remedy), "{command:?}: {words}");
        // What `list` wants besides fails as well.
        ensure!(said.status.code() == Some(6) || command == ["list"], "{command:?}: {said:?}");
    }
    fs::remove_file(host.rules())?;
    ensure!(Command::new("mkfifo").arg(rules).status()?.success());
    ensure!(alone(&host, &["check"])?.fails_with(1)?.contains("is a pipe, not a regular file"));
    Ok(())
}

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
fn watch_shows_each_line_with_its_answer() -> Result<()> {
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
fn a_name_that_is_nearly_one_is_refused_with_the_one_that_is_meant() -> Result<()> {
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

#[test]
fn incidents_that_were_recorded_are_shown_without_a_daemon_too() -> Result<()> {
    let host = Host::new(RULES)?;
    let state = host.state();
    let state = ["--state-dir", state.to_str().context("no text")?];
    let show = |args: &[&str]| alone(&host, &[&["incidents"], &state[..], args].concat());
    ensure!(show(&[])?.succeeds()?.starts_with("No incidents were recorded."));
    fs::create_dir_all(host.state().join("incidents"))?;
    let file = r#"{"version":1,"guest":"qemu-web","incidents":[{"what":"cpu","state":"contended",
        "from":"2026-11-28T10:02:31Z","to":"2026-11-28T10:05:31Z","part":34,"whole":100}]}"#;
    fs::write(host.state().join("incidents/x"), file)?;
    let said = show(&["web"])?.succeeds()?;
    ensure!(said.contains("qemu-web  cpu       contended  2026-11-28"), "{said}");
    ensure!(show(&["db"])?.succeeds()?.starts_with("No incidents"));
    show(&["--since", "yesterday"])?.fails_with(2)?;
    Ok(())
}

#[test]
fn check_shows_every_error_as_the_daemon_does_and_its_status_is_for_ci() -> Result<()> {
    let host = Host::new(RULES)?;
    ensure!(alone(&host, &["check"])?.succeeds()?.ends_with("hostinfo.conf: 2 rules\n"));
    let file = host.path().join("new.conf");
    let name = file.to_str().context("no text")?;
    fs::write(&file, "*:\n  physcups = 1\n  interval = soon\n")?;
    let said = alone(&host, &["check", name])?;
    ensure!(said.status == 1, "{said:?}");
    let first =
        format!("{name}:2:3: error: unknown key `physcups`\n    physcups = 1\n    ^ expected");
    ensure!(said.stdout.starts_with(&first) && said.stdout.ends_with(": 2 errors\n"), "{said:?}");
    let said = alone(&host, &["check", name, "--json"])?;
    let said: Value = serde_json::from_str(&said.stdout)?;
    ensure!(said["errors"][1]["line"] == 3 && said["rules"].is_null(), "{said}");

    fs::write(&file, "*:\n\nqemu-*:\n")?;
    let said = alone(&host, &["check", name])?.succeeds()?;
    ensure!(said.contains(":3:1: warning:") && said.ends_with("2 rules, 1 warning\n"), "{said}");
    ensure!(alone(&host, &["check", "--strict", name])?.status == 1);
    alone(&host, &["check", "/nonexistent/hostinfo.conf"])?.fails_with(1)?;
    // What a template makes is checked before it is a file.
    let input = fs::File::open(&file)?;
    let said = ctl::output(ctl::command(&host, &["check", "-", "--strict"])?.stdin(input))?;
    ensure!(said.stdout.starts_with("(standard input):3:1: warning:"), "{said:?}");
    ensure!(said.status == 1, "{said:?}");
    fs::remove_file(host.rules())?;
    ensure!(alone(&host, &["check"])?.succeeds()?.contains("the built-in default"));
    Ok(())
}

#[test]
fn diff_compares_a_new_file_with_what_is_in_force() -> Result<()> {
    let host = Host::new(RULES)?;
    let file = host.path().join("new.conf");
    let name = file.to_str().context("no text")?;
    fs::write(&file, "# New.\nqemu-web:\n  interval = 0\n\n*:\n  interval = 30\n")?;
    let _web = FakeQemu::listen(&host.socket("web"))?;
    let expected = "qemu-web: qemu-web (line 1) -> qemu-web (line 2)\n  may see: physcpus\n";
    ensure!(alone(&host, &["diff", name])?.succeeds()? == expected, "what the file says");

    let _daemon = host.start_daemon()?;
    host.write_rules("*:\n  physcups = 1\n")?;
    ensure!(alone(&host, &["diff", name])?.succeeds()? == expected, "what is in force");
    let list = alone(&host, &["list", "test"])?.succeeds()?;
    ensure!(list.contains("line 5"), "it has no socket, and the same rules: {list}");
    let diff = json(&host, &["diff", name, "web"])?;
    alone(&host, &["diff", "--exit-code", name])?.fails_with(1)?;
    alone(&host, &["diff", "--exit-code", name, "test"])?.succeeds()?;
    let web = &diff["guests"][0];
    ensure!(web["opened"][0] == "physcpus" && web["closed"] == Value::Array(vec![]), "{diff}");
    ensure!(alone(&host, &["diff", name, "test"])?.succeeds()?.starts_with("Nothing would change"));
    let broken = host.rules();
    let said = alone(&host, &["diff", broken.to_str().context("no text")?])?.fails_with(1)?;
    ensure!(said.contains("1 error: see hostinfoctl check"), "{said}");
    Ok(())
}

/// Answers the calls of that many clients like a daemon that somebody has taken over.
fn serve_escapes(socket: &UnixListener, clients: usize) -> Result<()> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/answer/list");
    let guests: Value = serde_json::from_slice(&fs::read(guests)?)?;
    let escape = "\u{1b}[2J\r\u{202e}";
    let figure = json!({
        "name": format!("a{escape}"), "labels": {(escape): escape}, "value": 1.5,
        "unit": escape, "help": format!("b{escape}"),
    });
    for _ in 0..clients {
        let (mut client, _) = socket.accept()?;
        let mut calls = BufReader::new(client.try_clone()?);
        let mut call = Vec::new();
        while calls.read_until(0, &mut call)? > 0 {
            let text = String::from_utf8_lossy(&call).into_owned();
            let reply = match text {
                text if text.contains("Control.List") => guests.clone(),
                text if text.contains("Control.Preview") => {
                    json!({ "reply": format!("200-a={escape}\n200 b={escape}\n") })
                }
                text if text.contains("Control.Stats") => {
                    json!({ "since": "2026-11-28T10:14:54Z", "figures": [figure] })
                }
                _ => json!({ "text": format!("# HELP a {escape}\na 1\n# EOF\n") }),
            };
            client.write_all(format!("{}\0", json!({ "parameters": reply })).as_bytes())?;
            call.clear();
        }
    }
    Ok(())
}

#[test]
fn a_daemons_answers_do_nothing_to_a_terminal() -> Result<()> {
    let host = Host::new(RULES)?;
    let socket = UnixListener::bind(host.control())?;
    let commands: [(&[&str], usize); 4] = [
        (&["preview", "a"], 2),
        (&["stats"], 3),
        (&["stats", "--format", "prometheus"], 2),
        (&["stats", "--format", "openmetrics"], 3),
    ];
    // It waits for as many clients as there are, so nothing is looked at before all have come.
    let said = std::thread::scope(|scope| {
        let daemon = scope.spawn(|| serve_escapes(&socket, commands.len()));
        let said = commands.map(|(command, _)| alone(&host, command));
        daemon.join().map_err(|_| anyhow::anyhow!("the daemon"))??;
        anyhow::Ok(said)
    })?;
    for ((command, lines), said) in commands.into_iter().zip(said) {
        let said = said?.succeeds()?;
        ensure!(said.contains(r"\u{1b}[2J\u{d}\u{202e}"), "{command:?}: {said:?}");
        ensure!(said.lines().count() == lines, "{command:?}: {said:?}");
        ensure!(!said.contains(['\r', '\u{202e}']), "{command:?}: {said:?}");
    }
    Ok(())
}
