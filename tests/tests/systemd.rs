//! The life of the service under a real systemd, as `make install` lays it out.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::install::run;
use hostinfo_tests::{Domain, Machine, paths};

const RULES: &str = "/etc/hostinfo/hostinfo.conf";

#[test]
fn the_service_is_started_stopped_and_enabled_by_its_name() -> Result<()> {
    let machine = Machine::boot()?;
    let told = machine.shell("systemd-analyze verify --man=no hostinfo.service 2>&1")?;
    ensure!(told.is_empty(), "{told}");
    let groups = machine.shell("id -nG hostinfo")?;
    ensure!(groups == "hostinfo\n", "{groups}");

    machine.shell("service hostinfo start")?;
    ensure!(machine.property("ActiveState")? == "active");
    machine.shell("systemctl enable hostinfo 2>&1")?;
    ensure!(machine.shell("systemctl is-enabled hostinfo")? == "enabled\n");
    machine.shell("service hostinfo status")?;
    machine.shell("service hostinfo restart")?;
    machine.shell("service hostinfo reload")?;
    machine.wait_for_journal("settings read again")?;
    machine.shell("service hostinfo stop")?;
    ensure!(machine.property("ActiveState")? == "inactive");
    ensure!(machine.property("Result")? == "success");
    let left = machine.shell("stat -c '%a %U' /var/lib/hostinfo /var/lib/hostinfod")?;
    ensure!(left == "711 hostinfo\n700 hostinfo\n", "{left}");
    Ok(())
}

/// The lines of shell of the `number`th example below the README's "Use it".
fn example(number: usize) -> Result<&'static str> {
    let (_, rest) =
        include_str!("../../README.md").split_once("## Use it").context("no such part")?;
    let example = rest.split("```\n").nth(2 * number + 1);
    example.context("no such example")
}

#[test]
fn who_does_what_the_readme_says_gets_an_answer() -> Result<()> {
    let machine = Machine::boot()?;
    let domain = Domain::define(&machine, "a", "")?;
    let mut lines = example(0)?.lines();
    ensure!(lines.next().is_some_and(|line| line.starts_with("make build && sudo make install")));
    for line in lines {
        machine.shell(&line.replace("sudo ", "").replace("NAME", "a"))?;
    }
    let mut guest = domain.boot(&machine)?;
    let told = guest.run(example(1)?)?;
    ensure!(told.stdout.starts_with("200-loadavg.1="), "{told:?}");
    let told = guest.run("hostinfo --wait get loadavg.1 memory.total")?;
    ensure!(told.status == 0, "{told:?}");
    Ok(())
}

#[test]
fn a_daemon_whose_loop_stands_still_is_started_again() -> Result<()> {
    let machine = Machine::boot()?;
    machine.shell("systemctl start hostinfo")?;
    ensure!(machine.property("WatchdogUSec")? == "30s");
    machine.restart_with("[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n")?;
    // Whoever does its work is left alone: it says that it does.
    std::thread::sleep(Duration::from_secs(4));
    ensure!(machine.property("NRestarts")? == "0", "{}", machine.journal()?);

    let pid = machine.property("MainPID")?;
    machine.shell(&format!("kill -STOP {pid}"))?;
    wait_until("another daemon", PATIENCE, || {
        Ok(machine.property("NRestarts")? == "1" && machine.property("ActiveState")? == "active")
    })?;
    ensure!(machine.property("MainPID")? != pid);
    Ok(())
}

#[test]
fn rules_with_an_error_stop_no_daemon_that_runs_and_let_none_start() -> Result<()> {
    let machine = Machine::boot()?;
    machine.shell("systemctl start hostinfo")?;
    machine.write(RULES, "*:\n  interval = often\n")?;
    machine.wait_for_journal("the rules stay as they were")?;
    machine.shell("systemctl reload hostinfo")?;
    ensure!(machine.property("ActiveState")? == "active");

    ensure!(machine.shell("systemctl restart hostinfo").is_err());
    let journal = machine.journal()?;
    ensure!(journal.contains(&format!("{RULES}:2:14: error:")), "{journal}");
    ensure!(machine.property("ExecMainStatus")? == "78");
    // Nothing would be better the next time.
    std::thread::sleep(Duration::from_secs(2));
    ensure!(machine.property("NRestarts")? == "0");

    machine.write(RULES, "*:\n  interval = 5\n")?;
    machine.shell("systemctl restart hostinfo")?;
    Ok(())
}

#[test]
fn who_takes_it_away_again_leaves_no_service_behind() -> Result<()> {
    let machine = Machine::boot()?;
    machine.shell("systemctl enable --now --quiet hostinfo")?;
    let pid = machine.property("MainPID")?;
    let source = machine.path("/srv/source");
    fs::create_dir(&source)?;
    let parts = "scripts dist docs README.md SECURITY.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT";
    for part in parts.split(' ') {
        run(Command::new("cp").arg("-r").arg(paths::workspace().join(part)).arg(&source))?;
    }
    run(Command::new(paths::program("hostinfo-pages")?).arg(source.join("pages")))?;
    machine.shell(
        "cd /srv/source && PREFIX=/usr/local DESTDIR= BUILT=. GUEST_TOOL=. PAGES=pages \
         scripts/install uninstall",
    )?;
    ensure!(machine.shell("find / -xdev -xtype l -name 'hostinfo*'")?.is_empty());
    ensure!(!machine.path(&format!("/proc/{pid}")).exists());
    ensure!(machine.property("LoadState")? == "not-found");
    ensure!(machine.path("/var/lib/hostinfo").is_dir());
    Ok(())
}

#[test]
fn a_directory_that_the_service_may_not_use_ends_it_for_good_with_the_remedy() -> Result<()> {
    let machine = Machine::boot()?;
    machine.shell("chown root:root /var/lib/hostinfo")?;
    ensure!(machine.shell("systemctl start hostinfo").is_err());
    ensure!(machine.property("ExecMainStatus")? == "78", "{}", machine.journal()?);
    std::thread::sleep(Duration::from_secs(2));
    ensure!(machine.property("NRestarts")? == "0");
    let journal = machine.journal()?;
    let remedy = "systemd-tmpfiles --create hostinfo.conf";
    ensure!(
        journal.contains(&format!(
            "/var/lib/hostinfo: permission denied: hostinfod's user has to own it: `{remedy}`"
        )),
        "{journal}"
    );
    machine.shell(remedy)?;
    machine.shell("systemctl start hostinfo")?;
    Ok(())
}

#[test]
fn the_log_goes_to_the_journal_with_its_fields_or_to_a_file_if_it_is_to() -> Result<()> {
    let machine = Machine::boot()?;
    let log_to = |output: &str| {
        let settings = format!("[log]\noutput = '{output}'\n");
        machine.write("/etc/hostinfo/hostinfod.toml", &settings)?;
        machine.shell("systemctl restart hostinfo")
    };
    log_to("journald")?;
    let events = "journalctl _SYSTEMD_UNIT=hostinfo.service HOSTINFO_EVENT=rules-loaded";
    wait_until("the event", PATIENCE, || Ok(machine.shell(events)?.contains("in force")))?;
    log_to("file")?;
    machine.shell("grep 'in force' /var/log/hostinfo/hostinfod.log")?;
    Ok(())
}
