//! The loop: sleeps until something has come about, and gives whoever it concerns its turn.

use std::io;
use std::time::Instant;

use anyhow::Context as _;

use hostinfo_answer::Dialect;

use super::{
    Alarm, CONTROL, CUSTOM, FIRST_CLIENT, FIRST_PORT, FIRST_SCRAPER, LIBVIRT, RELOAD, RULES,
    SCRAPE, SOCKETS, STOP, Server, VHOSTMD_SOCKETS,
};
use crate::system::poll::{Interest, Ready};
use crate::system::systemd;

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
            self.alarms.set(Alarm::Incidents, self.incidents.due());
            self.poll.wait(self.alarms.next(), &mut ready).context("epoll")?;
            for event in &ready {
                match event.token {
                    STOP => {
                        systemd::stopping();
                        self.incidents.write_all();
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
            self.logging.tell_left_out();
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
            Alarm::LookAgain(port) => self.meet_again(port, now),
            Alarm::Incidents => self.write_incidents(now),
            Alarm::LeftOut(guest) => self.log_left_out(guest, now),
            Alarm::Disk(guest) => self.write_disk(guest, now),
            Alarm::Libvirt => self.libvirt_is_due(now),
            Alarm::Client(client) => self.client_rings(client),
            Alarm::Door => self.open_the_door(),
            Alarm::Refused => self.hang_up_on_refused(now),
            Alarm::Scraper(scraper) => self.drop_scraper(scraper),
            Alarm::Scrape => self.await_scrapers(Interest::Read),
        }
    }
}
