//! Commands about the rules file: check and diff.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::{self, alone, json};
use hostinfo_tests::{FakeQemu, Host, paths};
use serde_json::Value;

use crate::RULES;

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
