//! Upgrades that do not take place: the daemon that runs goes on, and its guests notice nothing.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use hostinfo_control::Status;
use hostinfo_peer::examples::Slow;
use hostinfo_tests::ctl::{self, alone};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::process::write_script;
use hostinfo_tests::upgrading::upgrade;
use hostinfo_tests::{Daemon, DomainGuest, FakeGuest, Host, Libvirtd, paths};
use rustix::net::SendFlags;
use serde_json::json;
use tempfile::TempDir;

const RULES: &str = "*:\n  interval = 0\n  all = 1\n";

/// A daemon whose program can be replaced, and a guest of it.
struct Replaceable {
    guest: FakeGuest,
    /// The guest's session when the daemon started.
    session: Vec<String>,
    daemon: Daemon,
    host: Host,
    folder: TempDir,
}

impl Replaceable {
    /// The daemon is not confined, so that it can execute scripts as well.
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::copy(paths::program("hostinfod")?, folder.path().join("hostinfod"))?;
        let host = Host::new(RULES)?.with_programs_in(folder.path());
        host.write_config("[security]\nlandlock = false\nseccomp = false\n")?;
        let daemon = host.start_daemon()?;
        let mut guest = FakeGuest::join(&host.socket("a"))?;
        let session = guest.ask("session")?;
        Ok(Self { guest, session, daemon, host, folder })
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("hostinfod")
    }

    /// Gives the right program another name, which is returned.
    fn put_program_aside(&self) -> Result<PathBuf> {
        let aside = self.folder.path().join("good");
        fs::rename(self.program(), &aside)?;
        Ok(aside)
    }

    /// Tries to upgrade, and returns why nothing came of it.
    fn refused(&self) -> Result<String> {
        alone(&self.host, &["upgrade"])?.fails_with(1)
    }

    /// The guest's session is the one that it had before.
    fn ensure_session_goes_on(&mut self) -> Result<()> {
        ensure!(self.guest.ask("session")? == self.session);
        Ok(())
    }
}

/// What stands in the place of the new program.
const WORSE: [(&str, Option<&str>, &str); 5] = [
    ("fails", Some("#!/bin/sh\necho it cannot >&2\nexit 1\n"), "it cannot"),
    ("hangs", Some("#!/bin/sh\nexec sleep 1000\n"), "did not read the handover within 2 s"),
    ("writes without end", Some("#!/bin/sh\nexec cat /dev/zero >&2\n"), "within 2 s"),
    ("is no program", Some("rubbish"), "cannot run"),
    ("is gone", None, "cannot run"),
];

#[test]
fn a_new_program_that_cannot_go_on_changes_nothing() -> Result<()> {
    let mut test = Replaceable::start()?;
    let (program, good) = (test.program(), test.put_program_aside()?);
    test.guest.send("ping ha")?;
    for (what, text, why) in WORSE {
        let _ = fs::remove_file(&program);
        if let Some(text) = text {
            write_script(&program, text)?;
        }
        let said = test.refused()?;
        ensure!(said.contains("nothing has changed") && said.contains(why), "{what}: {said}");
    }
    // Not executable.
    fs::write(&program, "#!/bin/sh\nexit 0\n")?;
    fs::set_permissions(&program, Permissions::from_mode(0o644))?;
    let said = test.refused()?;
    ensure!(said.contains("ermission denied"), "{said}");
    test.guest.send("lf\n")?;
    ensure!(test.guest.reply()? == ["200 pong half"]);
    test.ensure_session_goes_on()?;
    ensure!(test.daemon.log().matches("not upgraded").count() == WORSE.len() + 1);
    // No process is left, and the right program is executed after all of them.
    fs::remove_file(&program)?;
    fs::rename(&good, &program)?;
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", test.daemon.pid()))?;
    ensure!(children.trim().is_empty(), "{children}");
    upgrade(&test.host)?;
    test.ensure_session_goes_on()
}

#[test]
fn a_program_that_reads_the_document_and_cannot_be_executed_changes_nothing() -> Result<()> {
    let mut test = Replaceable::start()?;
    let program = test.program();
    fs::remove_file(&program)?;
    // It takes itself away after a check that succeeds.
    write_script(&program, format!("#!/bin/sh\nrm {}\n", program.display()))?;
    let mut watch = test.host.client()?.watch(None)?;
    let said = test.refused()?;
    ensure!(said.contains("cannot execute"), "{said}");
    ensure!(watch.next().is_none_or(|event| event.is_err()), "hung up on before that");
    test.ensure_session_goes_on()?;
    // Signals are caught as before.
    test.daemon.hang_up()?;
    test.daemon.wait_for_log("settings read again")?;
    ensure!(test.guest.ask("ping")? == ["200 pong"] && test.daemon.stop()?.success());
    Ok(())
}

#[test]
fn a_program_that_was_replaced_while_it_was_checked_is_not_executed() -> Result<()> {
    let mut test = Replaceable::start()?;
    let (program, good) = (test.program(), test.put_program_aside()?);
    // The right one takes its place after a check that succeeds, but it is not what was checked.
    write_script(&program, format!("#!/bin/sh\nmv {} {}\n", good.display(), program.display()))?;
    let said = test.refused()?;
    ensure!(said.contains("it has changed since it was checked"), "{said}");
    test.ensure_session_goes_on()?;
    upgrade(&test.host)?;
    test.ensure_session_goes_on()
}

#[test]
fn a_script_is_not_executed_whatever_its_check_says() -> Result<()> {
    let mut test = Replaceable::start()?;
    fs::remove_file(test.program())?;
    write_script(&test.program(), "#!/bin/sh\nexit 0\n")?;
    let said = test.refused()?;
    ensure!(said.contains("nothing has changed") && said.contains("it is a script"), "{said}");
    test.ensure_session_goes_on()
}

#[test]
fn what_libvirt_has_said_stays_known_where_the_new_program_is_not_executed_and_it_is_asked_again()
-> Result<()> {
    let (libvirtd, folder) = (Libvirtd::start()?, tempfile::tempdir()?);
    for program in ["hostinfod", "hostinfo-libvirt"] {
        fs::copy(paths::program(program)?, folder.path().join(program))?;
    }
    let host = Host::new(RULES)?.with_programs_in(folder.path());
    host.write_config("[security]\nlandlock = false\nseccomp = false\n")?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let mut known = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    known.ask_until("vm.uuid", "200 ")?;
    fs::remove_file(folder.path().join("hostinfod"))?;
    write_script(&folder.path().join("hostinfod"), "#!/bin/sh\nexit 0\n")?;
    let said = alone(&host, &["upgrade"])?.fails_with(1)?;
    ensure!(said.contains("it is a script"), "{said}");
    let uuid = known.ask("vm.uuid")?;
    ensure!(uuid.iter().all(|line| line.starts_with("200 ")), "{uuid:?}");
    DomainGuest::boot(&libvirtd, "b", &host.socket("b"))?.ask_until("vm.uuid", "200 ")?;
    let log = daemon.log();
    ensure!(log.matches("libvirt answers").count() == 1 && !log.contains("unavailable"), "{log}");
    Ok(())
}

#[test]
fn files_that_break_when_the_new_program_was_checked_already_change_nothing() -> Result<()> {
    let mut test = Replaceable::start()?;
    let (program, good) = (test.program(), test.put_program_aside()?);
    let script = format!(
        "case \"$*\" in *--handover) echo nonsense | tee {} >{};; esac\nexec {} \"$@\"\n",
        test.host.config().display(),
        test.host.rules().display(),
        good.display()
    );
    fs::write(program.with_extension("sh"), script)?;
    fs::copy(paths::program("stand-in")?, &program)?;
    upgrade(&test.host)?;
    test.daemon.wait_for_log("the previous rules stay in force")?;
    test.ensure_session_goes_on()?;
    ensure!(test.guest.ask_one("host.name")?.starts_with("200 "));
    test.host.write_rules("qemu-a:\n  enabled = 0\n")?;
    wait_until("the mended rules", PATIENCE, || {
        Ok(test.guest.ask_one("session")?.starts_with("403 "))
    })
}

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
    let upgraded = alone(&host, &["upgrade"])?;
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
        let (mut client, _) = socket.accept()?;
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
        let mut said = Vec::new();
        for pid in ["8", "7"] {
            let script =
                format!("#!/bin/sh\necho \"$@\" >>{}.said\necho {pid}\n", systemctl.display());
            write_script(&systemctl, script)?;
            said.push(ctl::alone_with_programs(&host, host.path(), &["upgrade"])?);
        }
        is_over.store(true, Ordering::Relaxed);
        let _ = UnixStream::connect(host.control())?;
        old.join().map_err(|_| anyhow::anyhow!("the old daemon"))??;
        anyhow::Ok(said)
    })?;
    let [other, own] = <[_; 2]>::try_from(said).map_err(|_| anyhow::anyhow!("two"))?;
    ensure!(other.fails_with(1)?.contains("process 7 is not the service hostinfo.service"));
    let own = own.succeeds()?;
    ensure!(own.starts_with("restarted: hostinfod 0.0.9 could not go on"), "{own}");
    let commands = fs::read_to_string(host.path().join("systemctl.said"))?;
    ensure!(commands.matches("restart hostinfo.service").count() == 1, "{commands}");
    Ok(())
}
