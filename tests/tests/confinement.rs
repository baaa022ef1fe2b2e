//! What the daemon can no longer do once it has confined itself, tried by the daemon itself: a debug build makes the
//! attempts that its environment names.

use std::fs;
use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::upgrading::upgrade;
use hostinfo_tests::{Daemon, FakeGuest, Host, paths};
use rustix::fs::{MemfdFlags, memfd_create};
use tempfile::TempDir;

/// By Landlock, and by seccomp.
const DENIED: &str = "Permission denied (os error 13)";
const NOT_PERMITTED: &str = "Operation not permitted (os error 1)";
const DONE: &str = "done";

/// A folder that is not beside the host's, and a port at which somebody listens.
struct Outside {
    folder: TempDir,
    listener: TcpListener,
}

impl Outside {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hostinfo-").tempdir_in("/var/tmp")?;
        fs::write(folder.path().join("kept"), "x")?;
        Ok(Self { folder, listener: TcpListener::bind("127.0.0.1:0")? })
    }

    /// Attempts, each with what becomes of it.
    fn attempts(&self, host: &Host, outcomes: [&str; 13]) -> Result<Vec<(String, String)>> {
        let folder = self.folder.path().display();
        let own = paths::program("hostinfod")?.display().to_string();
        let attempts = [
            format!("write {}/attempt", host.state().display()),
            format!("write {folder}/attempt"),
            format!("append {folder}/kept"),
            format!("mkdir {folder}/attempts"),
            format!("open-to-all {folder}"),
            format!("setuid {folder}/kept"),
            format!("give {folder}/kept"),
            format!("remove {folder}/kept"),
            format!("connect {}", self.listener.local_addr()?),
            format!("start {own}"),
            "start /bin/true".to_owned(),
            "copy-and-start /bin/true".to_owned(),
            format!("fork {own}"),
        ];
        Ok(attempts.into_iter().zip(outcomes.map(str::to_owned)).collect())
    }
}

/// What becomes of a memory file that could be executed: kernels before 6.3 know no other.
fn memory_file() -> &'static str {
    let is_known = memfd_create("probe", MemfdFlags::NOEXEC_SEAL).is_ok();
    if is_known { NOT_PERMITTED } else { DONE }
}

/// What becomes of a signal to the daemon, from within its helper's own layer of Landlock.
fn signal() -> Result<&'static str> {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str()?.split(['.', '-']).map(str::parse::<u32>);
    let (major, minor) = (numbers.next().context("release")??, numbers.next().context("release")??);
    Ok(if (major, minor) >= (6, 12) { NOT_PERMITTED } else { DONE })
}

/// A daemon that makes these attempts, each of which has its outcome.
fn attempting(host: &Host, attempts: &[(String, String)]) -> Result<Daemon> {
    let list: Vec<&str> = attempts.iter().map(|(attempt, _)| &**attempt).collect();
    let daemon = host.start_daemon_with(&format!("HOSTINFOD_ATTEMPTS={}", list.join(";")))?;
    for (attempt, outcome) in attempts {
        let line = format!("attempt {attempt}: {outcome}");
        ensure!(daemon.log().contains(&line), "no `{line}` in\n{}", daemon.log());
    }
    Ok(daemon)
}

#[test]
fn a_hijacked_daemon_writes_executes_connects_and_forks_nowhere_else() -> Result<()> {
    let (host, outside) = (Host::new(EVERYTHING)?, Outside::new()?);
    let outcomes = [
        DONE,
        DENIED,
        DENIED,
        DENIED,
        NOT_PERMITTED,
        NOT_PERMITTED,
        NOT_PERMITTED,
        DENIED,
        NOT_PERMITTED,
        DONE,
        DENIED,
        memory_file(),
        NOT_PERMITTED,
    ];
    let mut attempts = outside.attempts(&host, outcomes)?;
    // If it were not refused, no daemon would be left to answer.
    attempts.push(("execute /bin/true".to_owned(), DENIED.to_owned()));
    let daemon = attempting(&host, &attempts)?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    ensure!(guest.ask_one("physcpus")?.starts_with("200 "));
    for part in ["landlock", "seccomp"] {
        ensure!(daemon.log().contains(&format!("confined by {part}\n")), "{}", daemon.log());
    }
    ensure!(!daemon.log().contains("WARN"), "{}", daemon.log());
    Ok(())
}

#[test]
fn whoever_takes_over_the_helper_reaches_neither_the_daemon_nor_what_is_its() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let kept = host.state().join("kept");
    fs::write(&kept, "x")?;
    let program = paths::program("hostinfo-libvirt")?;
    let attempts = |signal, other, path| {
        vec![
            ("signal daemon".to_owned(), signal),
            ("read-memory daemon".to_owned(), other),
            (format!("write {}/attempt", host.state().display()), other),
            (format!("start {}", program.display()), path),
            (format!("empty {}", kept.display()), path),
            (format!("lease {}", kept.display()), path),
            (format!("list {}", host.state().display()), path),
            (format!("read-past-cache {}", kept.display()), path),
            (format!("set-flags {}", kept.display()), path),
            (format!("read-flags {}", kept.display()), DONE),
            (format!("watch {}", kept.display()), path),
            ("poll more".to_owned(), path),
            ("thread more".to_owned(), path),
            (format!("open-to-all {}", host.state().display()), path),
            (format!("remove {}", kept.display()), path),
        ]
    };
    for (settings, attempts) in [
        ("", attempts(signal()?, DENIED, NOT_PERMITTED)),
        // Nothing else bounds what has the daemon's user.
        ("[security]\nlandlock = false\n", attempts(DONE, DONE, NOT_PERMITTED)),
        ("[security]\nlandlock = false\nseccomp = false\n", attempts(DONE, DONE, DONE)),
    ] {
        // The library's own, without which no helper is started on a host that has no libvirt.
        host.write_config(&format!("{settings}[libvirt]\nuri = 'test:///default'\n"))?;
        // The log has only so many lines of a helper.
        for attempts in attempts.chunks(8) {
            let list: Vec<&str> = attempts.iter().map(|(attempt, _)| &**attempt).collect();
            let variable = format!("HOSTINFO_LIBVIRT_ATTEMPTS={}", list.join(";"));
            let daemon = host.start_daemon_with(&variable)?;
            for (attempt, outcome) in attempts {
                daemon.wait_for_log(&format!("helper's attempt {attempt}: {outcome}\n"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn each_part_can_be_switched_off_and_the_other_holds_alone() -> Result<()> {
    let (host, outside) = (Host::new(EVERYTHING)?, Outside::new()?);
    // Modes, owners and memory files are not bounded by Landlock, and what is at a path not by seccomp.
    let landlock =
        [DONE, DENIED, DENIED, DENIED, DONE, DONE, DONE, DENIED, DENIED, DONE, DENIED, DONE, DONE];
    let seccomp = [
        DONE,
        DONE,
        DONE,
        DONE,
        NOT_PERMITTED,
        NOT_PERMITTED,
        NOT_PERMITTED,
        DONE,
        NOT_PERMITTED,
        DONE,
        DONE,
        memory_file(),
        NOT_PERMITTED,
    ];
    for (off, outcomes) in [("seccomp", landlock), ("landlock", seccomp)] {
        host.write_config(&format!("[security]\n{off} = false\n"))?;
        let daemon = attempting(&host, &outside.attempts(&host, outcomes)?)?;
        let line = format!("not confined by {off}: [security] {off} = false\n");
        ensure!(daemon.log().contains(&line), "{}", daemon.log());
    }
    Ok(())
}

#[test]
fn a_daemon_that_begins_confines_itself_whatever_its_environment_says() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon_with("HOSTINFOD_CONFINED=1 landlock seccomp")?;
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    ensure!(status.contains("Seccomp:\t2\n"), "{status}");
    for part in ["landlock", "seccomp"] {
        ensure!(daemon.log().contains(&format!("confined by {part}\n")), "{}", daemon.log());
    }
    Ok(())
}

#[test]
fn an_upgraded_daemon_is_confined_as_before_and_not_once_more() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    // Linux 5.9 and later count them.
    let filters = || -> Result<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
        let line = status.lines().find(|line| line.starts_with("Seccomp_filters:"));
        Ok(line.unwrap_or_default().to_owned())
    };
    let before = filters()?;
    // Landlock stacks 16 layers at the most.
    for _ in 0..17 {
        upgrade(&host)?;
    }
    ensure!(filters()? == before && before.ends_with("\t2"), "{before:?}, then {:?}", filters()?);
    for part in ["landlock", "seccomp"] {
        let count = daemon.log().matches(&format!("confined by {part}")).count();
        ensure!(count == 1, "{}", daemon.log());
    }
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    ensure!(guest.ask_one("physcpus")?.starts_with("200 "));
    Ok(())
}

#[test]
fn a_guest_is_told_the_same_names_with_and_without_the_confinement() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let mut told = Vec::new();
    for (name, settings) in [("a", ""), ("b", "[security]\nlandlock = false\nseccomp = false\n")] {
        host.write_config(settings)?;
        let _daemon = host.start_daemon()?;
        let mut guest = FakeGuest::join(&host.socket(name))?;
        guest.ask("*")?;
        // Ratios have a window by then.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let reply = guest.ask("*")?;
        told.push(
            reply
                .iter()
                .map(|line| line.split('=').next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>(),
        );
    }
    ensure!(told[0] == told[1] && told[0].len() > 50, "{told:?}");
    Ok(())
}

#[test]
fn what_the_confinement_refuses_in_a_directory_that_was_made_anew_is_said_with_the_restart_it_needs()
-> Result<()> {
    // Not beside the host's folder, where the control socket is.
    let elsewhere = tempfile::Builder::new().prefix("hostinfo-").tempdir_in("/var/tmp")?;
    let above = elsewhere.path().join("above");
    let host = Host::new("*:\n  interval = 0\n  vhostmd-disk = 1\n")?
        .with_sockets_in(&above.join("sockets"));
    for settings in ["", "[security]\nlandlock = false\n"] {
        host.write_config(settings)?;
        fs::create_dir_all(host.sockets())?;
        let daemon = host.start_daemon()?;
        fs::remove_dir_all(&above)?;
        fs::create_dir_all(host.sockets())?;
        let mut guest = FakeGuest::join(&host.socket("a"))?;
        ensure!(guest.ask_one("ping")?.starts_with("200 "));
        let _restarted = if settings.is_empty() {
            for name in ["vhostmd", "disk/qemu-a"] {
                let refused = format!("/{name}: Permission denied, although its permissions");
                daemon.wait_for_log(&refused)?;
                let log = daemon.log();
                let line = log.lines().find(|line| line.contains(&refused)).unwrap_or_default();
                ensure!(line.contains(": systemctl restart hostinfo"), "{log}");
            }
            daemon.stop()?;
            host.start_daemon()?
        } else {
            daemon
        };
        let _guest = FakeGuest::join(&host.socket("b"))?;
        for name in ["vhostmd", "disk/qemu-b"] {
            let path = host.sockets().join(name);
            wait_until(name, PATIENCE, || Ok(path.exists()))?;
        }
        fs::remove_dir_all(&above)?;
    }
    Ok(())
}
