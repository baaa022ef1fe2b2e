//! The daemon as a whole: its state, its metrics (`figures` has their values), and the rules in force.

use std::collections::HashSet;

use hostinfo_answer::Dialect;
use hostinfo_control::limits::{MISSING_MAX, RULES_TEXT_MAX};
use hostinfo_control::{
    GuestState, Missing, Place, Rules, Stats, Status, Watched, WhyWithout, Without, timestamp,
};
use hostinfo_sample::{Absent, Lack};

use super::Daemon;
use crate::reactor::id::GuestId;

impl Daemon<'_> {
    /// What the daemon does, and what is wrong with the things it needs.
    pub(super) fn status(&self) -> Status {
        let libvirt = self.guests.engine().libvirt().state();
        let socket_dir = self.guests.directories().of(Dialect::Hostinfo);
        let (missing, without) = (self.missing(), self.without());
        let states = self.states();
        let (guests, left_out) = self.guests.watched().count();
        let limit = self.guests.watched().max as u64;
        let absent = states.get(&GuestState::Absent).copied().unwrap_or_default();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(self.socket.since),
            settings: self.settings.state(),
            socket_dir: Place {
                path: socket_dir.path().display().to_string(),
                problem: self.guests.directories().problem().map(str::to_owned),
            },
            sockets: self.guests.places().collect(),
            custom_dir: self.guests.custom_dir(),
            metrics: self.metrics.as_deref().cloned(),
            guests: states.values().sum::<u64>() - absent,
            connected: states.get(&GuestState::Connected).copied().unwrap_or_default(),
            rules: self.guests.rules().state(),
            watched: Watched { guests, left_out, limit },
            libvirt,
            missing,
            without,
        }
    }

    /// Sources that are missing and could be there: of the host, of custom statistics, and of
    /// guests that are connected.
    fn missing(&self) -> Vec<Missing> {
        let ports = self.guests.roster().ports.iter().filter(|(_, port)| port.connection.is_some());
        let connected: HashSet<GuestId> = ports.map(|(_, port)| port.guest).collect();
        let is_connected = |guest: &str| {
            self.guests.roster().named(guest).is_some_and(|number| connected.contains(&number))
        };
        let engine = self.guests.engine();
        let of_host = engine
            .host()
            .missing()
            .filter_map(|(file, absent)| missing(file.to_owned(), absent.advice(), absent));
        let customs = engine.admin_values().customs.absent().filter_map(|(name, guest, absent)| {
            let remedy = absent.remedy().map(str::to_owned);
            missing(of(&format!("custom.{name}"), guest), remedy, absent)
        });
        let of_guests = engine.host().missing_of_guests();
        let of_guests = of_guests
            .filter(|(guest, ..)| is_connected(guest))
            .filter_map(|(guest, file, absent)| missing(of(file, guest), absent.advice(), absent));
        of_host.chain(customs).chain(of_guests).take(MISSING_MAX).collect()
    }

    /// Sources that the host does without, with nothing wrong.
    fn without(&self) -> Vec<Without> {
        let without = self.guests.engine().host().without().filter_map(|(file, absent)| {
            let why = match absent.lack {
                Lack::Unsupported => WhyWithout::Unsupported,
                Lack::Chosen | Lack::Optional(_) => WhyWithout::Chosen,
                Lack::Passing | Lack::Fault(_) => return None,
            };
            let (source, what) = (file.to_owned(), absent.without());
            Some(Without { source, what, why, count: absent.count })
        });
        without.collect()
    }

    /// The rules in force.
    pub(super) fn rules_in_force(&self) -> Rules {
        let text = self.guests.rules().in_force().text.as_ref();
        let text = text.filter(|text| text.len() <= RULES_TEXT_MAX).cloned();
        Rules { state: self.guests.rules().state(), text }
    }

    /// The daemon's own metrics, one by one.
    pub(super) fn stats(&self) -> Stats {
        Stats { since: timestamp(self.socket.since), figures: self.metrics().figures() }
    }
}

fn missing(source: String, why: Option<String>, absent: &Absent) -> Option<Missing> {
    Some(Missing { source, why: why?, count: absent.count })
}

fn of(source: &str, guest: &str) -> String {
    if guest.is_empty() { source.to_owned() } else { format!("{source} of {guest}") }
}
