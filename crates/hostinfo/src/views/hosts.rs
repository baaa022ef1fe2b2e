//! The host's verdicts, and its figures over the time between two replies.

use std::collections::BTreeMap;
use std::time::Duration;

use hostinfo_wire::Code;

use crate::verdict::{RESOURCES, State, Verdict};
use crate::views::reply::Reply;

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

    /// The reason, or why there is no verdict.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Verdict { reason, .. } => reason,
            Self::Refused(why) | Self::Missing(why) => why,
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
pub(crate) struct HostView {
    first: Option<Reply>,
    pub(crate) last: Reply,
    /// From the replies after the first one, whose verdicts are about the time before.
    later: BTreeMap<&'static str, Judged>,
    /// Whether the last reply is from before that time, so that its figures are not of it.
    is_last_old: bool,
}

impl HostView {
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
        self.is_last_old = false;
    }

    /// Adds a reply from before that time, which is why it has no verdict on it. What is counted may be counted from
    /// it on.
    pub(crate) fn add_old(&mut self, reply: Reply, why: &str) {
        self.add(reply.without_verdicts(why));
        self.is_last_old = true;
    }

    /// Whether the last reply is from before that time.
    pub(crate) fn is_last_old(&self) -> bool {
        self.is_last_old
    }

    /// Whether the host has not reported anything yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether it reported something after its first reply.
    pub(crate) fn has_later(&self) -> bool {
        !self.later.is_empty()
    }

    /// The verdict on one resource.
    pub(crate) fn judged(&self, resource: &str) -> Judged {
        self.later.get(resource).cloned().unwrap_or_else(|| judged(&self.last, resource))
    }

    /// Its figures.
    pub(crate) fn figures(&self) -> Figures {
        if self.is_last_old {
            return Figures::default();
        }
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
        let wanted = ran_and_waited.map(|(ran, waited)| ran + waited).filter(|time| *time > 0.0);
        let ran = since("vm.cpu.seconds").zip(since("time"));
        let got = ran.and_then(|(ran, time)| (time > 0.0).then(|| ran / time));
        let vcpus = last.instances("vm.cpu.", ".seconds").len();
        let vcpus = u32::try_from(vcpus).ok().filter(|vcpus| *vcpus > 0).map(f64::from);
        Figures {
            over: since("time").and_then(|time| Duration::try_from_secs_f64(time).ok()),
            got,
            ran: got.zip(vcpus).map(|(got, vcpus)| got / vcpus),
            quota: last.number("vm.cpu.quota"),
            wanted,
            waited: ran_and_waited.zip(wanted).map(|((_, waited), wanted)| waited / wanted),
            throttled: since("vm.cpu.throttled"),
            contention: last.number("vm.cpu.contention"),
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
    /// The time between the two replies. What is the growth of a counter is of that time.
    pub(crate) over: Option<Duration>,
    /// The seconds in which vCPUs wanted to run: they ran, or waited.
    pub(crate) wanted: Option<f64>,
    /// The share of those that they spent waiting. A verdict names the share of the whole time, which is far smaller
    /// where they wanted little.
    pub(crate) waited: Option<f64>,
    /// The same over the window of the last reply, by its host.
    pub(crate) contention: Option<f64>,
    /// The CPU time that its vCPUs got, in CPUs.
    pub(crate) got: Option<f64>,
    /// The same as a share of the time of all its vCPUs. `None` also if the host does not count each of them.
    pub(crate) ran: Option<f64>,
    /// The most that they may get, in CPUs: the lowest limit on the guest and around it.
    pub(crate) quota: Option<f64>,
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
    match reply.refused(&name).or_else(|| reply.refused("verdict")) {
        Some((Code::NotPermitted, why)) => Judged::Refused(why.clone()),
        Some((_, why)) => Judged::Missing(why.clone()),
        None => Judged::Missing("this host gives no verdict on it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Line;

    fn reply(values: &[&str]) -> Reply {
        let line = |text: &&str| Line { code: Code::Done, text: (*text).to_owned() };
        Reply::of(&values.iter().map(line).collect::<Vec<_>>())
    }

    fn view(replies: &[&[&str]]) -> HostView {
        let mut view = HostView::default();
        replies.iter().for_each(|values| view.add(reply(values)));
        view
    }

    fn cpu(replies: &[&str]) -> Option<State> {
        let mut view = HostView::default();
        replies.iter().for_each(|value| view.add(reply(&[&format!("verdict.cpu={value}")])));
        view.judged("cpu").state()
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
        let mut view = HostView::default();
        view.add(Reply::of(&[refused]));
        assert_eq!(view.judged("io"), Judged::Refused("not permitted".to_owned()));
        assert_eq!(
            HostView::default().judged("net"),
            Judged::Missing("this host gives no verdict on it".to_owned())
        );
    }

    #[test]
    fn figures_are_of_the_time_between_the_first_and_the_last_reply() {
        let figures = view(&[
            &["session=a", "vm.cpu.seconds=100", "vm.cpu.delay=10", "vm.cpu.throttled=1"],
            &["session=a", "vm.cpu.seconds=106", "vm.cpu.delay=14", "vm.cpu.throttled=1"],
        ])
        .figures();
        assert_eq!((figures.waited, figures.throttled), (Some(0.4), Some(0.0)));
        let last = view(&[&[
            "vm.disk.vda.latency=0.0015",
            "vm.disk.vdb.latency=-1",
            "vm.memory.balloon.taken=5",
        ]]);
        assert_eq!(last.figures().latencies["vda"], Duration::from_micros(1500));
        assert_eq!((last.figures().latencies.len(), last.figures().taken), (1, Some(5.0)));
    }

    #[test]
    fn cpu_time_that_was_got_is_per_second_of_the_hosts_clock() {
        let figures = view(&[
            &["session=a", "time=1000", "vm.cpu.seconds=100"],
            &["session=a", "time=1060.5", "vm.cpu.seconds=115.125", "vm.cpu.quota=0.25"],
        ])
        .figures();
        assert_eq!((figures.got, figures.quota), (Some(0.25), Some(0.25)));
        assert_eq!(figures.ran, None, "how many vCPUs there are is not known");
        let figures = view(&[
            &["session=a", "time=1000", "vm.cpu.seconds=100"],
            &[
                "session=a",
                "time=1010",
                "vm.cpu.seconds=105",
                "vm.cpu.0.seconds=1",
                "vm.cpu.1.seconds=104",
            ],
        ])
        .figures();
        assert_eq!((figures.got, figures.ran), (Some(0.5), Some(0.25)));
    }

    #[test]
    fn counters_of_another_session_tell_nothing() {
        for (before, after) in [("session=a", "session=b"), ("x=1", "x=1")] {
            let figures = view(&[
                &[before, "vm.cpu.seconds=1", "vm.cpu.delay=1"],
                &[after, "vm.cpu.seconds=2", "vm.cpu.delay=2"],
            ])
            .figures();
            assert_eq!(figures.waited, None);
        }
    }
}
