//! What the administrator says of the host, and who may say it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use anyhow::{Result, ensure};
use hostinfo_tests::ctl::{self, alone, json};
use hostinfo_tests::{FakeQemu, Host};

const RULES: &str = "*:\n  interval = 0\n";

#[test]
fn a_guest_reads_the_word_alone_and_a_daemon_that_is_killed_forgets_nothing() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let qemu = FakeQemu::listen(&host.socket("a"))?;
    let mut guest = qemu.accept()?;
    ensure!(alone(&host, &["host-state"])?.succeeds()? == "normal\n");
    ensure!(guest.ask("host.state")? == ["200 host.state=normal"]);

    let said = alone(&host, &["host-state", "set", "draining", "a fan has failed"])?.succeeds()?;
    ensure!(
        said.starts_with("draining, since ") && said.ends_with(": a fan has failed\n"),
        "{said}"
    );
    ensure!(guest.ask("host.state")? == ["200 host.state=draining"]);
    daemon.wait_for_log("host-state-set")?;
    let log = daemon.log();
    let uid = format!("uid={}", rustix::process::geteuid().as_raw());
    for field in ["state=\"draining\"", "remark=\"a fan has failed\"", &uid] {
        ensure!(
            log.lines().any(|line| line.contains("host-state-set") && line.contains(field)),
            "{log}"
        );
    }

    daemon.kill()?;
    let _daemon = host.start_daemon()?;
    let mut guest = qemu.accept()?;
    ensure!(guest.ask("host.state")? == ["200 host.state=draining"]);
    let shown = json(&host, &["host-state"])?;
    ensure!(shown["state"] == "draining" && shown["text"] == "a fan has failed", "{shown}");
    ensure!(shown["since"].is_string(), "{shown}");

    alone(&host, &["host-state", "set", "normal"])?.succeeds()?;
    ensure!(guest.ask("host.state")? == ["200 host.state=normal"]);
    let shown = json(&host, &["host-state"])?;
    ensure!(shown["text"].is_null(), "{shown}");
    Ok(())
}

#[test]
fn an_invalid_host_state_is_refused_and_changes_nothing() -> Result<()> {
    let host = Host::new(RULES)?;
    let said = alone(&host, &["host-state"])?.fails_with(5)?;
    ensure!(said.contains("start it"), "{said}");
    let _daemon = host.start_daemon()?;
    let said = alone(&host, &["host-state", "set", "down"])?.fails_with(2)?;
    ensure!(said.contains("normal, draining, degraded"), "{said}");
    for text in ["two\nlines", "", &"x".repeat(401)] {
        let said = alone(&host, &["host-state", "set", "degraded", text])?.fails_with(1)?;
        ensure!(said.contains("the text has "), "{said}");
    }
    ensure!(alone(&host, &["host-state"])?.succeeds()? == "normal\n");
    Ok(())
}

#[test]
fn a_member_of_the_group_sees_it_and_root_alone_sets_it() -> Result<()> {
    let host = Host::new(RULES)?;
    fs::set_permissions(host.path(), Permissions::from_mode(0o711))?;
    host.write_config("[control]\ngroup = '54321'\n")?;
    let _daemon = host.start_daemon()?;
    let run = |args: &[&str]| -> Result<(Option<i32>, String)> {
        // Another user may not look into the folder of this one's programs.
        let program = host.path().join("hostinfoctl");
        fs::copy(ctl::program()?, &program)?;
        let output = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "54321", "--clear-groups"])
            .arg(program)
            .arg("--control")
            .arg(host.control())
            .args(args)
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    };
    ensure!(
        run(&["host-state"])? == (Some(0), "normal\n".to_owned()),
        "{:?}",
        run(&["host-state"])?
    );
    let (status, said) = run(&["host-state", "set", "degraded"])?;
    ensure!(status == Some(6) && said.contains("only root"), "{status:?} {said}");
    ensure!(alone(&host, &["host-state"])?.succeeds()? == "normal\n");
    Ok(())
}

#[test]
fn a_damaged_file_is_set_aside_and_guests_are_served() -> Result<()> {
    let host = Host::new(RULES)?;
    let file = host.state().join("host-state.json");
    fs::write(&file, "{\"state\": \"dra")?;
    let daemon = host.start_daemon()?;
    daemon.wait_for_log("host-state.json.damaged")?;
    let mut guest = FakeQemu::listen(&host.socket("a"))?.accept()?;
    ensure!(guest.ask("host.state")? == ["200 host.state=normal"]);
    ensure!(!file.exists());
    Ok(())
}
