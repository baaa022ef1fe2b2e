//! Sockets that appear in the socket directories, and disappear from them.

use std::collections::HashSet;
use std::ffi::OsStr;

use hostinfo_answer::{Dialect, Name};
use rustix::fs::{AtFlags, FileType};

use super::Guests;
use super::standing::cannot_be_served;
use crate::audit::Event;
use crate::audit::quota::Permit;
use crate::port::retry::Retry;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, PortId};
use crate::sockets;
use crate::sockets::directory::{DirChange, SocketDir};
use crate::system::file_error::{FileError, TRY_AGAIN};

impl Guests {
    /// Handles the events of a directory.
    pub(crate) fn take_directory_changes(&mut self, dialect: Dialect, ctx: &mut Ctx<'_>) {
        let directory = self.directories.of_mut(dialect);
        let changes = directory.changes(ctx.now);
        ctx.reactor.set_alarm(Alarm::Sockets(dialect), directory.next_check());
        for change in changes {
            self.take_directory_change(dialect, change, ctx);
        }
        self.plan_next_try(ctx);
    }

    /// Looks again for what could not be looked at for a passing reason.
    pub(crate) fn try_directories_again(&mut self, ctx: &mut Ctx<'_>) {
        for dialect in Dialect::ALL {
            self.check_directory(dialect, ctx);
        }
        self.look_for_other_directories(ctx);
    }

    fn plan_next_try(&self, ctx: &mut Ctx<'_>) {
        let mut directories = Dialect::ALL.into_iter().map(|dialect| self.directories.of(dialect));
        if directories.any(SocketDir::is_to_be_tried_again) {
            ctx.reactor.set_alarm(Alarm::Directories, Some(ctx.now + TRY_AGAIN));
        }
    }

    /// Checks whether the directories' paths now lead elsewhere without any event.
    pub(crate) fn look_for_other_directories(&mut self, ctx: &mut Ctx<'_>) {
        for dialect in Dialect::ALL {
            if let Some(change) = self.directories.of_mut(dialect).look_for_another() {
                self.take_directory_change(dialect, change, ctx);
            }
        }
        self.plan_next_try(ctx);
    }

    fn take_directory_change(&mut self, dialect: Dialect, change: DirChange, ctx: &mut Ctx<'_>) {
        match change {
            DirChange::New(name) => {
                self.remove_socket_if_replaced(dialect, &name, ctx);
                self.check_new_socket(dialect, &name, ctx);
            }
            DirChange::Changed(name) => self.check_socket(dialect, &name, ctx),
            DirChange::Removed(name) => self.forget_unconnected(dialect, &name, ctx),
            DirChange::Renamed(name) => self.remove_socket_if_replaced(dialect, &name, ctx),
            DirChange::Everything => {
                self.check_directory(dialect, ctx);
                if dialect == Dialect::Hostinfo {
                    self.directories.look_for_the_second();
                    self.check_directory(Dialect::Vhostmd, ctx);
                }
            }
        }
    }

    /// Handles every name in a directory.
    pub(super) fn check_directory(&mut self, dialect: Dialect, ctx: &mut Ctx<'_>) {
        let directory = self.directories.of(dialect);
        if directory.directory().is_none() {
            return;
        }
        let mut names = match sockets::names(directory.path()) {
            Ok(names) => names,
            Err(error) => {
                let error = FileError::of(directory.path())(error);
                if error.is_passing() {
                    ctx.reactor.set_alarm(Alarm::Directories, Some(ctx.now + TRY_AGAIN));
                }
                return tracing::error!("{error}");
            }
        };
        // A daemon that starts has thousands of them: what is known of the last one's neighbours is in the CPU's caches.
        names.sort_unstable();
        let present: HashSet<&OsStr> = names.iter().map(|name| &**name).collect();
        let gone: Vec<String> = self
            .roster
            .sockets(dialect)
            .filter(|name| !present.contains(OsStr::new(name)))
            .map(str::to_owned)
            .collect();
        for name in gone {
            self.forget_unconnected(dialect, OsStr::new(&name), ctx);
        }
        // Each name is freed before the next guest is made, which then gets its memory.
        for name in names {
            self.remove_socket_if_replaced(dialect, &name, ctx);
            self.check_new_socket(dialect, &name, ctx);
        }
    }

    /// The same as [`Self::check_socket`] for one that was not known. If its name is no guest's, the log says so once, and
    /// not each time its mode is changed.
    fn check_new_socket(&mut self, dialect: Dialect, file_name: &OsStr, ctx: &mut Ctx<'_>) {
        if file_name.to_str().and_then(Name::parse).is_none() {
            return self.refuse_name(dialect, file_name);
        }
        self.check_socket(dialect, file_name, ctx);
    }

    /// Tries to connect to a name in a directory if it is not connected, starting with a first try.
    fn check_socket(&mut self, dialect: Dialect, file_name: &OsStr, ctx: &mut Ctx<'_>) {
        let Some(name) = file_name.to_str().and_then(Name::parse) else { return };
        let guest = match self.guest(&name, ctx.now) {
            Ok(guest) => guest,
            Err(error) => return cannot_be_served(&name, &error),
        };
        let number = self.roster.socket_of(guest, dialect).unwrap_or_else(|| {
            self.roster.add_port(Port::new(guest, Endpoint::Socket, dialect, ctx.now))
        });
        if let Some(port) = self.roster.ports.get_mut(number)
            && port.connection.is_none()
        {
            port.retry = Retry::default();
            port.since = ctx.now;
            self.try_connect(number, ctx);
        }
    }

    /// Forgets a socket.
    pub(super) fn remove_socket(&mut self, dialect: Dialect, name: &OsStr, ctx: &mut Ctx<'_>) {
        if let Some(number) = name.to_str().and_then(|name| self.roster.socket(dialect, name)) {
            self.remove_port(number, ctx);
        }
    }

    /// Removes a port.
    pub(super) fn remove_port(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        self.charge_unanswered(number, ctx);
        if let Some(guest) = self.roster.remove_port(number) {
            self.port_is_gone(number, guest, ctx);
        }
    }

    /// Cancels everything that was due for a removed port. Its guest may have no other port.
    pub(super) fn port_is_gone(&mut self, number: PortId, guest: GuestId, ctx: &mut Ctx<'_>) {
        ctx.reactor.set_alarm(Alarm::Port(number), None);
        ctx.reactor.set_alarm(Alarm::LookAgain(number), None);
        self.plan_for(guest, ctx);
        self.end_contest(guest, ctx);
        self.end_vsock_connections_without_port(guest, ctx);
    }

    /// Forgets a socket unless the file that is there now is the one it is connected to. An event
    /// may be out of date, and the connection newer than the event.
    fn remove_socket_if_replaced(&mut self, dialect: Dialect, name: &OsStr, ctx: &mut Ctx<'_>) {
        let port = name.to_str().and_then(|name| self.roster.socket(dialect, name));
        let Some(number) = port else { return };
        let connection = self.roster.ports.get(number).and_then(|port| port.connection.as_ref());
        let connected_to = connection.and_then(|connection| connection.file);
        let directory = self.directories.of(dialect).directory();
        let find = |directory| sockets::find(directory, name).ok().map(|(_, file)| file);
        // The file of a new name is not looked at here: a daemon that starts has thousands of them.
        if connected_to.is_none() || connected_to != directory.and_then(find) {
            self.remove_port(number, ctx);
        }
    }

    /// Forgets a socket that was removed, unless it is connected: a socket's file may go before its
    /// guest does.
    fn forget_unconnected(&mut self, dialect: Dialect, name: &OsStr, ctx: &mut Ctx<'_>) {
        let port = name.to_str().and_then(|name| self.roster.socket(dialect, name));
        let port = port.and_then(|number| self.roster.ports.get(number));
        if port.is_some_and(|port| port.connection.is_none()) {
            self.remove_socket(dialect, name, ctx);
        }
    }

    fn refuse_name(&self, dialect: Dialect, name: &OsStr) {
        let Some(directory) = self.directories.of(dialect).directory() else { return };
        let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
        let is = |kind| matches!(&found, Ok(stat) if FileType::from_raw_mode(stat.st_mode) == kind);
        if found.is_ok() && !is(FileType::Directory) {
            let (socket, why) = (&*name.to_string_lossy(), "its name is not $driver-$name");
            Event::SocketRefused { socket, why, permit: Permit::ALWAYS }.log();
        }
    }
}
