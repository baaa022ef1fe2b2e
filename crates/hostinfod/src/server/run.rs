//! The loop: sleeps until something has come about, and gives whoever it concerns its turn.

use std::io;
use std::time::Instant;

use anyhow::Context as _;

use hostinfo_answer::Dialect;
use hostinfo_wire::limits::{ROUND_WORK, TURN_WORK};

use super::Server;
use crate::reactor::Ready;
use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
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
        self.reactor
            .set_alarm(Alarm::Watchdog, systemd::watchdog().map(|every| Instant::now() + every));
        systemd::ready();
        let mut ready = Vec::new();
        loop {
            self.reactor.set_alarm(Alarm::Libvirt, self.desk.libvirt().next_deadline());
            self.reactor.set_alarm(Alarm::Custom, self.desk.given().customs.next_deadline());
            self.reactor.set_alarm(Alarm::Incidents, self.incidents.due());
            self.reactor.wait(&mut ready).context("epoll")?;
            for event in &ready {
                if event.token == Token::Stop {
                    systemd::stopping();
                    self.incidents.write_all();
                    return Ok(());
                }
                self.is_ready(*event);
            }
            self.desk.take_work();
            self.reactor.set_alarm(Alarm::Rules, self.rules.due());
            let now = Instant::now();
            // Whoever was put off, such as one who floods, has his turn; and before all of those had theirs,
            // whoever has come meanwhile.
            let mut work = 0;
            while work < ROUND_WORK
                && let Some(alarm) = self.reactor.due(now)
            {
                self.ring(alarm, now);
                work += self.desk.take_work().saturating_add(TURN_WORK);
            }
            self.logging.tell_left_out();
        }
    }

    fn watch_all(&mut self) -> io::Result<()> {
        let reactor = &self.reactor;
        reactor.add(&self.signals.stop, Token::Stop, Interest::Read)?;
        reactor.add(&self.signals.reload, Token::Reload, Interest::Read)?;
        reactor.add(self.rules.watcher(), Token::Rules, Interest::Read)?;
        reactor.add(&self.desk.given().customs, Token::Custom, Interest::Read)?;
        for dialect in Dialect::ALL {
            let watcher = self.directories.of(dialect).watcher();
            reactor.add(watcher, Token::Sockets(dialect), Interest::Read)?;
        }
        if let Some(helper) = self.desk.libvirt().helper() {
            reactor.add(helper, Token::Libvirt, Interest::Read)?;
        }
        if let Some(door) = self.control.door() {
            reactor.add(door, Token::Control, Interest::Read)?;
        }
        if let Some(place) = self.scrape.place() {
            reactor.add(place, Token::Scrape, Interest::Read)?;
        }
        Ok(())
    }

    /// Something has come about on a descriptor.
    fn is_ready(&mut self, Ready { token, hung_up }: Ready) {
        match token {
            // The loop has ended.
            Token::Stop => {}
            Token::Reload => self.reload(),
            Token::Rules => self.rules.take_changes(Instant::now()),
            Token::Sockets(dialect) => self.take_news(dialect),
            Token::Libvirt => self.libvirt_is_ready(Instant::now()),
            Token::Custom => self.take_values(Instant::now()),
            Token::Control => self.let_in(),
            Token::Scrape => self.let_scraper_in(Instant::now()),
            Token::Port(port) => self.turn(port, hung_up),
            Token::Client(client) => self.client_is_ready(client, hung_up),
            Token::Scraper(scraper) => self.scraper_is_ready(scraper, Instant::now()),
        }
    }

    fn ring(&mut self, alarm: Alarm, now: Instant) {
        match alarm {
            Alarm::Rules => self.reload_rules(),
            Alarm::Watchdog => {
                systemd::alive();
                self.reactor.set_alarm(alarm, systemd::watchdog().map(|every| now + every));
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
