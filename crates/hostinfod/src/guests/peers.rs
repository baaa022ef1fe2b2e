//! Which process is at the other end of a port, and so is its guest.

use std::io;
use std::sync::Arc;

use hostinfo_answer::{Observed, Peer, Process};
use hostinfo_domains::Marks;
use hostinfo_peer::PeerSocket;
use hostinfo_sample::Absent;

use super::Guests;
use crate::guest::cmdline::TRIED_AGAIN_AFTER;
use crate::guest::{begin_session, cmdline, peer};
use crate::port::Endpoint;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::PortId;
use crate::sockets::{ConnectError, Found};

impl Guests {
    /// Sets which process a port's guest is, or why that is unknown. True if it is another process than
    /// before.
    pub(super) fn identify_peer(
        &mut self,
        number: PortId,
        peer: Result<Peer, Absent>,
        ctx: &mut Ctx<'_>,
    ) -> io::Result<bool> {
        let known = peer.as_ref().ok().copied();
        let (marks, cid) = known.map(|peer| self.look_at(number, peer, ctx)).unwrap_or_default();
        let Some((port, guest)) = self.roster.at(number) else { return Ok(false) };
        let libvirt = self.responder.libvirt();
        guest.marks = marks.map(Box::new);
        let name = guest.who.name().whole();
        let standing = libvirt.standing(name, guest.marks.as_deref(), guest.by_cid());
        let unknown = libvirt.unknown(name);
        let is_another = guest.who.connected(known, begin_session)?;
        if let Some(standing) = standing.or_else(|| is_another.then_some(unknown)) {
            guest.set_standing(standing, ctx.now);
        }
        // It may not have been read before, where that would have taken too long.
        if (is_another || guest.cid().is_none()) && guest.cid() != cid {
            guest.rare_mut().cid = cid;
        }
        if is_another {
            let (roots, files) = (Arc::clone(&self.roots), self.files.clone());
            guest.observed = Observed::new(peer.map(|peer| Process::new(roots, files, peer)));
            if let Some(rare) = &mut guest.rare {
                rare.asked_ahead = None;
            }
            let since = matches!(port.endpoint, Endpoint::Socket | Endpoint::Pattern(_))
                .then_some(port.since);
            let (guest, says_so) = (port.guest, port.endpoint.is_beside_vsock());
            if says_so {
                self.end_vsock_connections_of_vmm(guest, ctx);
            }
            self.decide_anew(guest, since, ctx);
        }
        Ok(is_another)
    }

    /// What libvirt has marked a guest's process with, if libvirt is asked, and its address on vsock(7), if guests may
    /// connect there. Of a domain's process, the cgroup says enough, and its command line is not read. Where that cannot be
    /// read soon, it is tried again.
    fn look_at(
        &mut self,
        number: PortId,
        peer: Peer,
        ctx: &mut Ctx<'_>,
    ) -> (Option<Marks>, Option<u32>) {
        let libvirt = self.responder.libvirt();
        let (is_asked, is_cid_wanted) = (libvirt.helper().is_some(), self.vsock.is_enabled());
        if !(is_asked || is_cid_wanted) {
            return (None, None);
        }
        let (proc, roster) = (&self.roots.proc, &mut self.roster);
        let mut again = None;
        let mut cmdline = |by_cgroup: Option<&Marks>| {
            let mut with_domains = by_cgroup.into_iter().zip(libvirt.known());
            if with_domains.any(|(marks, known)| marks.is_known_by_cgroup(known)) {
                return None;
            }
            let (_, guest) = roster.at(number)?;
            let read = cmdline::of(peer, proc, &mut guest.patience, ctx.now);
            again = read.is_err().then(|| ctx.now + TRIED_AGAIN_AFTER);
            read.ok().flatten()
        };
        let (marks, line) = match is_asked {
            true => peer::marks(peer, proc, cmdline),
            false => (None, peer::believed(cmdline(None), peer, proc)),
        };
        if again.is_some() {
            ctx.reactor.set_alarm(Alarm::LookAgain(number), again);
        }
        (marks, line.filter(|_| is_cid_wanted).and_then(|line| cmdline::cid(&line)))
    }

    /// Looks again at the process at the other end of a port: it was libvirt, or its command line could not be read soon.
    pub(crate) fn look_again(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        if port.is_early() {
            return self.identify_again(number, ctx);
        }
        let peer = guest.who.peer().filter(|_| port.connection.is_some());
        let (Some(peer), guest) = (peer, port.guest) else { return };
        self.set_peer(number, Ok(peer), ctx);
        self.reconsider(guest, ctx);
        self.plan_watch(guest, ctx);
    }

    /// Identifies the peer of an early connection. Either the guest has sent something, so QEMU has
    /// the socket by now, and a new connection shows QEMU as the peer. Or the guest is to be
    /// watched and some time has passed; then the socket may still be libvirt's. This connection is
    /// closed again before QEMU accepts it.
    pub(crate) fn identify_again(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        self.identify_again_by(number, None, ctx);
    }

    /// The same, where the socket has been `found` already.
    pub(super) fn identify_again_by(
        &mut self,
        number: PortId,
        found: Option<Found>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(port) = self.roster.ports.get(number).filter(|port| port.is_early()) else {
            return;
        };
        let guest = port.guest;
        if self.has_unclosed(guest) {
            return;
        }
        match self.dial(number, found, ctx.now) {
            Some(Ok((socket, _))) => self.identify_by(number, &socket, ctx),
            Some(Err(ConnectError::Denied)) => self.ask_opener(number, ctx),
            None | Some(Err(_)) => {}
        }
        self.plan_watch(guest, ctx);
    }

    /// Identifies the peer of an early connection by another connection to the same socket.
    pub(super) fn identify_by(&mut self, number: PortId, socket: &PeerSocket, ctx: &mut Ctx<'_>) {
        let peer = peer::of(socket, &self.roots.proc, ctx.now);
        if matches!(peer, Ok(found) if found.is_libvirt) {
            return;
        }
        let Some(port) = self.roster.ports.get_mut(number) else { return };
        if let Some(connection) = &mut port.connection {
            connection.is_early = false;
        }
        let guest = port.guest;
        self.set_peer(number, peer.map(|found| found.peer), ctx);
        self.plan_watch(guest, ctx);
    }

    fn set_peer(&mut self, number: PortId, peer: Result<Peer, Absent>, ctx: &mut Ctx<'_>) {
        if let Err(error) = self.identify_peer(number, peer, ctx)
            && let Some((_, guest)) = self.roster.at(number)
        {
            guest.log_no_session(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use hostinfo_answer::{Dialect, Name};
    use hostinfo_file::aside;
    use hostinfo_peer::Unclosed;
    use hostinfo_sample::Roots;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use crate::guests::VsockState;
    use crate::guests::tests::guests;
    use crate::port::Port;
    use crate::port::connection::Connection;
    use crate::reactor::Reactor;
    use crate::settings::vsock::Vsock;

    #[test]
    fn a_command_line_that_could_not_be_read_soon_is_read_after_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        guests.vsock = VsockState::new(Vsock { enabled: true, ..Vsock::default() });
        let proc = folder.path().join("proc");
        let process = proc.join("7");
        guests.roots = Arc::new(Roots { proc, sys: "/sys".into() });
        fs::create_dir_all(&process).unwrap();
        let stat = "7 (qemu) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n";
        fs::write(process.join("stat"), stat).unwrap();
        // Whoever opens it waits, as in the kernel.
        let cmdline = process.join("cmdline");
        mknodat(CWD, &cmdline, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
        let (_far_end, fd) = UnixStream::pair().unwrap();
        let fd = PeerSocket::new(fd.into(), Unclosed::default());
        let connection = Some(Connection::new(fd, None, Dialect::Hostinfo, ctx.now));
        let port = Port::new(guest, Endpoint::Socket, Dialect::Hostinfo, ctx.now);
        let number = guests.roster.add_port(Port { connection, ..port });
        let peer = Peer { pid: 7, start: Some(100) };
        guests.identify_peer(number, Ok(peer), ctx).unwrap();
        assert_eq!(guests.roster.guests.get(guest).unwrap().cid(), None);
        drop(File::options().write(true).open(&cmdline).unwrap());
        assert!(aside::finish(Duration::from_secs(60)));
        fs::remove_file(&cmdline).unwrap();
        fs::write(&cmdline, "qemu\0-device\0vhost-vsock-pci,guest-cid=3\0").unwrap();
        ctx.now += TRIED_AGAIN_AFTER;
        assert_eq!(ctx.reactor.due(ctx.now), Some(Alarm::LookAgain(number)));
        guests.look_again(number, ctx);
        assert_eq!(guests.roster.guests.get(guest).unwrap().cid(), Some(3));
        assert_eq!(ctx.reactor.due(ctx.now + TRIED_AGAIN_AFTER), None, "it is read");
    }
}
