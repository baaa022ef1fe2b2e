//! An upgrade without a gap: the daemon executes its own program anew, and that goes on with all that is handed over.
//!
//! Before that, the new program is run with `--check-handover` on a copy of the document. Only if it exits with 0 is it
//! executed, so a program that cannot read the document, crashes or hangs changes nothing.

use std::convert::Infallible;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_domains::{Helper, cut};
use hostinfo_handover::Document;
use hostinfo_sample::Host;
use hostinfo_wire::text::printable;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Server;
use crate::confinement::Layers;
use crate::handover::{FilesState, Handover, VERSION};
use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::system::descriptors::Outgoing;
use crate::system::program::{Program, ProgramFile};
use crate::system::signals;
use crate::system::systemd;

/// How long the new program has to read the document. For 10,000 guests, 9 MB, that takes 0.05 s of CPU time, and a
/// program that was not optimised 0.3 s.
const CHECK_WITHIN: Duration = Duration::from_secs(2);

/// A program that is executed closes all that is open, in its only thread.
const UNCLOSED: &str = "a process has sent hostinfod descriptors that take long to close: the log says whose connection it \
     was; end that process, then try again";

/// How much is read of what the new program says about why it does not.
const WHY_MAX: u64 = 4096;

/// The daemon's program, and its check.
pub(super) struct Upgrade {
    program: Program,
    check: Option<Check>,
    /// What confines this process, and so the next one.
    pub(super) confined: Layers,
}

/// The new program, reading the document.
struct Check {
    child: Child,
    /// Its file, and what is executed if all is well.
    file: ProgramFile,
    /// Readable when it has ended.
    ended: OwnedFd,
    says: PipeReader,
    /// It took too long and was killed: it only has to be waited for.
    is_killed: bool,
}

impl Upgrade {
    /// None is under way.
    pub(super) fn new(program: Program) -> Self {
        Self { program, check: None, confined: Layers::default() }
    }
}

impl Server {
    /// Runs the new program's check, because somebody has asked for an upgrade. If another client asks meanwhile, both get
    /// the same answer.
    pub(super) fn begin_upgrade(&mut self) {
        match &self.upgrade.check {
            None => {}
            Some(check) if check.is_killed => {
                return self
                    .refuse_upgrade("the last one that was checked has not ended yet: try again");
            }
            Some(_) => return,
        }
        let prepared = self.prepare();
        match prepared.and_then(|files| self.check(files).map_err(|error| error.to_string())) {
            Ok(check) => {
                self.upgrade.check = Some(check);
                self.reactor.set_alarm(Alarm::Check, Some(Instant::now() + CHECK_WITHIN));
            }
            Err(why) => self.refuse_upgrade(&why),
        }
    }

    /// What the new program goes by: what is in force, and settings that take effect while it runs.
    fn prepare(&mut self) -> Result<FilesState, String> {
        let settings = self.settings.hand_over()?;
        let rules = self.guests.prepare_handover(&mut self.reactor.now())?;
        // Last, since sockets may just have been given up.
        if hostinfo_peer::unclosed() > 0 {
            return Err(UNCLOSED.to_owned());
        }
        Ok(FilesState { settings, rules })
    }

    fn check(&self, files: FilesState) -> io::Result<Check> {
        let document = Document::write(&self.hand_over(files, &mut Outgoing::default()));
        let document = document.map_err(io::Error::other)?.as_fd().try_clone_to_owned()?;
        let (says, end) = io::pipe()?;
        let started = self.upgrade.program.open().and_then(|file| {
            let mut command = file.command();
            command.arg0(&self.upgrade.program.path);
            command.args(&self.upgrade.program.arguments).args(["--check-handover", "0"]);
            command.stdin(document).stdout(Stdio::null()).stderr(end);
            let child = file.start(&mut command)?;
            Ok((file, child))
        });
        let (file, child) = started.map_err(|error| {
            io::Error::other(format!("cannot run {}: {error}", self.upgrade.program.path.display()))
        })?;
        let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        self.reactor.add(&ended, Token::Check, Interest::Read)?;
        Ok(Check { child, file, ended, says, is_killed: false })
    }

    /// The new program has ended its check.
    pub(super) fn check_has_ended(&mut self) {
        let Some(Check { mut child, file, ended, says, is_killed }) = self.upgrade.check.take()
        else {
            return;
        };
        self.reactor.set_alarm(Alarm::Check, None);
        let status = child.wait();
        drop(ended);
        match status {
            _ if is_killed => {}
            Ok(status) if status.success() => {
                let Err(why) = self.execute(&file);
                self.refuse_upgrade(&why);
            }
            Ok(status) => self.refuse_upgrade(&reason(&status.to_string(), says)),
            Err(error) => self.refuse_upgrade(&error.to_string()),
        }
    }

    /// The new program takes too long.
    pub(super) fn check_is_late(&mut self) {
        let Some(check) = &mut self.upgrade.check else { return };
        check.is_killed = true;
        // It fails only where it has ended already.
        let _ = check.child.kill();
        let path = self.upgrade.program.path.display();
        let why = format!("{path} did not read the handover within {} s", CHECK_WITHIN.as_secs());
        self.refuse_upgrade(&why);
    }

    /// Executes the new program, from the file that was checked. Returns only if that fails; then nothing has changed but
    /// that clients were hung up on, and that libvirt's helper and runs of commands begin anew.
    fn execute(&mut self, checked: &ProgramFile) -> Result<Infallible, String> {
        self.hang_up();
        let files = self.prepare()?;
        let fail = |error: io::Error| format!("nothing could be handed over: {error}");
        let mut fds = Outgoing::default();
        let document = Document::write(&self.hand_over(files, &mut fds));
        let document =
            document.map_err(|error| format!("nothing could be handed over: {error}"))?;
        let waiting = fds.send(document.as_fd()).map_err(fail)?;
        tracing::info!("executing {}", self.upgrade.program.path.display());
        // The next sign of life comes only when the new program has begun.
        if systemd::watchdog().is_some() {
            systemd::alive();
        }
        signals::block().map_err(fail)?;
        let Err(error) = self.execute_unchanged(checked, &waiting);
        signals::unblock().map_err(fail)?;
        Err(format!("cannot execute {}: {error}", self.upgrade.program.path.display()))
    }

    /// Hangs up on all with whom the new program does not go on. Executing it would close their connections in this thread,
    /// with the descriptors that they have sent and nobody has read.
    fn hang_up(&mut self) {
        let Self { guests, control, scrape, reactor, .. } = self;
        let ctx = &mut reactor.now();
        control.hang_up_on_all_but_askers(ctx);
        guests.keep_events(false);
        scrape.hang_up_on_all(ctx);
        guests.turn_of_helper(Helper::renew, ctx);
        guests.end_runs(ctx.now);
        guests.hang_up_on_opener(ctx);
    }

    /// Executes the file that was `checked`, if it is still that, and still the program's. A signal that ends the daemon
    /// waits for the new program, but for one that has come already.
    fn execute_unchanged(
        &self,
        checked: &ProgramFile,
        waiting: impl AsFd,
    ) -> io::Result<Infallible> {
        if self.signals.is_ended() {
            return Err(io::Error::other("the daemon is about to end"));
        }
        let Upgrade { program, confined, .. } = &self.upgrade;
        if !program.is_still(checked)? {
            let why = "it has changed since it was checked: run hostinfoctl upgrade again";
            return Err(io::Error::other(why));
        }
        program.execute(checked, waiting, confined.to_environment())
    }

    fn hand_over<'s>(&'s self, files: FilesState, fds: &mut Outgoing<'s>) -> Handover<&'s Host> {
        let engine = self.guests.engine();
        let (socket, now) = (self.control.state(), Instant::now());
        Handover {
            version: VERSION,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            files,
            start: engine.start(),
            since: socket.since,
            host: engine.host(),
            locks: self.guests.directories().locks().map(|lock| lock.map(|lock| fds.add(lock))),
            control: self.control.hand_over(fds),
            scrape: self.scrape.hand_over(fds),
            guests: self.guests.hand_over(fds),
            libvirt: engine.libvirt().hand_over(now),
            tally: self.guests.tally().clone(),
            customs: engine.admin_values().customs.hand_over(now),
            events_left_out: socket.left_out,
            log_left_out: self.logging.left_out(),
            askers: self.control.hand_over_askers(fds),
        }
    }

    fn refuse_upgrade(&mut self, why: &str) {
        tracing::error!("not upgraded, and nothing has changed: {why}");
        self.control.refuse_upgrade(why, &mut self.reactor.now());
    }
}

/// Why a program ended, in its own words if it had any.
fn reason(status: &str, says: PipeReader) -> String {
    let mut said = Vec::new();
    // A child of the program may have the other end, so no more is read than is there.
    let is_there = rustix::io::ioctl_fionbio(&says, true);
    let _ = is_there.map(|()| says.take(WHY_MAX).read_to_end(&mut said));
    let said = String::from_utf8_lossy(&said).trim().replace('\n', "; ");
    match said.is_empty() {
        true => format!("the new program ended its check with {status}"),
        false => cut(&printable(said.into()), PROBLEM_MAX).to_owned(),
    }
}
