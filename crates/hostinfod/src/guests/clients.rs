//! Connections that guests make: up to [`CONNECTIONS_MAX`] each, over which a guest has one allowance.

use std::os::fd::OwnedFd;

use hostinfo_answer::{Dialect, Peer, Standing};
use hostinfo_wire::limits::{CONNECTION_IDLE, CONNECTIONS_MAX};

use super::Guests;
use crate::guest::peer;
use crate::port::{Port, To};
use crate::reactor::Ctx;
use crate::reactor::id::{GuestId, PortId};

/// Why a connection is closed at once.
#[derive(Debug, thiserror::Error)]
enum NoRoom {
    #[error(
        "it has {CONNECTIONS_MAX} connections, and said something over each in the last {} s: new ones are closed until it ends one",
        CONNECTION_IDLE.as_secs()
    )]
    Full,
    #[error(
        "a running domain of libvirt has this name and a port of its own, which is served: no other process may connect as this guest"
    )]
    Domains,
    #[error(
        "PID {now} connects as this guest, and PID {before} is connected as it: two processes cannot be one guest, so neither is served. End one, or take one of the guest's two ports away"
    )]
    TwoProcesses { before: i32, now: i32 },
}

impl Guests {
    /// Serves whoever has connected as that guest, where there is room for it.
    pub(super) fn admit(&mut self, guest: GuestId, fd: OwnedFd, to: To, ctx: &mut Ctx<'_>) {
        let room = match to {
            // A domain of libvirt's, or a VMM that is served already: its process is not in question.
            To::Vsock(_) => Ok(()),
            _ => self.check_process(guest, peer::of(&fd, &self.roots.proc), ctx),
        };
        if let Err(error) = room.and_then(|()| self.make_room(guest, ctx)) {
            if let Some(guest) = self.roster.guests.get_mut(guest)
                && guest.no_room.ask(ctx.now)
            {
                let guest = guest.who.name().whole();
                tracing::warn!(guest, "guest {guest}: {error}");
            }
            return;
        }
        let port = Port::new(guest, to, Dialect::Hostinfo, ctx.now);
        let number = self.roster.add_port(port, None);
        self.connect(number, fd, None, ctx);
        if self.roster.ports.get(number).is_some_and(|port| port.connection.is_none()) {
            self.remove_port(number, ctx);
        }
    }

    /// Looks whether a process may be a guest. One that was the guest's and has ended is hung up on.
    ///
    /// # Errors
    /// Where another one is it, which is hung up on as well.
    fn check_process(
        &mut self,
        number: GuestId,
        now: Option<Peer>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), NoRoom> {
        let Some(guest) = self.roster.guests.get(number) else { return Ok(()) };
        if let Standing::Domain(..) = guest.who.standing() {
            return Err(NoRoom::Domains);
        }
        let before = guest.who.peer().filter(|_| self.roster.is_connected(number));
        let another = before.filter(|before| !now.is_some_and(|now| before.is(now)));
        if let Some(before) = another {
            let still_runs = peer::now(before.pid, &self.roots.proc).is(before);
            self.hang_up_on_all(number, "another process connects as this guest", ctx);
            if still_runs {
                let now = now.map_or(0, |now| now.pid);
                return Err(NoRoom::TwoProcesses { before: before.pid, now });
            }
        }
        Ok(())
    }

    /// Makes room for one more connection.
    ///
    /// # Errors
    /// [`NoRoom::Full`].
    fn make_room(&mut self, number: GuestId, ctx: &mut Ctx<'_>) -> Result<(), NoRoom> {
        let clients = self.clients_of(number);
        if clients.len() < CONNECTIONS_MAX {
            return Ok(());
        }
        let idle_since = |port| self.roster.ports.get(port)?.connection.as_ref()?.idle_since();
        let idle = clients.into_iter().filter_map(|port| Some((idle_since(port)?, port))).min();
        match idle.filter(|(since, _)| ctx.now.duration_since(*since) >= CONNECTION_IDLE) {
            Some((_, port)) => {
                self.hang_up(port, "nothing was asked over it for long", ctx);
                Ok(())
            }
            None => Err(NoRoom::Full),
        }
    }

    /// A port that the daemon connects is its guest's before any connection that another process has made.
    pub(super) fn end_others(&mut self, number: PortId, now: Option<Peer>, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let is_same = guest.who.peer().zip(now).is_some_and(|(before, now)| before.is(now));
        let guest = port.guest;
        if is_same || matches!(port.to, To::Accepted(_) | To::Vsock(_)) {
            return;
        }
        let is_by_vmm = |to: &To| matches!(to, To::Accepted(_));
        let ports = self.roster.ports_of(guest).filter(|(_, port)| is_by_vmm(&port.to));
        let ports: Vec<PortId> = ports.map(|(port, _)| port).collect();
        for port in ports {
            self.hang_up(port, "another process has this guest's socket", ctx);
        }
    }

    fn clients_of(&self, guest: GuestId) -> Vec<PortId> {
        let ports = self.roster.ports_of(guest);
        let are_own = |to: &To| matches!(to, To::Accepted(_) | To::Vsock(_));
        ports.filter(|(_, port)| are_own(&port.to)).map(|(port, _)| port).collect()
    }

    fn hang_up_on_all(&mut self, number: GuestId, why: &str, ctx: &mut Ctx<'_>) {
        let ports = self.roster.ports_of(number).filter(|(_, port)| port.connection.is_some());
        let ports: Vec<PortId> = ports.map(|(port, _)| port).collect();
        ports.into_iter().for_each(|port| self.hang_up(port, why, ctx));
    }
}
