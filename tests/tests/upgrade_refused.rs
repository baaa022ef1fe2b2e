//! Upgrades that are refused before a new program is looked at, and a daemon that knows none.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use hostinfo_control::Status;
use hostinfo_peer::examples::Slow;
use hostinfo_tests::ctl::{self, alone};
use hostinfo_tests::deadline::{PATIENCE, accept, wait_until};
use hostinfo_tests::process::write_script;
use hostinfo_tests::upgrading::upgrade_by_tool;
use hostinfo_tests::{FakeGuest, Host};
use rustix::net::SendFlags;
use serde_json::json;

const RULES: &str = "*:\n  interval = 0\n  all = 1\n";

#[test]
fn rules_and_settings_that_another_program_would_not_go_on_under_are_mended_first() -> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let session = guest.ask("session")?;
    host.write_config("[control]\ngroup = 'root'\n")?;
    let said = alone(&host, &["upgrade"])?.fails_with(1)?;
    ensure!(said.contains("[control]") && said.contains("restart"), "{said}");
    host.write_config("nonsense\n")?;
    let said = alone(&host, &["upgrade"])?.fails_with(1)?;
    ensure!(said.contains("the settings have to be mended first"), "{said}");
    host.write_config("")?;
    host.write_rules("nonsense\n")?;
    daemon.wait_for_log("the previous rules stay in force")?;
    let said = alone(&host, &["upgrade"])?.fails_with(1)?;
    ensure!(said.contains("the rules file has to be mended first"), "{said}");
    host.write_rules(RULES)?;
    wait_until("the rules to be mended", PATIENCE, || Ok(alone(&host, &["upgrade"])?.status == 0))?;
    ensure!(guest.ask("session")? == session);
    Ok(())
}

#[test]
fn a_client_that_watches_and_sends_descriptors_which_take_long_to_close_keeps_nobody_waiting()
-> Result<()> {
    let host = Host::new(RULES)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let mut watcher = UnixStream::connect(host.control())?;
    watcher.write_all(b"{\"method\":\"org.hostinfo.Control.Watch\",\"more\":true}\0")?;
    wait_until("an event", PATIENCE, || {
        watcher.set_nonblocking(true)?;
        guest.ask("ping")?;
        Ok(watcher.read(&mut [0; 64]).is_ok())
    })?;
    // From Linux 6.16 on, none can be sent.
    let sent = Slow::new()?.send(&watcher, SendFlags::empty());
    let begun = Instant::now();
    let upgraded = upgrade_by_tool(&host, &[])?;
    ensure!(guest.ask("ping")? == ["200 pong"] && begun.elapsed() < PATIENCE);
    match sent {
        Err(_) => drop(upgraded.succeeds()?),
        Ok(far_end) => {
            let said = upgraded.fails_with(1)?;
            ensure!(said.contains("descriptors that take long to close"), "{said}");
            daemon.wait_for_log("has sent descriptors")?;
            drop(far_end);
            wait_until("an upgrade", PATIENCE, || Ok(alone(&host, &["upgrade"])?.status == 0))?;
        }
    }
    Ok(())
}

/// Answers like a daemon that cannot go on as another program, until the end.
fn serve_as_an_old_daemon(socket: &UnixListener, is_over: &AtomicBool) -> Result<()> {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/answer/status");
    let mut status: Status = serde_json::from_slice(&fs::read(seed)?)?;
    status.version = "0.0.9".to_owned();
    status.pid = 7;
    let no_method = json!({
        "error": "org.varlink.service.MethodNotFound",
        "parameters": { "method": "org.hostinfo.Control.Upgrade" },
    });
    loop {
        let mut client = accept(socket)?;
        if is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut call = Vec::new();
        while BufReader::new(&client).read_until(0, &mut call)? > 0 {
            let is_upgrade = String::from_utf8_lossy(&call).contains("Upgrade");
            let reply =
                if is_upgrade { no_method.clone() } else { json!({ "parameters": status }) };
            client.write_all(format!("{reply}\0").as_bytes())?;
            call.clear();
        }
    }
}

#[test]
fn a_daemon_that_is_too_old_to_be_asked_is_restarted_if_it_is_the_service() -> Result<()> {
    let host = Host::new(RULES)?;
    let socket = UnixListener::bind(host.control())?;
    let is_over = AtomicBool::new(false);
    let systemctl = host.path().join("systemctl");
    let said = std::thread::scope(|scope| {
        let old = scope.spawn(|| serve_as_an_old_daemon(&socket, &is_over));
        let said = ["8", "7"].map(|pid| {
            let script =
                format!("#!/bin/sh\necho \"$@\" >>{}.said\necho {pid}\n", systemctl.display());
            write_script(&systemctl, script)?;
            ctl::alone_with_programs(&host, host.path(), &["upgrade"])
        });
        is_over.store(true, Ordering::Relaxed);
        let _ = UnixStream::connect(host.control())?;
        old.join().map_err(|_| anyhow::anyhow!("the old daemon"))??;
        anyhow::Ok(said)
    })?;
    let [other, own] = said;
    ensure!(other?.fails_with(1)?.contains("process 7 is not the service hostinfo.service"));
    let own = own?.succeeds()?;
    ensure!(own.starts_with("restarted: hostinfod 0.0.9 could not go on"), "{own}");
    let commands = fs::read_to_string(host.path().join("systemctl.said"))?;
    ensure!(commands.matches("restart hostinfo.service").count() == 1, "{commands}");
    Ok(())
}
