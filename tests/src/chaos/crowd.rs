//! All guests, in one thread: each asks, waits and asks again, and whatever comes is judged.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::excuse::Harm;
use super::guest::Number;
use super::judge::{Asked, judge};
use super::member::{Member, Outcome};
use super::situation::{LONGEST, Situation};

/// How often the guests look whether it is their time.
const TURN: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// After libvirt was away, each guest has asked for its figures and got them after this time: it asks every 0.7 s.
const FIGURES_WITHIN: Duration = Duration::from_secs(4);

/// What a fault has guests do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Bind their sockets again, each at its path.
    StartAnew,
    /// Each guest whose number is a multiple of this ends its connection.
    HangUp(Number),
    /// Are all of them connected and answered since then?
    AreAllServed(Instant),
    /// End.
    Stop,
}

/// A command, and where to say that it was done.
pub(crate) type Order = (Command, Sender<Result<bool>>);

/// The guests.
pub(crate) struct Crowd {
    members: Vec<Member>,
    last_answers: Vec<Option<Instant>>,
    situation: Arc<Mutex<Situation>>,
    orders: Receiver<Order>,
    /// When the guests last looked: what came since has waited for them.
    last_turn: Instant,
}

impl Crowd {
    /// As many guests, whose sockets are in that directory.
    pub(crate) fn new(
        guests: Number,
        directory: &Path,
        situation: Arc<Mutex<Situation>>,
        orders: Receiver<Order>,
    ) -> Result<Self> {
        let now = Instant::now();
        let members: Result<Vec<Member>> =
            (0..guests).map(|number| Member::new(number, directory, now)).collect();
        let members = members?;
        let last_answers = vec![None; members.len()];
        Ok(Self { members, last_answers, situation, orders, last_turn: now })
    }

    /// Serves until it is ordered to stop.
    ///
    /// # Errors
    /// The system fails.
    pub(crate) fn run(mut self) -> Result<()> {
        loop {
            self.wait()?;
            while let Ok((command, done)) = self.orders.try_recv() {
                let result = match command {
                    Command::Stop => return Ok(()),
                    Command::StartAnew => {
                        self.members.iter_mut().try_for_each(Member::start_anew).map(|()| true)
                    }
                    Command::HangUp(every) => {
                        let chosen = self.members.iter_mut().filter(|it| it.number % every == 0);
                        chosen.for_each(Member::hang_up);
                        Ok(true)
                    }
                    Command::AreAllServed(since) => {
                        Ok(self.last_answers.iter().all(|last| *last > Some(since)))
                    }
                };
                let _ = done.send(result);
            }
            self.turn();
        }
    }

    /// Waits until something has come, or a moment has passed.
    fn wait(&self) -> Result<()> {
        let listeners = self.members.iter().map(|it| PollFd::new(&it.listener, PollFlags::IN));
        let streams = self.members.iter().filter_map(|it| it.stream.as_ref());
        let streams = streams.map(|stream| PollFd::new(stream, PollFlags::IN));
        let mut all: Vec<PollFd<'_>> = listeners.chain(streams).collect();
        match poll(&mut all, Some(&TURN)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("poll"),
        }
    }

    fn turn(&mut self) {
        let Self { members, last_answers, situation, last_turn, .. } = self;
        let situation = &mut *situation.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let unseen = now - std::mem::replace(last_turn, now);
        situation.settle_rules(now);
        let kept = situation.kept_from_running();
        for (member, last_answer) in members.iter_mut().zip(last_answers) {
            match member.read(now) {
                Outcome::Nothing => {}
                Outcome::HungUp => {
                    member.hang_up();
                    if !situation.excuses.covers(Harm::Waiting, now) {
                        let number = member.number;
                        situation.breach(format!("guest {number} has lost its connection"));
                    }
                }
                Outcome::Answered(reply) => {
                    *last_answer = Some(now);
                    answered(member, reply, situation, now, kept);
                }
            }
            member.accept();
            member.ask(now, kept);
            overdue(member, situation, now, kept, unseen);
        }
    }
}

fn answered(
    member: &mut Member,
    reply: Result<super::reply::Reply, String>,
    situation: &mut Situation,
    now: Instant,
    kept: Duration,
) {
    let sent = member.sent.unwrap_or(now);
    if let Some((since, kept_then)) = member.is_answered()
        && !situation.excuses.covers(Harm::Waiting, since)
    {
        let waited = (now - since).saturating_sub(kept.saturating_sub(kept_then));
        situation.longest = situation.longest.max(waited);
    }
    situation.replies += 1;
    let asked = Asked {
        guest: member.number,
        sent,
        not_before: member.not_before,
        has_figures: sent > situation.figures_since + FIGURES_WITHIN,
    };
    let judged = reply.and_then(|reply| {
        let judged = judge(&reply, asked, situation.known, &situation.history, &situation.excuses);
        judged.map_err(|why| format!("{why}: {reply:?}"))
    });
    match judged {
        Ok(index) => member.not_before = index,
        Err(why) => situation.breach(format!("guest {}: {why}", member.number)),
    }
}

/// Nobody waits longer than [`LONGEST`] once that is not excused.
fn overdue(
    member: &mut Member,
    situation: &mut Situation,
    now: Instant,
    kept: Duration,
    unseen: Duration,
) {
    let Some((since, kept_then)) = member.waits else { return };
    let kept = kept.saturating_sub(kept_then);
    let Some(calm_from) = situation.excuses.calm_from(Harm::Waiting) else { return };
    let until = calm_from.max(Some(since + LONGEST));
    let is_late = until.is_some_and(|until| now > until + kept + unseen);
    if is_late && !member.is_reported {
        member.is_reported = true;
        let what = if member.stream.is_some() { "an answer" } else { "a connection" };
        situation.breach(format!(
            "guest {} has waited {:.3} s for {what}",
            member.number,
            (now - since).as_secs_f64()
        ));
    }
}
