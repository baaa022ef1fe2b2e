//! The control socket, and who is connected to it. What they are answered is the server's.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod door;
mod group;
mod refused;
mod room;

use std::time::SystemTime;

use crate::reactor::id::{ClientId, Table};
use crate::settings;

use client::Client;
use door::Door;
use refused::Refused;

/// The socket, and those who are connected to it.
pub(crate) struct Control {
    settings: settings::Control,
    door: Option<Door>,
    /// Who is connected.
    pub(crate) clients: Table<ClientId, Client>,
    /// Who is told that there is no room.
    pub(crate) refused: Refused,
    /// When the daemon started.
    pub(crate) since: SystemTime,
    /// Events that watchers were not told.
    pub(crate) left_out: u64,
}

impl Control {
    /// Opens the socket. Guests are served without it too: where that fails, the log says so.
    pub(crate) fn open(settings: settings::Control) -> Self {
        let (clients, since) = (Table::default(), SystemTime::now());
        let refused = Refused::default();
        let mut control = Self { settings, door: None, clients, refused, since, left_out: 0 };
        control.open_door();
        control
    }

    /// Tries to open the socket.
    pub(crate) fn open_door(&mut self) {
        match Door::open(&self.settings) {
            Ok(door) => self.door = Some(door),
            Err(error) => tracing::error!("{error}; guests are served without a control socket"),
        }
    }

    /// The socket.
    pub(crate) fn door(&self) -> Option<&Door> {
        self.door.as_ref()
    }
}
