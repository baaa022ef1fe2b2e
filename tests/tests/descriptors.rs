//! A daemon that has no descriptors left for a while misses nothing of what happens meanwhile.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, ask_until, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::permit_files;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};

const BLOCKED: &str = "*:\n  enabled = 0\n";

const NONE_LEFT: &str = "Too many open files";

/// Longer than the daemon waits for a file to settle, and before it tries again.
const A_WHILE: Duration = Duration::from_millis(2500);

#[test]
fn rules_that_are_written_meanwhile_are_in_force_afterwards() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    permit_files(daemon.pid(), false)?;
    host.write_rules(BLOCKED)?;
    daemon.wait_for_log(NONE_LEFT)?;
    std::thread::sleep(A_WHILE);
    ensure!(guest.ask_one("vm.name")? == "200 vm.name=a", "the previous rules are in force");
    permit_files(daemon.pid(), true)?;
    ask_until("vm.name", "403 this guest may not ask", PATIENCE, |line| guest.ask(line))?;
    let log = daemon.log();
    ensure!(log.matches(NONE_LEFT).count() == 1, "it is told once: {log}");
    Ok(())
}

#[test]
fn a_socket_directory_that_is_made_anew_meanwhile_is_served_afterwards() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    permit_files(daemon.pid(), false)?;
    fs::rename(host.sockets(), host.path().join("old"))?;
    fs::create_dir(host.sockets())?;
    let qemu = FakeQemu::listen(&host.socket("b"))?;
    daemon.wait_for_log(NONE_LEFT)?;
    ensure!(qemu.stays_alone(A_WHILE)?);
    permit_files(daemon.pid(), true)?;
    ensure!(qemu.accept()?.ask_one("vm.name")? == "200 vm.name=b");
    // The guest whose socket has gone with its directory keeps its connection.
    ensure!(guest.ask_one("vm.name")? == "200 vm.name=a");
    Ok(())
}

#[test]
fn sockets_outside_the_directory_that_come_meanwhile_are_served_afterwards() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let elsewhere = host.path().join("elsewhere");
    host.write_config(&format!(
        "[[sockets]]\npath = '{}/{{name}}.serial1'\ndriver = 'qemu'\nguests = ['*']\n",
        elsewhere.display()
    ))?;
    let daemon = host.start_daemon()?;
    permit_files(daemon.pid(), false)?;
    fs::create_dir(&elsewhere)?;
    let qemu = FakeQemu::listen(&elsewhere.join("7.serial1"))?;
    daemon.wait_for_log(NONE_LEFT)?;
    ensure!(qemu.stays_alone(A_WHILE)?);
    permit_files(daemon.pid(), true)?;
    wait_until("the guest to be served", PATIENCE, || {
        Ok(host.client()?.list()?.iter().any(|guest| guest.guest == "qemu-7"))
    })?;
    ensure!(qemu.accept()?.ask_one("vm.name")? == "200 vm.name=7");
    Ok(())
}

#[test]
fn a_directory_in_which_the_daemon_listens_that_comes_meanwhile_is_served_afterwards() -> Result<()>
{
    let host = Host::new(EVERYTHING)?;
    let vms = host.path().join("vm");
    host.write_config(&format!(
        "[[listen]]\npath = '{}/{{name}}/v_4678'\ndriver = 'fc'\nuser = '{}'\nguests = ['fc-*']\n",
        vms.display(),
        rustix::process::geteuid().as_raw()
    ))?;
    let daemon = host.start_daemon()?;
    // Of that place: the daemon misses other directories as well.
    let told = || {
        let is_it = |line: &&str| line.contains("/vm/") && line.contains(NONE_LEFT);
        daemon.log().lines().filter(is_it).count()
    };
    permit_files(daemon.pid(), false)?;
    fs::create_dir_all(vms.join("early"))?;
    wait_until("the log to say so", PATIENCE, || Ok(told() == 1))?;
    std::thread::sleep(A_WHILE);
    permit_files(daemon.pid(), true)?;
    ensure!(
        FakeGuest::connect(&vms.join("early/v_4678"))?.ask_one("vm.name")? == "200 vm.name=early"
    );
    // Of one guest alone, where the directory of all is known.
    permit_files(daemon.pid(), false)?;
    fs::create_dir(vms.join("late"))?;
    wait_until("the log to say so again", PATIENCE, || Ok(told() > 1))?;
    std::thread::sleep(A_WHILE);
    permit_files(daemon.pid(), true)?;
    ensure!(
        FakeGuest::connect(&vms.join("late/v_4678"))?.ask_one("vm.name")? == "200 vm.name=late"
    );
    ensure!(told() == 2, "each is told once: {}", daemon.log());
    Ok(())
}

#[test]
fn statistics_that_are_defined_meanwhile_are_there_afterwards_and_the_others_stay() -> Result<()> {
    let host = Host::new("*:\n  interval = 0\n  custom = 1\n")?;
    let directory = host.path().join("custom.d");
    fs::create_dir(&directory)?;
    let define = |name: &str| {
        let text = format!("[custom.{name}]\nkind = 'gauge'\nhelp = 'x'\nfile = '/x'\n");
        fs::write(directory.join(format!("{name}.toml")), text)
    };
    define("one")?;
    host.write_config(&format!("[paths]\ncustom_dir = '{}'\n", directory.display()))?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let one = "custom.one gauge - x";
    ensure!(guest.ask("list custom")? == [format!("200 {one}")]);
    permit_files(daemon.pid(), false)?;
    define("two")?;
    daemon.hang_up()?;
    daemon.wait_for_log("custom.d: it cannot be read: Too many open files")?;
    std::thread::sleep(A_WHILE);
    ensure!(guest.ask("list custom")? == [format!("200 {one}")]);
    permit_files(daemon.pid(), true)?;
    wait_until("the second one", PATIENCE, || {
        Ok(guest.ask("list custom")? == [format!("200-{one}"), "200 custom.two gauge - x".into()])
    })?;
    ensure!(daemon.log().matches("custom.d: it cannot").count() == 1, "{}", daemon.log());
    Ok(())
}
