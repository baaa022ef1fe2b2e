//! Places of sockets that somebody holds: the loop goes on with what was found there late, and the log names what is held.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostinfo_file::aside;

use super::Guests;
use crate::audit::quota::Permit;
use crate::port::{Endpoint, Port};
use crate::reactor::alarms::Alarm;
use crate::reactor::id::PortId;
use crate::reactor::{Ctx, Reactor};
use crate::sockets::place::is_held;

/// Late looks that are taken in one turn of the loop, each of which takes as long as a change of a socket: all places have an
/// equal share, of one look at least.
const TAKEN_MAX: usize = 64;

/// How long the daemon waits for its threads before it ends or another program goes on.
pub(super) const FINISHED_WITHIN: Duration = Duration::from_secs(1);

impl Guests {
    /// Goes on with what has been looked at late.
    pub(crate) fn take_late_looks(&mut self, ctx: &mut Ctx<'_>) {
        self.looks_ended.clear();
        let (patterns, sections) = (self.patterns.dirs.ids(|_| true), self.sections.ids(|_| true));
        let most = TAKEN_MAX.div_ceil(patterns.len() + sections.len() + 1);
        patterns.into_iter().for_each(|number| self.take_late_sockets(number, most, ctx));
        sections.into_iter().for_each(|id| self.take_late_listeners(id, most, ctx));
        self.take_late_channels(most, ctx);
        self.give_up_earlier_sockets();
    }

    /// Sees to it that what is being looked at is reported if it is held.
    pub(super) fn plan_report_of_looks(&self, reactor: &mut Reactor) {
        let patterns = self.patterns.dirs.iter().map(|(_, pattern)| pattern.next_held_check());
        let sections = self.sections.iter().map(|(_, section)| section.place.next_held_check());
        let next = patterns.chain(sections).chain([self.channels.next_check()]).flatten().min();
        reactor.set_alarm(Alarm::Looks, next);
    }

    /// Waits, at most so long, until no thread looks at anything. A process that ends, or executes another program,
    /// waits in the kernel for as long as its threads do.
    ///
    /// # Errors
    /// A thread is held: why, and the remedy.
    pub(super) fn finish_looks(&self, until: Instant) -> Result<(), String> {
        if aside::finish(until.saturating_duration_since(Instant::now())) {
            return Ok(());
        }
        let patterns = self.patterns.dirs.iter().find_map(|(_, pattern)| pattern.held());
        let sections = || self.sections.iter().find_map(|(_, section)| section.place.held());
        let held = patterns
            .or_else(sections)
            .or_else(|| self.channels.held().map(|(_, path)| path.clone()));
        // Otherwise it is a command line, a file of custom.d, or a socket of a [[listen]] that was taken out; or it is held only
        // just now.
        Err(held.map_or_else(something_is_held, |path| is_held(&path)))
    }

    /// Reports what has come to be held.
    pub(crate) fn report_held_looks(&mut self, ctx: &mut Ctx<'_>) {
        let held = self.newly_held(ctx.now);
        for (path, port) in held {
            let why = is_held(&path);
            let Some(number) = port else {
                self.log_held_of_nobody(&why, ctx.now);
                continue;
            };
            if let Some(port) = self.roster.ports.get_mut(number).filter(|port| !is_served(port)) {
                port.refusal = Some(why.clone());
            }
            self.log_refused(number, &why, ctx);
        }
    }

    /// Logs that a place is held, or a directory of one that is no guest yet, within their quota: whoever may list a directory
    /// can let it go and hold it again.
    fn log_held_of_nobody(&mut self, why: &str, now: Instant) {
        if let Some(Permit { left_out }) = self.others.ask(now) {
            tracing::error!(left_out, "{why}");
        }
    }

    /// What has come to be held: the path, and the guest's port.
    fn newly_held(&mut self, now: Instant) -> Vec<(PathBuf, Option<PortId>)> {
        let channels = self.channels.newly_held(now).into_iter();
        let channels = channels.filter(|(port, path)| self.has_channel(*port, path));
        let channels: Vec<_> = channels.map(|(port, path)| (path, Some(port))).collect();
        let patterns = self.patterns.dirs.iter_mut();
        let patterns = patterns.flat_map(|(_, pattern)| pattern.newly_held(now));
        let sections = self.sections.iter_mut();
        let sections = sections.flat_map(|(_, section)| section.place.newly_held(now));
        patterns.chain(sections).chain(channels).collect()
    }

    /// A path to a port's socket is held no more.
    pub(super) fn forget_held(&mut self, number: PortId, path: &Path) {
        if let Some(port) = self.roster.ports.get_mut(number) {
            port.refusal.take_if(|refusal| *refusal == is_held(path));
        }
    }
}

/// The same where it is not known what is held.
fn something_is_held() -> String {
    // Not by the program's name: any user can start one of that name.
    let this = std::process::id();
    format!(
        "a process keeps a thread of hostinfod waiting in the kernel: end that process; cat /proc/{this}/task/*/stack shows where"
    )
}

/// Whether its guest can ask over a port, although the place of its socket is held.
fn is_served(port: &Port) -> bool {
    match &port.endpoint {
        Endpoint::Listener(listener) => listener.socket.is_some(),
        _ => port.connection.is_some(),
    }
}

#[cfg(test)]
mod tests;
