//! Whatever stands in the place of a file that the administrator writes, guests are served, and
//! the daemon says what is wrong with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};
use rustix::fs::{CWD, Mode, mkfifoat};

fn make_pipe(path: &Path) -> Result<()> {
    let _ = fs::remove_file(path);
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

#[test]
fn settings_that_are_a_pipe_or_huge_are_refused_with_the_reason_and_guests_are_served() -> Result<()>
{
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    make_pipe(&host.config())?;
    daemon.hang_up()?;
    daemon.wait_for_log("hostinfod.toml: is a pipe, not a regular file")?;
    assert!(guest.ask_one("ping")?.starts_with("200 "));
    fs::remove_file(host.config())?;
    File::create(host.config())?.set_len(300 << 20)?;
    let before = daemon.memory()?;
    daemon.hang_up()?;
    daemon.wait_for_log("hostinfod.toml: has over 1048576 bytes")?;
    assert!(guest.ask_one("ping")?.starts_with("200 "));
    let grown = daemon.memory()?.saturating_sub(before);
    assert!(grown < 4 << 20, "the daemon grew by {grown} bytes");
    host.write_config("")?;
    daemon.hang_up()?;
    daemon.wait_for_log("settings read again")
}

#[test]
fn a_daemon_starts_and_serves_with_pipes_in_the_place_of_what_it_keeps() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    for name in ["secret", "notices.json", "notices.new"] {
        make_pipe(&host.state().join(name))?;
    }
    let daemon = host.start_daemon()?;
    for name in ["secret", "notices.json"] {
        daemon.wait_for_log(&format!("/{name}: is a pipe, not a regular file"))?;
    }
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    assert!(guest.ask_one("host.id")?.starts_with("200 "));
    host.client()?.set_notice("*", hostinfo_control::NoticeKind::Info, "x", None, None)?;
    assert!(host.state().join("notices.json").metadata()?.is_file());
    Ok(())
}

#[test]
fn a_log_file_that_becomes_a_pipe_is_refused_and_the_log_goes_on() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let log = host.path().join("log");
    host.write_config(&format!("[log]\noutput = 'file'\nfile = '{}'\n", log.display()))?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let moved = host.path().join("log.1");
    fs::rename(&log, &moved)?;
    make_pipe(&log)?;
    daemon.hang_up()?;
    assert!(guest.ask_one("ping")?.starts_with("200 "));
    let said = || Ok(fs::read_to_string(&moved)?.contains("logging continues to the old file"));
    wait_until("a word", PATIENCE, said)
}

#[test]
fn a_device_in_the_place_of_a_directory_is_an_error_in_the_status_too() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    host.write_config("[paths]\ncustom_dir = '/dev/null'\n")?;
    let _daemon = host.start_daemon()?;
    let mut client = host.client()?;
    let mut problems = || -> Result<[Option<String>; 2]> {
        let status = client.status()?;
        Ok([status.custom_dir.problem, status.socket_dir.problem])
    };
    let says = |problem: &Option<String>, path: &Path| {
        let begins = format!("{}: ", path.display());
        problem.as_ref().is_some_and(|problem| {
            problem.starts_with(&begins) && problem.contains("is not a directory: ")
        })
    };
    let [custom, sockets] = problems()?;
    assert!(says(&custom, Path::new("/dev/null")) && sockets.is_none(), "{custom:?} {sockets:?}");

    for path in [host.sockets().join("vhostmd"), host.sockets()] {
        let moved = path.with_extension("moved");
        fs::rename(&path, &moved)?;
        std::os::unix::fs::symlink("/dev/null", &path)?;
        wait_until("the status to say so", PATIENCE, || Ok(says(&problems()?[1], &path)))?;
        fs::remove_file(&path)?;
        fs::rename(&moved, &path)?;
        wait_until("it to be in order", PATIENCE, || Ok(problems()?[1].is_none()))?;
    }
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    assert!(guest.ask_one("ping")?.starts_with("200 "));
    Ok(())
}

#[test]
fn a_file_system_mounted_over_the_socket_directory_is_found_at_sighup_and_not_before() -> Result<()>
{
    let host = Host::new(EVERYTHING)?;
    let daemon = host.launch_daemon_within(&["unshare", "--mount"])?;
    let mut before = FakeGuest::join(&host.socket("before"))?;
    ensure!(before.ask_one("ping")?.starts_with("200 "));
    let pid = daemon.pid().to_string();
    let mounted = Command::new("nsenter")
        .args(["--target", &pid, "--mount", "mount", "-t", "tmpfs", "none"])
        .arg(host.sockets())
        .status()?;
    ensure!(mounted.success(), "mount: {mounted}");
    // Where the daemon sees it.
    let socket = PathBuf::from(format!("/proc/{pid}/root{}", host.socket("after").display()));
    let qemu = FakeQemu::listen(&socket)?;
    ensure!(qemu.stays_alone(Duration::from_secs(1))?);
    daemon.hang_up()?;
    let mut after = qemu.accept()?;
    ensure!(after.ask_one("ping")?.starts_with("200 "));
    Ok(())
}
