//! From the command line to a running server.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Parser as _;
use hostinfo_answer::Engine;
use hostinfo_file::in_words;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::clear_ambient_capability_set;

use hostinfo_sample::OpenFiles;

use super::Server;
use super::beginning::{self, Beginning};
use super::upgrade::Upgrade;
use crate::admin::{Control, Scrape};
use crate::admin_values;
use crate::args::Args;
use crate::confinement::Confinement;
use crate::guests::Guests;
use crate::handover::FilesState;
use crate::libvirt::Libvirt;
use crate::logging::Logging;
use crate::reactor::Reactor;
use crate::responder::Responder;
use crate::rules_file::{self, RulesFile};
use crate::settings::file::SettingsFile;
use crate::settings::{self, Settings};
use crate::sockets::directories::Directories;
use crate::sockets::lock;
use crate::system::program::{self, Program};
use crate::system::signals::Signals;
use crate::system::watch::Watcher;

/// The rules or the settings have an error, or the socket directory does not exist or is not ours:
/// EX_CONFIG of sysexits.h. Starting again would fail the same way.
const EX_CONFIG: u8 = 78;

/// os-release(5).
const OS_RELEASE: &str = "/etc/os-release";

/// At most this many bytes are read; distributions' files have 1 KiB.
const OS_RELEASE_MAX: u64 = 64 * 1024;

/// Runs the daemon until it ends.
pub(crate) fn start() -> ExitCode {
    match serve(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Editors find lines of the form `FILE:LINE:COL: ...` only at the beginning of a line.
            let is_bad_file = error.is::<settings::Error>() || error.is::<rules_file::Error>();
            eprintln!("{}{error:#}", if is_bad_file { "" } else { "hostinfod: " });
            let is_final = error.downcast_ref().is_some_and(lock::Error::is_final);
            if is_bad_file || is_final { ExitCode::from(EX_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

fn serve(args: Args) -> anyhow::Result<()> {
    if let Some(fd) = args.check_handover {
        return beginning::check(fd, &args);
    }
    if args.check {
        return beginning::check_files(&args);
    }
    let pty = args.pty;
    let program = Program::own().map_err(cannot("find its own program below /proc"))?;
    program::take_name().map_err(cannot("set the name of its process"))?;
    let beginning = if args.handover { Beginning::taken_over()? } else { Beginning::fresh() };
    let Beginning { locks, scrape, start, host, tally, before, .. } = beginning;
    let texts = beginning.files;
    let text = texts.as_ref().map(|texts| &*texts.settings);
    let (file, settings) = SettingsFile::open(args, text)?;
    let confinement = Confinement::of(&settings, &program.path, texts.is_some());
    let Settings {
        paths,
        control,
        metrics,
        flow,
        libvirt,
        security,
        tags,
        listen,
        vsock,
        watch,
        labels,
        sockets,
        log,
    } = settings;
    let signals = Signals::catch().map_err(cannot("wait for signals"))?;
    let mut logging = Logging::start(&log)?;
    logging.count_on_from(beginning.log_left_out);
    // Before anything else takes effect: of two daemons, the second one ends here.
    let directories = Directories::open(&paths.socket_dir, pty, locks)?;
    let watcher = Watcher::new().map_err(cannot("watch the rules file"))?;
    let rules = match &texts {
        Some(FilesState { rules, .. }) => {
            RulesFile::taken_over(rules.as_deref(), &paths.rules, watcher)?
        }
        None => RulesFile::open(&paths.rules, watcher)?,
    };
    let file_limit = raise_file_limit();
    keep_capabilities();
    let os_release = hostinfo_file::read(Path::new(OS_RELEASE), OS_RELEASE_MAX).ok().flatten();
    let os_name =
        hostinfo_answer::os_name(&String::from_utf8_lossy(&os_release.unwrap_or_default()));
    let libvirt = Libvirt::new(&libvirt, &paths.socket_dir, tags.sought(), security);
    let mut libvirt = libvirt.map_err(cannot("wait for libvirt's helper"))?;
    let (before, clients) = match before {
        None => (None, None),
        Some(before) => {
            libvirt.take_over(before.libvirt);
            (Some((before.guests, before.fds)), Some(before.clients))
        }
    };
    let loaded = admin_values::load(&paths, labels);
    let (mut admin_values, admin_files) =
        loaded.map_err(cannot("wait for the administrator's statistics"))?;
    admin_values.customs.take_over(beginning.customs);
    let files = OpenFiles::within(file_limit);
    let host = host.seen_at(paths.roots(), files.clone());
    let engine = Engine::new(host, libvirt, admin_values, os_name, start);
    let mut reactor = Reactor::new().map_err(cannot("wait for events"))?;
    let scrape = Scrape::open(metrics.listen, &control.group, scrape, &reactor);
    let scrape = scrape.map_err(cannot("wait for clients at [metrics] listen"))?;
    let mut responder = Responder::new(engine, flow.bounds());
    responder.tally = tally;
    let guests = Guests::new(rules, directories, responder, admin_files, files, &paths, watch);
    let mut guests = guests.map_err(cannot("get random bytes from the kernel"))?;
    let control = Control::open(control, beginning.control, &reactor);
    let control = control.map_err(cannot("wait for clients at the control socket"))?;
    if pty && before.is_none() {
        guests.add_pty(&mut reactor.now()).context("--pty: no pseudo-terminal can be served")?;
    }
    let upgrade = Upgrade::new(program);
    let server =
        Server { settings: file, logging, guests, control, scrape, signals, upgrade, reactor };
    server.run(&sockets, listen, vsock, before, clients, confinement)
}

/// What keeps the daemon from starting or going on, in words, with the remedy where it is known. The error is one of the system.
pub(super) fn cannot<E: Into<io::Error>>(what: &str) -> impl FnOnce(E) -> anyhow::Error {
    move |error| {
        let error = error.into();
        let remedy = match Errno::from_io_error(&error) {
            Some(Errno::MFILE) => ": raise LimitNOFILE= of its unit, or ulimit -n",
            Some(Errno::NFILE) => ": raise fs.file-max with sysctl",
            Some(Errno::NOSPC) => ": raise fs.epoll.max_user_watches with sysctl",
            Some(Errno::NOENT) => ": mount /proc",
            _ => "",
        };
        anyhow!("cannot {what}: {}{remedy}", in_words(&error))
    }
}

/// The service's capabilities, such as reading a file as another user, are not passed on to programs
/// that the daemon starts.
fn keep_capabilities() {
    if let Err(error) = clear_ambient_capability_set() {
        tracing::warn!("its helper will run with the capabilities of hostinfod: {error}");
    }
}

/// Raises the soft limit, since each guest needs a descriptor; the usual 1,024 exist only for
/// select(2). Returns how many files may be open.
fn raise_file_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(error) => {
            tracing::warn!("cannot raise the limit of open files: {error}");
            current.unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_cannot_start_says_what_it_could_not_do_and_how_to_mend_it() {
        let error = cannot("wait for events")(Errno::MFILE).to_string();
        assert_eq!(
            error,
            "cannot wait for events: Too many open files: raise LimitNOFILE= of its unit, or ulimit -n"
        );
        let error = cannot("watch the rules file")(io::Error::other("raise this")).to_string();
        assert_eq!(error, "cannot watch the rules file: raise this");
    }
}
