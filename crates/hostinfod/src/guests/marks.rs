//! What shows at the process that is a guest, and who the guest is by that. Its command line may have to be read again.

use std::time::Instant;

use hostinfo_answer::Peer;
use hostinfo_domains::Marks;
use hostinfo_sample::{Absent, Vmm};

use super::Guests;
use crate::guest::cmdline::TRIED_AGAIN_AFTER;
use crate::guest::{Guest, cmdline, peer};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

/// What a process shows that is a guest.
#[derive(Default)]
struct Shown {
    /// What libvirt has marked it with, if libvirt is asked.
    marks: Option<Marks>,
    /// Its address on vsock(7), if guests may connect there.
    cid: Option<u32>,
    /// Whether its command line could not be read soon.
    is_unread: bool,
}

/// Has a guest's command line read again if it could not be read soon.
pub(super) fn plan_to_read_again(number: GuestId, guest: &Guest, ctx: &mut Ctx<'_>) {
    let again = guest.is_unread.then(|| ctx.now + TRIED_AGAIN_AFTER);
    ctx.reactor.set_alarm(Alarm::CommandLine(number), again);
}

impl Guests {
    /// Sets what the process shows that is a guest, and the guest's standing by that. `is_another` says whether it was
    /// another before.
    pub(super) fn look_at(
        &mut self,
        number: GuestId,
        peer: Result<Peer, &Absent>,
        is_another: bool,
        ctx: &mut Ctx<'_>,
    ) {
        let Shown { marks, cid, is_unread } = match peer {
            Ok(peer) => self.shown_by(number, peer, ctx.now),
            Err(why) if *why == Vmm::HANDED_ON => {
                Shown { marks: Some(Marks::of_nobody()), ..Shown::default() }
            }
            Err(_) => Shown::default(),
        };
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let libvirt = self.responder.libvirt();
        guest.marks = marks.map(Box::new);
        guest.is_unread = is_unread;
        plan_to_read_again(number, guest, ctx);
        let name = guest.who.name().whole();
        let standing = libvirt.standing(name, guest.since, guest.marks.as_deref(), guest.by_cid());
        let unknown = is_another.then(|| libvirt.unknown(name, guest.marks.as_deref()));
        if let Some(standing) = standing.or(unknown) {
            guest.set_standing(standing, ctx.now);
        }
        // It may not have been read before, where that would have taken too long.
        if (is_another || guest.cid().is_none()) && guest.cid() != cid {
            guest.rare_mut().cid = cid;
        }
    }

    /// What a guest's process shows. Of a domain's process, the cgroup says enough, and its command line is not read.
    fn shown_by(&mut self, number: GuestId, peer: Peer, now: Instant) -> Shown {
        let libvirt = self.responder.libvirt();
        let (is_asked, is_cid_wanted) = (libvirt.helper().is_some(), self.vsock.is_enabled());
        if !(is_asked || is_cid_wanted) {
            return Shown::default();
        }
        let (proc, guests) = (&self.roots.proc, &mut self.roster.guests);
        let mut is_unread = false;
        let mut cmdline = |by_cgroup: Option<&Marks>| {
            let mut with_domains = by_cgroup.into_iter().zip(libvirt.known());
            if with_domains.any(|(marks, known)| marks.is_known_by_cgroup(known)) {
                return None;
            }
            let read = cmdline::of(peer, proc, &mut guests.get_mut(number)?.patience, now);
            is_unread = read.is_err();
            read.ok().flatten()
        };
        let (marks, line) = match is_asked {
            true => {
                let (marks, line) = peer::marks(peer, proc, cmdline);
                // It has ended by now, or hides its command line, and no cgroup says what it is.
                (Some(marks.unwrap_or_else(Marks::of_nobody)), line)
            }
            false => (None, peer::believed(cmdline(None), peer, proc)),
        };
        let cid = line.filter(|_| is_cid_wanted).and_then(|line| cmdline::cid(&line));
        Shown { marks, cid, is_unread }
    }

    /// Reads a command line again that could not be read soon: whether or not its process is served meanwhile, it is what
    /// the guest is known by.
    pub(crate) fn read_command_line_again(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let guest = self.roster.guests.get(number).filter(|guest| guest.is_unread);
        let Some(peer) = guest.and_then(|guest| guest.who.peer()) else { return };
        if !self.runs(peer) {
            return;
        }
        self.look_at(number, Ok(peer), false, ctx);
        self.reconsider(number, ctx);
        self.plan_for(number, ctx);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use hostinfo_answer::{Dialect, Name};
    use hostinfo_file::aside;
    use hostinfo_peer::{PeerSocket, Unclosed};
    use hostinfo_sample::Roots;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use crate::guests::VsockState;
    use crate::guests::tests::guests;
    use crate::port::connection::Connection;
    use crate::port::{Endpoint, Port};
    use crate::reactor::Reactor;
    use crate::settings::vsock::Vsock;
    use crate::system::descriptors::{Incoming, Outgoing};

    const VMM: Peer = Peer { pid: 7, start: Some(100) };

    /// A daemon whose `/proc` is below a directory, and has the VMM of a guest. Whoever opens its command line waits, as in
    /// the kernel.
    pub(in crate::guests) fn guests_of_vmm(below: &Path, pid: i32) -> Guests {
        let mut guests = guests(below);
        guests.vsock = VsockState::new(Vsock { enabled: true, ..Vsock::default() });
        let proc = below.join("proc");
        let process = proc.join(pid.to_string());
        guests.roots = Arc::new(Roots { proc, sys: "/sys".into() });
        if !process.exists() {
            fs::create_dir_all(&process).unwrap();
            let stat = format!("{pid} (qemu) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n");
            fs::write(process.join("stat"), stat).unwrap();
            mknodat(CWD, process.join("cmdline"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        }
        guests
    }

    /// The VMM is the guest's, and its command line cannot be read soon.
    fn connect(guests: &mut Guests, ctx: &mut Ctx<'_>) -> (GuestId, UnixStream) {
        let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
        let (far_end, fd) = UnixStream::pair().unwrap();
        let fd = PeerSocket::new(fd.into(), Unclosed::default());
        let connection = Some(Connection::new(fd, None, Dialect::Hostinfo, ctx.now));
        let port = Port::new(guest, Endpoint::Socket, Dialect::Hostinfo, ctx.now);
        let number = guests.roster.add_port(Port { connection, ..port });
        guests.identify_peer(number, Ok(VMM), ctx).unwrap();
        assert_eq!(guests.roster.guests.get(guest).unwrap().cid(), None);
        (guest, far_end)
    }

    /// Whether the command line is read after a minute, since the VMM lets go.
    fn is_read_after_a_minute(guests: &mut Guests, guest: GuestId, ctx: &mut Ctx<'_>) -> bool {
        let cmdline = guests.roots.proc.join("7/cmdline");
        drop(File::options().write(true).open(&cmdline).unwrap());
        assert!(aside::finish(Duration::from_secs(60)));
        fs::remove_file(&cmdline).unwrap();
        fs::write(&cmdline, "qemu\0-device\0vhost-vsock-pci,guest-cid=3\0").unwrap();
        ctx.now += TRIED_AGAIN_AFTER;
        let mut is_due = || {
            std::iter::from_fn(|| ctx.reactor.due(ctx.now))
                .any(|due| due == Alarm::CommandLine(guest))
        };
        if is_due() {
            guests.read_command_line_again(guest, ctx);
        }
        ctx.now += TRIED_AGAIN_AFTER;
        let mut due = std::iter::from_fn(|| ctx.reactor.due(ctx.now));
        assert!(!due.any(|due| due == Alarm::CommandLine(guest)), "it is read");
        guests.roster.guests.get(guest).unwrap().cid() == Some(3)
    }

    #[test]
    fn a_command_line_that_could_not_be_read_soon_is_read_after_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let (mut guests, mut reactor) =
            (guests_of_vmm(folder.path(), VMM.pid), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let (guest, _far_end) = connect(&mut guests, ctx);
        assert!(is_read_after_a_minute(&mut guests, guest, ctx));
    }

    #[test]
    fn a_command_line_that_could_not_be_read_soon_is_read_although_its_vmm_is_refused_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let (mut guests, mut reactor) =
            (guests_of_vmm(folder.path(), VMM.pid), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let (guest, _far_end) = connect(&mut guests, ctx);
        guests.contest(guest, Some(VMM), None, ctx);
        assert!(!guests.roster.is_connected(guest));
        assert!(is_read_after_a_minute(&mut guests, guest, ctx));
    }

    #[test]
    fn a_command_line_that_could_not_be_read_soon_is_read_after_an_upgrade() {
        let folder = tempfile::tempdir().unwrap();
        let (mut before, mut reactor) =
            (guests_of_vmm(folder.path(), VMM.pid), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let (_, _far_end) = connect(&mut before, ctx);
        let state = before.hand_over(&mut Outgoing::default());
        drop(before);
        let (mut after, mut reactor) =
            (guests_of_vmm(folder.path(), VMM.pid), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        after.take_over(state, Incoming::default(), ctx);
        let guest = after.roster.named("qemu-a").unwrap();
        assert!(is_read_after_a_minute(&mut after, guest, ctx));
    }
}
