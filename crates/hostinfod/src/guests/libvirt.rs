//! libvirt's helper in the loop: its turns, and what follows from its answers.

use std::time::{Duration, Instant};

use hostinfo_domains::Helper;

use super::Guests;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;

/// A turn of the helper that took longer than this is followed by a pause: something was computed anew for all domains and
/// guests. To read [`CHUNK`](hostinfo_domains::limits::CHUNK) bytes takes a tenth of it.
const LONG: Duration = Duration::from_millis(10);

/// How many times as long as the turn the pause is: a helper that was taken over, and reports change after change, gets a
/// third of the daemon's time.
const PAUSE: u32 = 2;

/// The longest pause. It is half of what a new socket waits to learn whose it is, and a fifth of the time after which a
/// helper that does not answer counts as one that hangs.
const PAUSE_MAX: Duration = Duration::from_secs(1);

impl Guests {
    /// Logs what the helper has written to standard error, and how many lines of it were left out, when that is due.
    pub(crate) fn log_helper_errors(&mut self, ctx: &mut Ctx<'_>) {
        self.responder.libvirt().log_errors(ctx);
    }

    /// The helper has sent something.
    pub(crate) fn hear_helper(&mut self, ctx: &mut Ctx<'_>) {
        let begun = Instant::now();
        self.turn_of_helper(Helper::on_ready, ctx);
        self.pause_helper(begun.elapsed(), ctx);
    }

    /// Does not listen to the helper for a while if its turn `took` long.
    fn pause_helper(&mut self, took: Duration, ctx: &mut Ctx<'_>) {
        if took > LONG {
            self.responder.libvirt().helper().into_iter().for_each(Helper::pause);
            let pause = took.saturating_mul(PAUSE).min(PAUSE_MAX);
            ctx.reactor.set_alarm(Alarm::HelperPause, Some(ctx.now + pause));
        }
    }

    /// The helper is listened to again after a pause.
    pub(crate) fn resume_helper(&mut self) {
        if let Some(helper) = self.responder.libvirt().helper()
            && let Err(error) = helper.resume()
        {
            tracing::error!("cannot wait for hostinfo-libvirt: {error}");
        }
    }

    /// Gives the helper its turn: it has sent something, a deadline of it has come, or another program is about to take this
    /// one's place.
    pub(crate) fn turn_of_helper(
        &mut self,
        turn: impl FnOnce(&mut Helper, Instant) -> bool,
        ctx: &mut Ctx<'_>,
    ) {
        let update = self.responder.libvirt().turn(|helper| turn(helper, ctx.now), ctx.now);
        self.log_helper_errors(ctx);
        let Some(update) = update else { return };
        self.figures_have_come(ctx);
        if update.concerns_guests {
            self.update_standings(ctx);
        }
        if let Some(before) = update.before {
            self.end_vsock_connections(ctx);
            self.find_channels(ctx);
            self.plan_disks_since(&before, ctx);
            self.log_kept_ports(&before, ctx.now);
        }
        self.identify_vsock_peers(ctx);
        for port in update.waited {
            self.try_connect(port, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::{AsFd as _, AsRawFd as _};

    use crate::guests::tests::guests;
    use crate::libvirt::Libvirt;
    use crate::reactor::token::Token;
    use crate::reactor::{Reactor, Ready};
    use hostinfo_domains::Message;
    use hostinfo_domains::limits::DEADLINE;

    #[test]
    fn after_what_takes_long_the_helper_is_not_listened_to_for_a_while_and_then_again() {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let mut guests = guests(folder.path());
        let helper = Libvirt::helper_that_says(&[Message::Done(0)]);
        *guests.responder.libvirt() = Libvirt::asked_by(helper);
        guests.responder.libvirt().begin(Instant::now());
        guests.wait_for_all(&reactor).unwrap();
        guests.turn_of_helper(Helper::on_time, &mut reactor.now());
        let mut ready = Vec::new();
        let mut hears = |reactor: &mut Reactor, within: Duration| {
            let until = Instant::now() + within;
            while Instant::now() < until
                && !ready.iter().any(|one: &Ready| one.token == Token::Libvirt)
            {
                reactor.set_alarm(Alarm::Watchdog, Some(until));
                reactor.wait(&mut ready).unwrap();
            }
            std::mem::take(&mut ready).iter().any(|one| one.token == Token::Libvirt)
        };
        assert!(hears(&mut reactor, DEADLINE));
        guests.pause_helper(LONG, &mut reactor.now());
        assert!(hears(&mut reactor, DEADLINE), "that is not long");
        guests.pause_helper(Duration::from_secs(60), &mut reactor.now());
        assert!(!hears(&mut reactor, Duration::from_millis(100)));
        let mut due = std::iter::from_fn(|| reactor.due(Instant::now() + DEADLINE));
        assert!(due.any(|alarm| alarm == Alarm::HelperPause));
        guests.resume_helper();
        assert!(hears(&mut reactor, DEADLINE));
    }

    #[test]
    fn no_other_epoll_is_waited_for_since_any_user_can_keep_others_from_adding_to_such_a_one() {
        let (folder, reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let mut guests = guests(folder.path());
        *guests.responder.libvirt() = Libvirt::asked_by(Libvirt::helper_that_says(&[]));
        guests.responder.libvirt().begin(Instant::now());
        guests.wait_for_all(&reactor).unwrap();
        let epoll = reactor.of_part(Token::Libvirt).as_fd().as_raw_fd();
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap();
        let number =
            |line: &str| line.strip_prefix("tfd:")?.split_whitespace().next().map(str::to_owned);
        let awaited = about.lines().filter_map(number);
        let files: Vec<_> =
            awaited.map(|fd| fs::read_link(format!("/proc/self/fd/{fd}")).unwrap()).collect();
        assert!(files.iter().any(|file| file.ends_with("anon_inode:[eventfd]")), "{files:?}");
        assert!(!files.iter().any(|file| file.ends_with("anon_inode:[eventpoll]")), "{files:?}");
    }
}
