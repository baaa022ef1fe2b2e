//! The host's verdicts, and its figures over the time between two replies.

use std::collections::BTreeMap;
use std::time::Duration;

use hostinfo_wire::Code;

use crate::reply::Line;
use crate::verdict::{RESOURCES, State, Verdict};

/// A reply to `get`, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    values: BTreeMap<String, String>,
    refusals: BTreeMap<String, (Code, String)>,
}

impl Reply {
    pub(crate) fn of(lines: &[Line]) -> Self {
        let mut reply = Self::default();
        for line in lines {
            let end = if line.code == Code::Done { "=" } else { ": " };
            // The refusal of a guest that may not ask at all has no name.
            let (name, text) = line.text.split_once(end).unwrap_or(("verdict", &line.text));
            let (name, text) = (name.to_owned(), text.to_owned());
            if line.code == Code::Done {
                reply.values.insert(name, text);
            } else {
                reply.refusals.insert(name, (line.code, text));
            }
        }
        reply
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The instances of a statistic: the values of `*` in `vm.disk.*.latency`.
    fn instances(&self, before: &str, behind: &str) -> BTreeMap<String, f64> {
        let names = self.values.keys().filter_map(|name| {
            let instance = name.strip_prefix(before)?.strip_suffix(behind)?;
            Some((instance.to_owned(), self.number(name)?))
        });
        names.collect()
    }
}

/// A verdict, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    Verdict {
        state: State,
        reason: String,
    },
    /// This guest may not see it.
    Refused(String),
    /// The host has none.
    Missing(String),
}

impl Judged {
    pub(crate) fn state(&self) -> Option<State> {
        match self {
            Self::Verdict { state, .. } => Some(*state),
            Self::Refused(_) | Self::Missing(_) => None,
        }
    }

    /// Ranks verdicts by how much they say about a period: known ones before unknown ones, and the
    /// worst first.
    fn rank(&self) -> u8 {
        match self.state() {
            None => 0,
            Some(State::Unknown) => 1,
            Some(State::Ok) => 2,
            Some(State::SelfLimited) => 3,
            Some(State::Contended) => 4,
        }
    }
}

/// Everything that the host reported over some time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    first: Option<Reply>,
    pub(crate) last: Reply,
    /// From the replies after the first one, whose verdicts are about the time before.
    later: BTreeMap<&'static str, Judged>,
}

impl Told {
    /// Adds the next reply.
    pub(crate) fn add(&mut self, reply: Reply) {
        if self.first.is_some() {
            for resource in RESOURCES {
                let judged = judged(&reply, resource);
                match self.later.get(resource) {
                    Some(known) if known.rank() > judged.rank() => {}
                    _ => drop(self.later.insert(resource, judged)),
                }
            }
        }
        self.first.get_or_insert_with(|| reply.clone());
        self.last = reply;
    }

    /// Whether the host has not reported anything yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The verdict on one resource.
    pub(crate) fn judged(&self, resource: &str) -> Judged {
        self.later.get(resource).cloned().unwrap_or_else(|| judged(&self.last, resource))
    }

    /// Its figures.
    pub(crate) fn figures(&self) -> Figures {
        let last = &self.last;
        let since = |name: &str| {
            let first = self.first.as_ref()?;
            // Counters may have restarted.
            let is_same =
                first.text("session").is_some() && first.text("session") == last.text("session");
            let grown = last.number(name)? - first.number(name)?;
            (is_same && grown >= 0.0).then_some(grown)
        };
        let ran_and_waited = since("vm.cpu.seconds").zip(since("vm.cpu.delay"));
        Figures {
            waited: ran_and_waited
                .and_then(|(ran, waited)| (ran + waited > 0.0).then(|| waited / (ran + waited))),
            throttled: since("vm.cpu.throttled"),
            swapped: last.number("vm.memory.swapped"),
            taken: last.number("vm.memory.balloon.taken"),
            latencies: last
                .instances("vm.disk.", ".latency")
                .into_iter()
                .filter_map(|(disk, time)| Some((disk, Duration::try_from_secs_f64(time).ok()?)))
                .collect(),
        }
    }
}

/// The host's measurements of this guest. What it does not report is `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// The share of the time in which vCPUs wanted to run that they spent waiting.
    pub(crate) waited: Option<f64>,
    /// Seconds in which a limit held the vCPUs back.
    pub(crate) throttled: Option<f64>,
    /// Bytes of the guest that the host has swapped out.
    pub(crate) swapped: Option<f64>,
    /// Bytes that the host has taken back with the balloon.
    pub(crate) taken: Option<f64>,
    /// For each disk, the mean time of an operation.
    pub(crate) latencies: BTreeMap<String, Duration>,
}

fn judged(reply: &Reply, resource: &str) -> Judged {
    let name = format!("verdict.{resource}");
    if let Some(value) = reply.text(&name) {
        let Verdict { state, reason } = Verdict::parse(value);
        return Judged::Verdict { state, reason: reason.to_owned() };
    }
    match reply.refusals.get(&name).or_else(|| reply.refusals.get("verdict")) {
        Some((Code::NotPermitted, why)) => Judged::Refused(why.clone()),
        Some((_, why)) => Judged::Missing(why.clone()),
        None => Judged::Missing("this host gives none".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(values: &[&str]) -> Reply {
        let line = |text: &&str| Line { code: Code::Done, text: (*text).to_owned() };
        Reply::of(&values.iter().map(line).collect::<Vec<_>>())
    }

    fn told(replies: &[&[&str]]) -> Told {
        let mut told = Told::default();
        replies.iter().for_each(|values| told.add(reply(values)));
        told
    }

    fn cpu(replies: &[&str]) -> Option<State> {
        let mut told = Told::default();
        replies.iter().for_each(|value| told.add(reply(&[&format!("verdict.cpu={value}")])));
        told.judged("cpu").state()
    }

    #[test]
    fn the_worst_that_was_known_is_the_verdict_and_what_was_before_is_not_in_it() {
        assert_eq!(cpu(&["contended: x"]), Some(State::Contended), "there is no other");
        assert_eq!(cpu(&["contended: x", "ok: x"]), Some(State::Ok));
        assert_eq!(cpu(&["unknown: ask again in 5 s", "ok: x", "unknown: y"]), Some(State::Ok));
        assert_eq!(cpu(&["ok: x", "ok: x", "contended: x", "ok: x"]), Some(State::Contended));
        assert_eq!(cpu(&["ok: x", "self-limited: x", "ok: x"]), Some(State::SelfLimited));
    }

    #[test]
    fn a_verdict_that_this_guest_may_not_see_is_refused_with_the_reason() {
        let refused = Line { code: Code::NotPermitted, text: "verdict: not permitted".to_owned() };
        let mut told = Told::default();
        told.add(Reply::of(&[refused]));
        assert_eq!(told.judged("io"), Judged::Refused("not permitted".to_owned()));
        assert_eq!(
            Told::default().judged("net"),
            Judged::Missing("this host gives none".to_owned())
        );
    }

    #[test]
    fn figures_are_of_the_time_between_the_first_and_the_last_reply() {
        let figures = told(&[
            &["session=a", "vm.cpu.seconds=100", "vm.cpu.delay=10", "vm.cpu.throttled=1"],
            &["session=a", "vm.cpu.seconds=106", "vm.cpu.delay=14", "vm.cpu.throttled=1"],
        ])
        .figures();
        assert_eq!((figures.waited, figures.throttled), (Some(0.4), Some(0.0)));
        let last = told(&[&[
            "vm.disk.vda.latency=0.0015",
            "vm.disk.vdb.latency=-1",
            "vm.memory.balloon.taken=5",
        ]]);
        assert_eq!(last.figures().latencies["vda"], Duration::from_micros(1500));
        assert_eq!((last.figures().latencies.len(), last.figures().taken), (1, Some(5.0)));
    }

    #[test]
    fn counters_of_another_session_tell_nothing() {
        for (before, after) in [("session=a", "session=b"), ("x=1", "x=1")] {
            let figures = told(&[
                &[before, "vm.cpu.seconds=1", "vm.cpu.delay=1"],
                &[after, "vm.cpu.seconds=2", "vm.cpu.delay=2"],
            ])
            .figures();
            assert_eq!(figures.waited, None);
        }
    }
}
