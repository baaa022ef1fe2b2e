//! What `hostinfoctl --json` prints is what docs/json.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use hostinfo_tests::ctl::{self, alone};
use hostinfo_tests::deadline::{PATIENCE, wait_for};
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::process::Process;
use hostinfo_tests::upgrading::upgrade_by_tool;
use hostinfo_tests::{FakeGuest, Host, paths};
use serde_json::Value;

const INCIDENTS: &str = r#"{"version":1,"guest":"qemu-web","incidents":[{"what":"cpu","state":"contended",
    "from":"2026-11-28T10:02:31Z","to":"2026-11-28T10:05:31Z","part":34,"whole":100}]}"#;

const VHOSTMD: &str = "<vhostmd><globals><transport>vbd</transport></globals><metrics>\
    <metric type='string' context='vm'><name>Rack</name><action>cat /srv/rack</action></metric>\
    </metrics></vhostmd>";

/// The fields of each command: path, and type with `?` if it can be missing or null.
type Schemas = BTreeMap<String, BTreeMap<String, String>>;

fn schemas() -> Result<Schemas> {
    let text = fs::read_to_string(paths::workspace().join("docs/json.md"))?;
    let mut schemas = Schemas::new();
    let mut commands: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            commands = heading.split(", ").map(str::to_owned).collect();
        }
        let Some(row) = line.strip_prefix("| `") else { continue };
        let (path, rest) = row.split_once("` | ").context("no path")?;
        let (kind, _) = rest.split_once(" | ").context("no type")?;
        for command in &commands {
            let fields = schemas.entry(command.clone()).or_default();
            fields.insert(path.to_owned(), kind.to_owned());
        }
    }
    Ok(schemas)
}

/// Those that `--help` lists.
fn commands() -> Result<Vec<String>> {
    let help = ctl::output(Command::new(ctl::program()?).arg("--help"))?.succeeds()?;
    let (_, after) = help.split_once("\nCommands:\n").context("no commands")?;
    let lines = after.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.get(2..3).is_some_and(|first| first != " "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|name| *name != "help").map(str::to_owned).collect())
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind.trim_end_matches('?') {
        "string" => value.is_string(),
        "int" => value.is_u64(),
        "number" => value.is_number(),
        "bool" => value.is_boolean(),
        "object" => value.is_object(),
        "list" => value.is_array(),
        // 2026-11-22T21:30:00Z
        "time" => value.as_str().is_some_and(|time| {
            time.len() >= 20 && time.ends_with('Z') && time.as_bytes().get(10) == Some(&b'T')
        }),
        _ => false,
    }
}

/// Compares a value with the fields, and notes which were there.
fn compare(
    fields: &BTreeMap<String, String>,
    path: &str,
    value: &Value,
    seen: &mut BTreeSet<String>,
) -> Result<()> {
    seen.insert(path.to_owned());
    let below = |path: &str| {
        let begins = |field: &String| {
            field.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[', '{']))
        };
        fields.keys().any(begins)
    };
    if let Some(kind) = fields.get(path) {
        ensure!(
            is_of(kind, value) || value.is_null() && kind.ends_with('?'),
            "{path}: no {kind}: {value}"
        );
        if !below(path) {
            return Ok(());
        }
    } else if !path.is_empty() {
        ensure!(below(path), "{path} is not described: {value}");
    }
    match value {
        Value::Array(all) => {
            for one in all {
                compare(fields, &format!("{path}[]"), one, seen)?;
            }
        }
        Value::Object(all) => {
            for (name, one) in all {
                let named = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let any = format!("{path}{{}}");
                let path = if fields.contains_key(&any) { any } else { named };
                ensure!(*name == name.to_lowercase() || path.ends_with('}'), "{path}");
                compare(fields, &path, one, seen)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn check(schemas: &Schemas, command: &str, text: &str) -> Result<()> {
    let mut value: Value =
        serde_json::from_str(text).with_context(|| format!("{command}: {text}"))?;
    let version = value.as_object_mut().and_then(|all| all.remove("format_version"));
    ensure!(version == Some(1.into()), "{command}: {text}");
    let fields = schemas.get(command).with_context(|| format!("{command} is not described"))?;
    let mut seen = BTreeSet::new();
    compare(fields, "", &value, &mut seen).with_context(|| format!("{command}: {text}"))?;
    for (field, kind) in fields {
        ensure!(
            kind.ends_with('?') || seen.contains(field),
            "{command}: {field} is missing: {text}"
        );
    }
    Ok(())
}

#[test]
fn every_command_prints_the_fields_that_are_described_and_no_others() -> Result<()> {
    let schemas = schemas()?;
    let host = Host::new("qemu-web:\n  interval = 0\n\n*:\n  interval = 30\n")?;
    let file = host.path().join("new.conf");
    let name = path(&file)?;
    fs::write(&file, "*:\n  interval = 5\n  physcpus = 0\n\nqemu-*:\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("web"))?;
    guest.ask_one("loadavg.1")?;
    let incidents = host.state().join("incidents");
    fs::create_dir_all(&incidents)?;
    fs::write(incidents.join("of-a-test"), INCIDENTS)?;
    let vhostmd = host.path().join("vhostmd.conf");
    fs::write(&vhostmd, VHOSTMD)?;
    let state = host.state();
    let mut tried = BTreeSet::new();
    for (command, args) in [
        ("incidents", &["incidents", "--state-dir", path(&state)?][..]),
        ("import-vhostmd", &["import-vhostmd", path(&vhostmd)?]),
        ("list", &["list"]),
        ("enable", &["enable", "--dry-run", "test", "none"]),
        ("disable", &["disable", "--dry-run", "test"]),
        ("tag", &["tag", "test"]),
        ("snippet", &["snippet", "new"]),
        ("check", &["check", name]),
        ("diff", &["diff", name]),
        ("doctor", &["doctor"]),
        ("status", &["status"]),
        ("stats", &["stats"]),
        ("explain", &["explain", "web"]),
        ("preview", &["preview", "web", "loadavg"]),
        ("notice set", &["notice", "set", "qemu-*", "x", "--until", "+2h"]),
        ("notice list", &["notice", "list"]),
        ("notice clear", &["notice", "clear", "1"]),
        ("host-state set", &["host-state", "set", "draining", "a fan"]),
        ("host-state", &["host-state"]),
        ("upgrade", &["upgrade"]),
    ] {
        let ended = match args {
            ["upgrade"] => upgrade_by_tool(&host, &["--json"])?,
            _ => alone(&host, &[args, &["--json"]].concat())?,
        };
        check(&schemas, command, &ended.stdout)?;
        tried.insert(command.to_owned());
    }
    tried.insert("watch".to_owned());
    ensure!(tried.iter().eq(schemas.keys()), "not tried, or not described: {tried:?}");
    for command in commands()? {
        let has = |tried: &String| tried.split(' ').next() == Some(&*command);
        ensure!(tried.iter().any(has), "{command} is not described");
    }
    let mut command = ctl::command(&host, &["watch", "--json"])?;
    let watching = Process::start(command.stdout(Stdio::piped()), host.path().join("watch"))?;
    let line = wait_for("a line", PATIENCE, || {
        guest.ask_one("loadavg.1")?;
        Ok(watching.log().split_once('\n').map(|(line, _)| line.to_owned()))
    })?;
    check(&schemas, "watch", &line)
}

#[test]
fn a_field_that_is_not_described_is_noticed() -> Result<()> {
    let schemas = schemas()?;
    let wrong = r#"{"format_version": 1, "guest": "a", "line": "b", "reply": "c", "more": 1}"#;
    let Err(error) = check(&schemas, "preview", wrong) else { bail!("it is taken") };
    ensure!(format!("{error:#}").contains("more is not described"), "{error:#}");
    ensure!(check(&schemas, "preview", r#"{"format_version": 1, "guest": "a"}"#).is_err());
    ensure!(check(&schemas, "preview", &wrong.replace("\"c\"", "7")).is_err(), "a wrong type");
    Ok(())
}
