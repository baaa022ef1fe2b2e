//! The daemon as a whole: how it does, what it counted, which rules are in force.

use hostinfo_control::limits::MISSING_MAX;
use hostinfo_control::{GuestState, Missing, Place, Rules, Stats, Status, timestamp};

use crate::port::dialect::Dialect;
use crate::server::Server;
use crate::settings::Settings;

impl Server {
    /// What the daemon does, and what is wrong with what it needs.
    pub(super) fn status(&mut self) -> Status {
        let libvirt = self.desk.libvirt().state();
        let engine = self.desk.engine();
        let host = engine.host().missing();
        let missing = host.map(|(source, absent)| {
            let remedy = absent.remedy.as_deref().unwrap_or_default();
            Missing { source: source.to_owned(), why: format!("{}: {remedy}", absent.reason) }
        });
        let customs = engine.given.customs.absent().filter_map(|(name, guest, absent)| {
            let remedy = absent.remedy.as_deref()?;
            let of = if guest.is_empty() { "" } else { " of " };
            Some(Missing { source: format!("custom.{name}{of}{guest}"), why: remedy.to_owned() })
        });
        let missing = missing.chain(customs).take(MISSING_MAX).collect();
        let states = self.states();
        let absent = states.get(&GuestState::Absent).copied().unwrap_or_default();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(self.control.since),
            settings: Place {
                path: Settings::path(&self.args).display().to_string(),
                problem: self.settings_problem.clone(),
            },
            socket_dir: Place {
                path: self.paths.socket_dir.display().to_string(),
                problem: self.directories.of(Dialect::Hostinfo).problem().map(str::to_owned),
            },
            guests: states.values().sum::<u64>() - absent,
            connected: states.get(&GuestState::Connected).copied().unwrap_or_default(),
            rules: self.rules.state(),
            libvirt,
            missing,
        }
    }

    /// The rules in force.
    pub(super) fn rules_in_force(&self) -> Rules {
        Rules { state: self.rules.state(), text: self.rules.in_force().text.clone() }
    }

    /// The daemon's own figures, one by one.
    pub(super) fn stats(&mut self) -> Stats {
        Stats { since: timestamp(self.control.since), figures: self.metrics().figures() }
    }
}
