//! The loop: sleeps until something has come about, and gives whoever it concerns its turn.

mod arrivals;
mod channels;
mod turns;

use std::io;
use std::time::Instant;

use anyhow::Context as _;

use crate::answer::desk::Desk;
use crate::args::Args;
use crate::audit::Event;
use crate::control::Control;
use crate::disks::Disks;
use crate::guest::identity::Identity;
use crate::guest::roster::Roster;
use crate::logging::Logging;
use crate::port::dialect::Dialect;
use crate::rules_file::RulesFile;
use crate::scrape::Scrape;
use crate::settings::{Paths, Settings};
use crate::sockets::directories::Directories;
use crate::system::alarms::Alarms;
use crate::system::poll::{Interest, Poll, Ready};
use crate::system::signals::Signals;
use crate::system::systemd;

/// Everything that the daemon holds.
pub(crate) struct Server {
    pub(crate) args: Args,
    pub(crate) paths: Paths,
    pub(crate) logging: Logging,
    pub(crate) identity: Identity,
    pub(crate) rules: RulesFile,
    pub(crate) directories: Directories,
    pub(crate) roster: Roster,
    pub(crate) disks: Disks,
    pub(crate) desk: Desk,
    pub(crate) control: Control,
    pub(crate) scrape: Scrape,
    pub(crate) signals: Signals,
    pub(crate) poll: Poll,
    pub(crate) alarms: Alarms<Alarm>,
}

/// Who is to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alarm {
    /// The rules file has settled.
    Rules,
    /// The service manager wants a sign of life.
    Watchdog,
    /// A command of the administrator's is past its deadline. Comes before those who wait for it.
    Custom,
    /// A port is to be tried, or its guest may go on, or has not read for too long.
    Port(usize),
    /// A guest that asks for verdicts is due for a sample.
    Watch(usize),
    /// What was left out of the log about a guest is to be said.
    LeftOut(usize),
    /// A guest's metrics disk is to be written.
    Disk(usize),
    /// libvirt's helper is to be started, or did not answer in time.
    Libvirt,
    /// A client of the control socket may go on, or has not read for too long.
    Client(usize),
    /// People are let in at the control socket again.
    Door,
    /// The time of one who reads the metrics over HTTP is over.
    Scraper(usize),
    /// Others who do are let in again.
    Scrape,
}

const STOP: u64 = 0;
const RELOAD: u64 = 1;
const RULES: u64 = 2;
const SOCKETS: u64 = 3;
const VHOSTMD_SOCKETS: u64 = 4;
const LIBVIRT: u64 = 5;
const CUSTOM: u64 = 6;
/// That of the control socket.
pub(crate) const CONTROL: u64 = 7;
/// That of those who read the metrics over HTTP.
pub(crate) const SCRAPE: u64 = 8;
const FIRST_PORT: u64 = 9;
/// Far more than there are descriptors.
const FIRST_CLIENT: u64 = 1 << 32;
const FIRST_SCRAPER: u64 = 2 << 32;

/// The token of a port's connection.
pub(crate) fn token(port: usize) -> u64 {
    FIRST_PORT + port as u64
}

/// The token of a client of the control socket.
pub(crate) fn client_token(client: usize) -> u64 {
    FIRST_CLIENT + client as u64
}

/// The token of one who reads the metrics over HTTP.
pub(crate) fn scraper_token(scraper: usize) -> u64 {
    FIRST_SCRAPER + scraper as u64
}

impl Server {
    /// Serves until a signal ends it.
    ///
    /// # Errors
    /// Where the system fails the loop itself: nothing that a guest or a file can cause.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        self.watch_all().context("epoll")?;
        self.desk.libvirt().begin(Instant::now());
        Dialect::ALL.into_iter().for_each(|dialect| self.look_at_all(dialect));
        self.plan_disks(Instant::now());
        self.alarms.set(Alarm::Watchdog, systemd::watchdog().map(|every| Instant::now() + every));
        systemd::ready();
        let mut ready = Vec::new();
        loop {
            self.alarms.set(Alarm::Libvirt, self.desk.libvirt().next_deadline());
            self.alarms.set(Alarm::Custom, self.desk.given().customs.next_deadline());
            self.poll.wait(self.alarms.next(), &mut ready).context("epoll")?;
            for event in &ready {
                match event.token {
                    STOP => {
                        systemd::stopping();
                        return Ok(());
                    }
                    RELOAD => self.reload(),
                    RULES => self.rules.take_changes(Instant::now()),
                    SOCKETS => self.take_news(Dialect::Hostinfo),
                    VHOSTMD_SOCKETS => self.take_news(Dialect::Vhostmd),
                    LIBVIRT => self.libvirt_is_ready(Instant::now()),
                    CUSTOM => self.take_values(Instant::now()),
                    CONTROL => self.let_in(),
                    SCRAPE => self.let_scraper_in(Instant::now()),
                    FIRST_SCRAPER.. => self.scraper(event),
                    FIRST_CLIENT.. => self.client(event),
                    _ => self.port_is_ready(event),
                }
            }
            self.alarms.set(Alarm::Rules, self.rules.due());
            let now = Instant::now();
            while let Some(alarm) = self.alarms.due(now) {
                self.ring(alarm, now);
            }
        }
    }

    fn watch_all(&mut self) -> io::Result<()> {
        self.poll.add(&self.signals.stop, STOP, Interest::Read)?;
        self.poll.add(&self.signals.reload, RELOAD, Interest::Read)?;
        self.poll.add(self.rules.watcher(), RULES, Interest::Read)?;
        self.poll.add(&self.desk.given().customs, CUSTOM, Interest::Read)?;
        for (dialect, token) in [(Dialect::Hostinfo, SOCKETS), (Dialect::Vhostmd, VHOSTMD_SOCKETS)]
        {
            self.poll.add(self.directories.of(dialect).watcher(), token, Interest::Read)?;
        }
        if let Some(helper) = self.desk.libvirt().helper() {
            self.poll.add(helper, LIBVIRT, Interest::Read)?;
        }
        if let Some(door) = self.control.door() {
            self.poll.add(door, CONTROL, Interest::Read)?;
        }
        if let Some(place) = self.scrape.place() {
            self.poll.add(place, SCRAPE, Interest::Read)?;
        }
        Ok(())
    }

    fn port_is_ready(&mut self, event: &Ready) {
        if let Ok(port) = usize::try_from(event.token - FIRST_PORT) {
            self.turn(port, event.hung_up);
        }
    }

    fn client(&mut self, event: &Ready) {
        if let Ok(client) = usize::try_from(event.token - FIRST_CLIENT) {
            self.client_is_ready(client, event.hung_up);
        }
    }

    fn scraper(&mut self, event: &Ready) {
        if let Ok(scraper) = usize::try_from(event.token - FIRST_SCRAPER) {
            self.scraper_is_ready(scraper, Instant::now());
        }
    }

    fn ring(&mut self, alarm: Alarm, now: Instant) {
        match alarm {
            Alarm::Rules => self.reload_rules(),
            Alarm::Watchdog => {
                systemd::alive();
                self.alarms.set(alarm, systemd::watchdog().map(|every| now + every));
            }
            Alarm::Custom => self.take_values(now),
            Alarm::Port(port) => self.port_rings(port, now),
            Alarm::Watch(guest) => self.watch(guest, now),
            Alarm::LeftOut(guest) => self.log_left_out(guest, now),
            Alarm::Disk(guest) => self.write_disk(guest, now),
            Alarm::Libvirt => self.libvirt_is_due(now),
            Alarm::Client(client) => self.client_rings(client),
            Alarm::Door => self.open_the_door(),
            Alarm::Scraper(scraper) => self.drop_scraper(scraper),
            Alarm::Scrape => self.await_scrapers(Interest::Read),
        }
    }

    /// SIGHUP.
    fn reload(&mut self) {
        self.signals.clear_reload();
        self.rules.ask(Instant::now());
        match Settings::load(&self.args) {
            Ok(settings) => {
                self.logging.reload(&settings.log);
                self.desk.set_flow(settings.flow);
                self.desk.given().labels = settings.labels;
                tracing::info!(
                    "settings read again; paths and the log's output change with the next start"
                );
            }
            Err(error) => tracing::error!("the settings stay as they were: {error}"),
        }
        self.reload_customs();
        self.look_for_the_control_socket();
    }

    fn reload_rules(&mut self) {
        match self.rules.reload() {
            Ok(false) => {}
            Ok(true) => {
                let now = Instant::now();
                for (number, guest) in &mut self.roster.guests {
                    if guest.grant.vhostmd_disk() {
                        self.alarms.set(Alarm::Disk(number), Some(now));
                    }
                    guest.come_under(self.rules.rules().decide(guest.name.whole()), now);
                }
                self.plan_disks(now);
            }
            Err(error) => {
                Event::RulesRefused { file: &self.paths.rules, why: &error.to_string() }.log();
            }
        }
    }
}
