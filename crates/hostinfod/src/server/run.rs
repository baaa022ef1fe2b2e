//! The loop: sleeps until something has come about, and gives whoever it concerns its turn.

use std::io;
use std::time::Instant;

use anyhow::Context as _;

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
        self.wait_for_all().context("epoll")?;
        self.guests.begin(&mut self.reactor.now());
        let every = systemd::watchdog();
        self.reactor.set_alarm(Alarm::Watchdog, every.map(|every| Instant::now() + every));
        systemd::ready();
        let mut ready = Vec::new();
        loop {
            self.guests.set_deadlines(&mut self.reactor);
            self.reactor.wait(&mut ready).context("epoll")?;
            for event in &ready {
                if event.token == Token::Stop {
                    systemd::stopping();
                    self.guests.end();
                    return Ok(());
                }
                self.on_ready(*event);
                self.tell_watchers();
            }
            self.guests.take_work();
            self.guests.set_deadlines(&mut self.reactor);
            // Whoever was put off, such as one who floods, has his turn; and before all of those had theirs,
            // whoever has come meanwhile.
            let (now, mut work) = (Instant::now(), 0);
            while work < ROUND_WORK
                && let Some(alarm) = self.reactor.due(now)
            {
                self.on_alarm(alarm);
                self.tell_watchers();
                work += self.guests.take_work().saturating_add(TURN_WORK);
            }
            self.logging.tell_left_out();
        }
    }

    fn wait_for_all(&mut self) -> io::Result<()> {
        self.guests.wait_for_all(&self.reactor)?;
        let reactor = &self.reactor;
        reactor.add(&self.signals.stop, Token::Stop, Interest::Read)?;
        reactor.add(&self.signals.reload, Token::Reload, Interest::Read)?;
        if let Some(door) = self.control.door() {
            reactor.add(door, Token::Control, Interest::Read)?;
        }
        if let Some(place) = self.scrape.place() {
            reactor.add(place, Token::Scrape, Interest::Read)?;
        }
        Ok(())
    }

    /// Something has come about on a descriptor.
    fn on_ready(&mut self, Ready { token, hung_up }: Ready) {
        let ctx = &mut self.reactor.now();
        match token {
            // The loop has ended.
            Token::Stop => {}
            Token::Reload => self.reload(),
            Token::Rules => self.guests.take_rules_changes(ctx.now),
            Token::Sockets(dialect) => self.guests.take_news(dialect, ctx),
            Token::Libvirt => self.guests.libvirt_is_ready(ctx),
            Token::Custom => self.take_values(),
            Token::Control => self.let_in(),
            Token::Scrape => self.let_scraper_in(Instant::now()),
            Token::Port(port) => self.guests.turn(port, hung_up, ctx),
            Token::Client(client) => self.client_is_ready(client, hung_up),
            Token::Scraper(scraper) => self.scraper_is_ready(scraper, Instant::now()),
        }
    }

    /// The time of somebody has come.
    fn on_alarm(&mut self, alarm: Alarm) {
        let ctx = &mut self.reactor.now();
        let now = ctx.now;
        match alarm {
            Alarm::Rules => self.guests.reload_rules(ctx),
            Alarm::Watchdog => {
                systemd::alive();
                ctx.reactor.set_alarm(alarm, systemd::watchdog().map(|every| now + every));
            }
            Alarm::Custom => self.take_values(),
            Alarm::Port(port) => self.guests.on_port_alarm(port, ctx),
            Alarm::Watch(guest) => self.guests.watch(guest, ctx),
            Alarm::LookAgain(port) => self.guests.identify_again(port, ctx),
            Alarm::Incidents => self.guests.write_incidents(now),
            Alarm::LeftOut(guest) => self.guests.log_left_out(guest, ctx),
            Alarm::Disk(guest) => self.guests.write_disk(guest, ctx),
            Alarm::Libvirt => self.guests.libvirt_is_due(ctx),
            Alarm::Client(client) => self.client_rings(client),
            Alarm::Door => self.open_the_door(),
            Alarm::Refused => self.hang_up_on_refused(now),
            Alarm::Scraper(scraper) => self.drop_scraper(scraper),
            Alarm::Scrape => self.await_scrapers(Interest::Read),
        }
    }

    /// Values may have come that guests and previews wait for.
    fn take_values(&mut self) {
        let ctx = &mut self.reactor.now();
        if self.guests.take_values(ctx) {
            let now = ctx.now;
            self.wake_previews(now);
        }
    }
}
