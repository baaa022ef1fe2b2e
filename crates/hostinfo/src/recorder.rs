//! What is recorded of both views: samples, and news of the host. When they are taken is up to `sampler`.

mod answer;
mod figures;
mod reasons;

use std::time::{Duration, Instant};

use hostinfo_wire::text::printable;

use crate::diagnose::conclude::absent;
use crate::exit::Failure;
pub(crate) use crate::recorder::answer::Answer;
use crate::recorder::figures::{add_host, add_own};
use crate::recorder::reasons::Reasons;
use crate::recording::{Entry, Heard, Sample, is_same_incident};
use crate::system::page_size;
use crate::verdict::RESOURCES;
use crate::views::dated::{DatedReply, PRESENT};
use crate::views::hosts::HostView;
use crate::views::own::Moment;
use crate::views::reply::Reply;
use crate::views::roots::Roots;

/// How soon to ask again where no host has answered twice in a row, at the latest, and as a multiple of the time that
/// the attempt took: during an attempt, no other program can use the port. One failure may be a daemon that is
/// restarted, and that there is no device is known at once.
const AWAY_MAX: Duration = Duration::from_secs(30);
const AWAY_TIMES: u32 = 4;

/// What became of the last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It was answered, perhaps with "too soon". So it is before the first request.
    Answered,
    /// There was a host, or another program had the port.
    Failed,
    /// There was no host.
    Absent,
}

impl Last {
    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::NoHost { .. } | Failure::NoDevice(_) => Self::Absent,
            _ => Self::Failed,
        }
    }
}

/// The state from the last sample.
pub(crate) struct Recorder {
    roots: Roots,
    /// Whether every new reason is reported.
    is_live: bool,
    moment: Option<Moment>,
    /// When it began.
    begun: Option<Instant>,
    newest: Option<DatedReply>,
    /// Do not ask the host before this time.
    not_before: Option<Instant>,
    last: Last,
    silence: String,
    guest: String,
    host: String,
    incident: String,
    /// For each resource.
    reasons: [Reasons; RESOURCES.len()],
}

impl Recorder {
    pub(crate) fn new(roots: Roots) -> Self {
        Self {
            roots,
            is_live: false,
            moment: None,
            begun: None,
            newest: None,
            not_before: None,
            last: Last::Answered,
            silence: String::new(),
            guest: String::new(),
            host: String::new(),
            incident: String::new(),
            reasons: Default::default(),
        }
    }

    /// The same for a live view.
    pub(crate) fn live(roots: Roots) -> Self {
        Self { is_live: true, ..Self::new(roots) }
    }

    /// The time that must pass between two queries of this guest, if its host has reported it.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.newest.as_ref()?.reply.interval()
    }

    /// Why the host does not answer, and what its user can do about it. Empty if it answers.
    pub(crate) fn silence(&self) -> &str {
        &self.silence
    }

    /// When the host gave its newest answer.
    pub(crate) fn taken(&self) -> Option<Instant> {
        self.newest.as_ref().map(|newest| newest.taken)
    }

    /// How long the host may not be asked yet, if it said so. One that does not answer said nothing.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let not_before = self.not_before.filter(|_| self.last == Last::Answered)?;
        not_before.checked_duration_since(Instant::now())
    }

    /// Whether the host may be asked.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|not_before| now >= not_before)
    }

    /// Looks at this guest for the first time, unless it has been looked at: what both sides count is only known
    /// between two moments. Returns whether it was the first time.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        let is_first = self.moment.is_none();
        if is_first {
            self.moment = Some(Moment::take(&self.roots, now));
            self.begun = Some(now);
        }
        is_first
    }

    /// Takes one sample, and collects news: with the host's answer, if there is one since the last sample.
    pub(crate) fn take(&mut self, answer: Option<Answer>, time: i64, now: Instant) -> Vec<Entry> {
        let mut sample = Sample::at(time, Heard::TooSoon);
        let mut entries = Vec::new();
        match answer {
            None if self.last != Last::Answered => sample.heard = Heard::Silence,
            None => {}
            Some(Answer { lines: Ok(lines), came, .. }) => {
                self.last = Last::Answered;
                self.silence.clear();
                let dated = DatedReply::new(&lines, came);
                let age = dated.age(came).unwrap_or_default();
                let is_repeated =
                    self.newest.as_ref().is_some_and(|before| dated.is_same_as(before));
                if is_repeated || age > PRESENT {
                    // A broker keeps it. Until it asks the host again, there is no news.
                    self.not_before = dated.wait(came).map(|wait| came + wait);
                }
                // A recording has nothing from before it began, on which there is no sample.
                let is_old = self.begun.is_some_and(|begun| dated.is_from_before(begun));
                if !is_repeated {
                    entries.extend(self.news(time, &dated.reply));
                    if self.is_live || !is_old {
                        entries.extend(self.reasons(time, &dated.reply, came));
                    }
                    if is_old {
                        self.newest = Some(dated);
                    } else {
                        self.hear(&mut sample, dated);
                    }
                }
            }
            Some(Answer { lines: Err(failure), asked, came }) => match failure.too_soon() {
                Some(wait) => {
                    self.last = Last::Answered;
                    self.not_before = Some(came + wait);
                }
                None => {
                    sample.heard = Heard::Silence;
                    let why = self.begin_silence(&failure, asked, came);
                    entries.extend(why.map(|why| Entry::Silence { time, why }));
                }
            },
        }
        let moment = Moment::take(&self.roots, now);
        if let Some(before) = self.moment.replace(moment.clone()) {
            // This program itself is running while it counts.
            let running = self.roots.stat().map(|stat| stat.running.saturating_sub(1));
            let running = running.and_then(|running| u32::try_from(running).ok()).map(f64::from);
            add_own(&mut sample, &before.until(&moment, running, page_size()));
            entries.push(Entry::Sample(sample));
        }
        entries
    }

    /// The host does not answer. Returns why, unless that is known from its last silence.
    fn begin_silence(
        &mut self,
        failure: &Failure,
        asked: Instant,
        came: Instant,
    ) -> Option<String> {
        let before = std::mem::replace(&mut self.last, Last::of(failure));
        let is_away = (before, self.last) == (Last::Absent, Last::Absent);
        let pause = AWAY_TIMES * came.duration_since(asked);
        self.not_before = is_away.then_some(came + pause.min(AWAY_MAX));
        let told = line(failure.to_string().lines().next().unwrap_or_default());
        if told == self.silence {
            return None;
        }
        // Whoever reads a recording cannot follow advice to whoever made it.
        let why = match self.is_live {
            true => told.clone(),
            false => line(&failure.cause(self.newest.is_some())),
        };
        self.silence = told;
        Some(why)
    }

    /// What the host reports that it did not report before, besides verdicts.
    fn news(&mut self, time: i64, reply: &Reply) -> Vec<Entry> {
        let mut news = Vec::new();
        let guest = line(&reply.guest().unwrap_or_default());
        if guest != self.guest {
            self.guest.clone_from(&guest);
            news.push(Entry::Guest { time, guest });
        }
        let host = line(&reply.host().unwrap_or_default());
        if host != self.host {
            self.host.clone_from(&host);
            news.push(Entry::Host { time, host });
        }
        let incident = line(reply.text("verdict.incident.1").unwrap_or_default());
        // The figures of an ongoing incident change with each reply, so it is only reported when it has ended.
        let goes_on = !self.is_live
            && incident.contains(" to now")
            && is_same_incident(&incident, &self.incident);
        if incident != self.incident && !goes_on {
            self.incident.clone_from(&incident);
            if !incident.is_empty() {
                news.push(Entry::Incident { time, incident });
            }
        }
        news
    }

    /// Verdicts that it did not report before, with their reasons.
    fn reasons(&mut self, time: i64, reply: &Reply, now: Instant) -> Vec<Entry> {
        let mut news = Vec::new();
        let mut host_view = HostView::default();
        host_view.add(reply.clone());
        let is_live = self.is_live;
        for (resource, reasons) in RESOURCES.into_iter().zip(&mut self.reasons) {
            let judged = host_view.judged(resource);
            if reasons.is_news(&judged, now, is_live) {
                let state = judged.state();
                let absent = absent(resource, state, &self.roots.lacking());
                let (resource, reason) =
                    (resource.to_owned(), line(absent.unwrap_or(judged.reason())));
                news.push(Entry::Verdict { time, resource, state, reason });
            }
        }
        news
    }

    /// Adds the host's verdicts and figures.
    fn hear(&mut self, sample: &mut Sample, dated: DatedReply) {
        let DatedReply { reply, taken } = dated.clone();
        let before = self.newest.replace(dated);
        let elapsed = before
            .as_ref()
            .map(|before| taken.saturating_duration_since(before.taken).as_secs_f64());
        let mut host_view = HostView::default();
        before.into_iter().for_each(|before| host_view.add(before.reply));
        host_view.add(reply);
        sample.heard =
            Heard::Verdicts(RESOURCES.map(|resource| host_view.judged(resource).state()));
        add_host(sample, &host_view, elapsed);
    }
}

/// Turns text into a single line.
fn line(text: &str) -> String {
    printable(text.into()).into_owned()
}

#[cfg(test)]
mod tests;
