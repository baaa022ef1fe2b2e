//! One caller after the other: who it is, what it asks, what the settings permit.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use hostinfo_open::{Answer, Request, Sockets, message};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::process::Uid;

use crate::args::Args;
use crate::{caller, walk};

/// With nothing to do for so long, it ends: systemd starts it again when somebody connects.
const IDLE: Duration = Duration::from_secs(10);

/// How long a caller may say nothing or not read its answer, while others wait. hostinfod hangs up when
/// it has nothing more to ask.
const PATIENCE: Duration = Duration::from_secs(2);

/// Only root may have made the way to a socket, and what the settings say.
const OWNER: Uid = Uid::ROOT;

/// Serves whoever connects, until nobody has for a while.
///
/// # Errors
/// `listener` is not a socket that listens, or the system has no descriptors left.
pub(crate) fn serve(listener: impl AsFd, args: &Args) -> anyhow::Result<()> {
    let idle = Timespec::try_from(IDLE)?;
    loop {
        let mut fds = [PollFd::new(&listener, PollFlags::IN)];
        match poll(&mut fds, Some(&idle)) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match rustix::net::accept_with(&listener, SocketFlags::CLOEXEC) {
            Ok(socket) => answer(&socket, args),
            Err(Errno::INTR | Errno::CONNABORTED | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers one caller until it hangs up, or is silent for too long.
fn answer(socket: &OwnedFd, args: &Args) {
    for timeout in [Timeout::Recv, Timeout::Send] {
        if set_socket_timeout(socket, timeout, Some(PATIENCE)).is_err() {
            return;
        }
    }
    if let Err(why) = caller::check(socket, &args.unit, Path::new("/proc")) {
        eprintln!("hostinfo-open: {why}: it is refused");
        let refused = Answer::Refused(format!("hostinfo-open serves only hostinfod: {why}"));
        let _ = message::send(socket, &refused.to_packet(), None);
        return;
    }
    while let Ok((packet, _)) = message::receive(socket) {
        if packet.is_empty() {
            return;
        }
        let (answer, connection) = match connect(&packet, args) {
            Ok(connection) => (Answer::Connected, Some(connection)),
            Err(answer) => (answer, None),
        };
        if let Answer::Refused(why) = &answer {
            eprintln!("hostinfo-open: {why}");
        }
        if message::send(socket, &answer.to_packet(), connection.as_ref()).is_err() {
            return;
        }
    }
}

/// What is asked for, where the settings permit it.
fn connect(packet: &[u8], args: &Args) -> Result<OwnedFd, Answer> {
    let refused = |why: &dyn std::fmt::Display| Answer::Refused(why.to_string());
    let asked = Request::parse(packet).map_err(|why| refused(&why))?;
    let settings =
        read(&args.config).map_err(|why| refused(&format!("{}: {why}", args.config.display())))?;
    let entry = asked.entry(&settings).map_err(|why| refused(&why))?;
    walk::connect(entry, &asked.name, "/", OWNER).map_err(Answer::from)
}

/// The settings, which only root may have written.
fn read(path: &Path) -> io::Result<Sockets> {
    let file = hostinfo_file::open(path, OpenOptions::new().read(true))?;
    let metadata = file.metadata()?;
    if metadata.uid() != OWNER.as_raw() || metadata.mode() & 0o022 != 0 {
        let path = path.display();
        return Err(io::Error::other(format!(
            "others than root may write it: as root, chown root {path}; chmod go-w {path}"
        )));
    }
    let bytes = hostinfo_file::read_from(&file, hostinfo_file::SETTINGS_MAX)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    Sockets::parse(&text).map_err(io::Error::other)
}
