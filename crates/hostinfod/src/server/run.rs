//! The loop: sleeps until an event, and passes it to the part it concerns.

use std::io;
use std::time::Instant;

use hostinfo_domains::Helper;
use hostinfo_open::Sockets;
use hostinfo_wire::limits::{ROUND_WORK, TURN_WORK};

use super::Server;
use super::beginning::Clients;
use super::start::cannot;
use crate::admin::Daemon;
use crate::confinement::Confinement;
use crate::handover::GuestsState;
use crate::reactor::Ready;
use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::settings::hybrid::Hybrids;
use crate::settings::vsock::Vsock;
use crate::system::descriptors::Incoming;
use crate::system::systemd;

impl Server {
    /// Serves guests, those of `sockets` too, until a signal ends it.
    ///
    /// # Errors
    /// The system failed the loop itself. No guest and no file can cause that.
    pub(super) fn run(
        mut self,
        sockets: &Sockets,
        listen: Hybrids,
        vsock: Vsock,
        before: Option<(GuestsState, Incoming)>,
        clients: Option<Clients>,
        confinement: Confinement,
    ) -> anyhow::Result<()> {
        self.wait_for_all().map_err(cannot("wait for events"))?;
        // First, since what it does for guests can start threads.
        self.upgrade.confined = confinement.enter();
        self.guests.begin(sockets, listen, vsock, before, &mut self.reactor.now());
        let every = systemd::watchdog();
        self.reactor.set_alarm(Alarm::Watchdog, every.map(|every| Instant::now() + every));
        match clients {
            None => systemd::ready(),
            // The service manager need not know: to it, this is the same process, which is ready all along.
            Some(clients) => clients.tell(self.guests.count_connected()),
        }
        let mut ready = Vec::new();
        loop {
            self.guests.go_on_with_disks(&mut self.reactor);
            self.guests.set_deadlines(&mut self.reactor);
            self.reactor.wait(&mut ready).map_err(cannot("wait for events"))?;
            self.guests.begin_round();
            self.guests.prefetch(ready.iter().map(|event| event.token));
            for event in &ready {
                if event.token == Token::Stop {
                    systemd::stopping();
                    self.guests.end();
                    return Ok(());
                }
                self.on_ready(*event);
                self.send_event();
            }
            self.take_work();
            // Then those whose turn was put off, such as a guest that floods. A round is bounded, so
            // that whatever has become ready in the meantime does not wait for all of them.
            self.guests.begin_round();
            let (now, mut work) = (Instant::now(), 0);
            while work < ROUND_WORK
                && let Some(alarm) = self.reactor.due(now)
            {
                self.on_alarm(alarm);
                self.send_event();
                work += self.take_work().saturating_add(TURN_WORK);
            }
            self.logging.tell_left_out();
        }
    }

    fn wait_for_all(&mut self) -> io::Result<()> {
        self.guests.wait_for_all(&self.reactor)?;
        self.reactor.add(&self.signals.stop, Token::Stop, Interest::Read)?;
        self.reactor.add(&self.signals.reload, Token::Reload, Interest::Read)?;
        self.reactor.add(&self.signals.upgrade, Token::Upgrade, Interest::Read)
    }

    /// A descriptor is ready.
    fn on_ready(&mut self, Ready { token, hung_up }: Ready) {
        let Self { settings, logging, guests, control, scrape, reactor, .. } = self;
        let (ctx, socket, metrics) = (&mut reactor.now(), control.state(), scrape.place());
        match token {
            // The loop has ended.
            Token::Stop => {}
            Token::Reload => self.reload(),
            Token::Upgrade => {
                self.signals.clear_upgrade();
                self.begin_upgrade();
            }
            Token::Check => self.check_has_ended(),
            Token::Rules | Token::Sockets(_) | Token::Pattern(_) | Token::Section(_) => {
                guests.take_changes(token, ctx);
            }
            Token::Opener => guests.opener_is_ready(ctx),
            Token::Libvirt => guests.hear_helper(ctx),
            Token::Custom => self.take_values(),
            Token::Disks => guests.log_failed_disks(ctx.now),
            Token::Looks => guests.take_late_looks(ctx),
            Token::Port(port) => guests.turn(port, hung_up, ctx),
            Token::Vsock => guests.accept_over_vsock(ctx),
            Token::Unidentified(peer) => guests.on_unidentified_ready(peer, hung_up, ctx),
            Token::Control => control.accept(ctx),
            Token::Client(client) => {
                let daemon = &mut Daemon { guests, settings, logging, socket, metrics };
                control.on_ready(client, hung_up, daemon, ctx);
                if control.take_wish_to_upgrade() {
                    self.begin_upgrade();
                }
            }
            Token::Scrape => scrape.accept(ctx),
            Token::Scraper(scraper) => {
                scrape.on_ready(
                    scraper,
                    &mut Daemon { guests, settings, logging, socket, metrics },
                    ctx,
                );
            }
        }
    }

    /// An alarm is due.
    fn on_alarm(&mut self, alarm: Alarm) {
        let Self { settings, logging, guests, control, scrape, reactor, .. } = self;
        let (ctx, socket, metrics) = (&mut reactor.now(), control.state(), scrape.place());
        match alarm {
            Alarm::Check => self.check_is_late(),
            Alarm::Rules => guests.reload_rules(ctx),
            Alarm::Watchdog => {
                systemd::alive();
                let next = systemd::watchdog().map(|every| ctx.now + every);
                ctx.reactor.set_alarm(alarm, next);
            }
            Alarm::Custom => self.take_values(),
            Alarm::Port(port) => guests.on_port_alarm(port, ctx),
            Alarm::Watches => guests.go_on_watching(ctx),
            Alarm::Sockets(dialect) => guests.take_directory_changes(dialect, ctx),
            Alarm::Pattern(pattern) => guests.take_pattern_changes(pattern, ctx),
            Alarm::Section(section) => guests.take_section_changes(section, ctx),
            Alarm::Looks => guests.report_held_looks(ctx),
            Alarm::Watch(guest) => guests.watch(guest, ctx),
            Alarm::Definitions => guests.reload_customs(ctx),
            Alarm::Vsock => guests.resume_vsock(ctx),
            Alarm::Unidentified(peer) => guests.on_unidentified_alarm(peer, ctx),
            Alarm::LookAgain(port) => guests.identify_again(port, ctx),
            Alarm::CommandLine(guest) => guests.read_command_line_again(guest, ctx),
            Alarm::Opener => guests.give_up_on_opener(ctx),
            Alarm::UnidentifiedLeftOut => guests.log_unidentified_left_out(ctx),
            Alarm::RefusedPeersLeftOut => guests.log_refused_peers_left_out(ctx),
            Alarm::Incidents => guests.write_incidents(ctx.now),
            Alarm::LeftOut(guest) => guests.log_left_out(guest, ctx),
            Alarm::Directories => guests.try_directories_again(ctx),
            Alarm::Disk(guest) => guests.write_disk(guest, ctx),
            Alarm::HeldDisks => guests.log_held_disks(ctx.now),
            Alarm::Libvirt => guests.turn_of_helper(Helper::on_time, ctx),
            Alarm::HelperPause => guests.resume_helper(),
            Alarm::HelperLeftOut => guests.log_helper_errors(ctx),
            Alarm::Client(client) => {
                control.on_alarm(
                    client,
                    &mut Daemon { guests, settings, logging, socket, metrics },
                    ctx,
                );
                if control.take_wish_to_upgrade() {
                    self.begin_upgrade();
                }
            }
            Alarm::Control => control.resume(ctx),
            Alarm::Refused => control.hang_up_on_refused(ctx),
            Alarm::Scraper(scraper) => scrape.hang_up(scraper, ctx),
            Alarm::Scrape => scrape.resume(ctx),
        }
    }

    /// Units of work done since the last call.
    fn take_work(&mut self) -> u32 {
        self.guests.take_work().saturating_add(self.control.take_work())
    }

    /// Values that guests and previews wait for may have arrived.
    fn take_values(&mut self) {
        let ctx = &mut self.reactor.now();
        if self.guests.take_values(ctx) {
            self.control.wake_previews(ctx);
        }
    }

    /// Sends the event of the last turn, if a client watches.
    fn send_event(&mut self) {
        let Some(event) = self.guests.take_event() else { return };
        let Self { settings, logging, guests, control, scrape, reactor, .. } = self;
        let (socket, metrics) = (control.state(), scrape.place());
        let daemon = &mut Daemon { guests, settings, logging, socket, metrics };
        control.send_event(&event, daemon, &mut reactor.now());
    }
}
