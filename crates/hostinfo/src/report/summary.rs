//! A summary of a recording: how long each verdict lasted, and the worst of it. Pure.

mod sentences;
mod unknown;

use crate::recording::{Field, Heard, Sample};
use crate::report::episodes::{Episode, longest};
use crate::report::read::Recording;
use crate::report::timeline::Span;
use crate::report::words::{moment, share, span};
use crate::verdict::{RESOURCES, State};
use unknown::{Absent, Unknown, unknown};

/// The smallest share of stolen time that is noticeable, in thousandths: the same threshold that
/// hosts use.
const FELT: u32 = 50;

/// How long one resource was in each state, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) contended: i64,
    pub(crate) self_limited: i64,
    pub(crate) ok: i64,
    /// There was no verdict, or only `unknown`.
    pub(crate) unknown: i64,
}

impl Times {
    fn add(&mut self, state: Option<State>, seconds: i64) {
        match state {
            Some(State::Ok) => self.ok += seconds,
            Some(State::Contended) => self.contended += seconds,
            Some(State::SelfLimited) => self.self_limited += seconds,
            Some(State::Unknown) | None => {}
        }
    }

    fn known(&self) -> i64 {
        self.ok + self.contended + self.self_limited
    }
}

/// A summary of a recording. Durations are in seconds, points in time in seconds since 1970.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// How much of that was recorded.
    pub(crate) recorded: i64,
    pub(crate) samples: usize,
    pub(crate) step: i64,
    /// For each resource, in their order.
    pub(crate) times: [Times; RESOURCES.len()],
    /// The longest, in order of time, and how many others there are.
    pub(crate) episodes: Vec<Episode>,
    pub(crate) more: usize,
    /// How long the host did not answer, and why.
    silent: i64,
    silence: Option<String>,
    /// Why there was no verdict.
    without_verdict: Option<String>,
    /// The resources that are unknown for a good part of the time.
    unknown: Vec<Unknown>,
    /// What this guest does not have.
    absent: Vec<Absent>,
    /// How long the host said `ok` about the CPU while the guest's own kernel counted stolen time.
    doubted: i64,
    /// Shares while CPU time was contended: how long vCPUs waited by the host's count, and how much
    /// was stolen by the guest's count.
    waited: Option<f64>,
    stolen: Option<f64>,
    /// Whether the guest's own kernel counted its CPU time then, but for most of it not how much was stolen: not
    /// even 0%.
    is_steal_uncounted: bool,
}

impl Summary {
    pub(crate) fn of(recording: &Recording) -> Self {
        let (spans, told) = (recording.spans(), recording.known_spans());
        let recorded: i64 = spans.iter().map(Span::seconds).sum();
        let mut times = [Times::default(); RESOURCES.len()];
        for span in &told {
            for (number, times) in times.iter_mut().enumerate() {
                times.add(span.sample.state(number), span.seconds());
            }
        }
        for times in &mut times {
            times.unknown = recorded - times.known();
        }
        let (absent, unknown) = unknown(recording, &times);
        let seconds = |is_counted: &dyn Fn(&Sample) -> bool| -> i64 {
            let counted = told.iter().filter(|span| is_counted(span.sample));
            counted.map(Span::seconds).sum()
        };
        let cpu = |sample: &Sample, state| sample.state(0) == Some(state);
        let contended: Vec<&Sample> =
            recording.samples.iter().filter(|sample| cpu(sample, State::Contended)).collect();
        let (episodes, more) = longest(recording, &told);
        let known =
            |field| contended.iter().filter(|sample| sample.figure(field).is_some()).count();
        // While such a kernel is idle, it counts that nothing was stolen.
        let is_steal_uncounted = 2 * known(Field::Steal) < known(Field::Busy);
        Self {
            is_steal_uncounted,
            start: spans.first().map_or(0, |span| span.from),
            end: spans.last().map_or(0, |span| span.to),
            recorded,
            samples: recording.samples.len(),
            step: recording.step(),
            times,
            episodes,
            more,
            silent: seconds(&|sample| sample.heard == Heard::Silence),
            silence: recording.silence.clone(),
            unknown,
            absent,
            without_verdict: recording.without_verdict().map(str::to_owned),
            doubted: seconds(&|sample| {
                let stolen = sample.figure(Field::Steal);
                cpu(sample, State::Ok) && stolen.is_some_and(|stolen| stolen >= FELT)
            }),
            waited: mean(&contended, Field::Waited),
            stolen: mean(&contended, Field::Steal).filter(|_| !is_steal_uncounted),
        }
    }

    /// The resources that this guest has, with their places in [`RESOURCES`] and their times.
    pub(crate) fn present(&self) -> impl Iterator<Item = (usize, &'static str, Times)> {
        let all = RESOURCES.into_iter().zip(self.times).enumerate();
        all.map(|(number, (resource, times))| (number, resource, times)).filter(
            |(_, resource, _)| !self.absent.iter().any(|absent| absent.resource == *resource),
        )
    }

    /// A point in time of this recording.
    pub(crate) fn at(&self, time: i64) -> String {
        moment(time, self.end - self.start)
    }

    /// `34 min (2.4%)`
    pub(crate) fn of_all(&self, seconds: i64) -> String {
        format!("{} ({})", span(seconds), share(seconds, self.recorded))
    }
}

/// The mean of a share.
fn mean(samples: &[&Sample], field: Field) -> Option<f64> {
    let known = samples.iter().filter_map(|sample| sample.figure(field)).map(f64::from);
    let (sum, count) = known.fold((0.0, 0.0), |(sum, count), share| (sum + share, count + 1.0));
    (count > 0.0).then(|| sum / count / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::HEAD;

    /// A recording of one sample every 10 s, with those verdicts on the CPU.
    pub(super) fn summary(states: &str) -> Summary {
        let samples = states.chars().zip(1i64..).map(|(state, number)| {
            let waited = if state == 'c' { "300" } else { "-" };
            let heard = if state == '!' { "silent".to_owned() } else { format!("{state}o--") };
            let steal = if state == 'o' { "60" } else { "-" };
            format!("s {} {heard} {waited} {steal} .\n", number * 10)
        });
        let text = format!(
            "{HEAD}#columns waited steal\n{}v 30 cpu contended 30% waited .\nn 30 nobody listens .\n\
             v 30 cpu - not permitted .\n",
            samples.collect::<String>()
        );
        Summary::of(&Recording::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn times_are_those_for_which_each_verdict_held() {
        let summary = summary("ooccs-u!");
        assert_eq!(
            summary.times[0],
            Times { ok: 20, contended: 20, self_limited: 10, unknown: 30 }
        );
        assert_eq!((summary.start, summary.end, summary.recorded), (0, 80, 80));
    }
}
