//! What hostinfoctl tells the shells' completions, from a real daemon and from libvirt.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use hostinfo_control::limits::DEADLINE;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::{FakeGuest, Host, ctl};
use rustix::process::{Pid, Signal, kill_process};

/// The names for the word at the cursor behind these words. `test` is the guest of libvirt's own test driver.
fn names(host: &Host, word: &str, before: &[&str]) -> Result<Vec<String>> {
    let control = host.control();
    let control = control.to_str().context("no text")?;
    let output = Command::new(ctl::program()?)
        .args(["--complete", word, "-c", "test:///default", "--control", control])
        .args(before)
        .output()?;
    ensure!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

#[test]
fn guests_that_the_daemon_or_libvirt_know_are_completed_and_statistics_and_notices() -> Result<()> {
    let host = Host::new("*:\n")?;
    host.write_config("[libvirt]\nenabled = false\n")?;
    // A busy machine may not hear of libvirt's guests in the time that a shell waits.
    let completes = |word: &str, before: &[&str], wanted: &[&str]| {
        wait_until(word, PATIENCE, || Ok(names(&host, word, before)? == wanted))
    };
    completes("", &["enable"], &["test"]).context("without a daemon")?;
    let daemon = host.start_daemon()?;
    let _guest = FakeGuest::join(&host.socket("web"))?;
    completes("", &["disable", "test"], &["test", "web"])?;
    completes("qemu-", &["watch"], &["qemu-web", "test", "web"])?;
    let statistics = names(&host, "mem", &["explain", "web"])?;
    ensure!(statistics.contains(&"memory.total".to_owned()), "{statistics:?}");
    ensure!(names(&host, "", &["status"])?.is_empty());
    ctl::alone(&host, &["notice", "set", "web", "hello"])?.succeeds()?;
    ensure!(names(&host, "", &["notice", "clear"])? == ["1"]);

    // Neither a daemon that hangs nor a wrong line holds anybody up.
    let pid = Pid::from_raw(daemon.pid().cast_signed()).context("no such process")?;
    kill_process(pid, Signal::STOP)?;
    let start = Instant::now();
    ensure!(names(&host, "", &["enable"])? == ["test"], "a daemon that hangs");
    ensure!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
    kill_process(pid, Signal::CONT)?;
    ensure!(names(&host, "", &["enable", "--help"])?.is_empty());
    Ok(())
}
