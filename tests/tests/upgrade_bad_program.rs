//! New programs that cannot go on: the daemon that runs does, and its guests notice nothing.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use hostinfo_tests::ctl::alone;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::process::write_script;
use hostinfo_tests::upgrading::upgrade;
use hostinfo_tests::{Daemon, DomainGuest, FakeGuest, Host, Libvirtd, paths};
use tempfile::TempDir;

const RULES: &str = "*:\n  interval = 0\n  all = 1\n";

const SCRAPE: &str =
    "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n";

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
        let scrape = host.path().join("scrape");
        host.write_config(&format!(
            "[security]\nlandlock = false\nseccomp = false\n[metrics]\nlisten = {scrape:?}\n"
        ))?;
        let daemon = host.start_daemon()?;
        let mut guest = FakeGuest::join(&host.socket("a"))?;
        let session = guest.ask("session")?;
        Ok(Self { guest, session, daemon, host, folder })
    }

    /// Connects to read the daemon's metrics, and sends that.
    fn scrape(&self, request: &str) -> Result<UnixStream> {
        let mut stream = UnixStream::connect(self.host.path().join("scrape"))?;
        stream.write_all(request.as_bytes())?;
        Ok(stream)
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
const WORSE: [(&str, Option<&str>, &str); 6] = [
    ("fails", Some("#!/bin/sh\necho it cannot >&2\nexit 1\n"), "it cannot"),
    ("dies by a signal", Some("#!/bin/sh\nkill -SEGV $$\n"), "signal: 11"),
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
    let (idle, half) = (test.scrape("")?, test.scrape("GET /met")?);
    let unread = test.scrape(SCRAPE)?;
    let said = test.refused()?;
    ensure!(said.contains("cannot execute"), "{said}");
    ensure!(watch.next().is_none_or(|event| event.is_err()), "hung up on before that");
    for mut scraper in [idle, half] {
        scraper.set_nonblocking(true)?;
        let told = scraper.read(&mut [0; 1]);
        ensure!(matches!(told, Ok(0)), "hung up on before that, too: {told:?}");
    }
    for mut scraper in [unread, test.scrape(SCRAPE)?] {
        let mut told = String::new();
        scraper.read_to_string(&mut told)?;
        ensure!(told.starts_with("HTTP/1.1 200 OK") && told.ends_with("# EOF\n"), "{told}");
    }
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
