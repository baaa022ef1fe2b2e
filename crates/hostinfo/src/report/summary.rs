//! A summary of a recording: how long each verdict lasted, the worst of it, and sentences. Pure.

use std::time::Duration;

use crate::diagnose::conclude::{Conclusion, is_absence};
use crate::diagnose::sentences::{advice, list, spoken as in_sentence};
use crate::recording::{Field, Heard, Sample};
use crate::report::episodes::{Episode, longest};
use crate::report::read::{Reason, Recording};
use crate::report::timeline::Span;
use crate::units;
use crate::verdict::{RESOURCES, State, is_lasting};

/// The smallest share of stolen time that is noticeable, in thousandths: the same threshold that
/// hosts use.
const FELT: u32 = 50;

/// A resource with verdicts for a smaller part of the time for which another one has them is unknown: in percent.
/// The first verdict of a recording comes later than others, and a single one may be unknown.
const KNOWN: i64 = 90;

/// The fewest samples from which a recording says something about its guest.
const SAMPLES_LEAST: usize = 3;

/// Points in time of a recording that is shorter have seconds.
const LONG: i64 = 10 * 60;

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

/// A resource that is unknown.
#[derive(Debug)]
struct Unknown {
    resource: &'static str,
    /// For how long, in seconds.
    seconds: i64,
    /// Whether it was never known.
    is_all: bool,
    /// Why, if the host said so.
    reason: Option<String>,
    /// Whether that stays so unless whoever runs the host changes something.
    is_lasting: bool,
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
    /// What this guest does not have: the reason why nothing is known about it.
    absent: Vec<String>,
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

    /// Sentences for the provider, the most important first.
    pub(crate) fn sentences(&self) -> Vec<String> {
        if self.samples < SAMPLES_LEAST {
            let samples = units::counted(self.samples, "sample");
            let mut sentences =
                vec![format!("This recording is too short to judge: it has only {samples}.")];
            sentences.extend(self.silence());
            return sentences;
        }
        let named = || RESOURCES.into_iter().map(in_sentence).zip(&self.times);
        let mut sentences = Vec::new();
        for (resource, times) in named().filter(|(_, times)| times.contended > 0) {
            let time = self.of_all(times.contended);
            sentences.push(format!(
                "The host gave this guest less {resource} than it wanted for {time}."
            ));
        }
        if let Some(waited) = self.waited {
            let stolen = match self.stolen {
                Some(stolen) => format!(
                    "; the guest's own kernel counted {:.0}% of its CPU time as stolen",
                    stolen * 100.0
                ),
                None if self.is_steal_uncounted => {
                    "; the guest's own kernel does not count stolen time".to_owned()
                }
                None => String::new(),
            };
            sentences.push(format!(
                "While CPU time was contended, its vCPUs waited {:.0}% of the time in which they wanted to run, by \
                 the host's count{stolen}.",
                waited * 100.0
            ));
        }
        let mut contended: Vec<&Episode> =
            self.episodes.iter().filter(|episode| episode.state == State::Contended).collect();
        contended.sort_by_key(|episode| episode.end - episode.start);
        // If there is only one, the list below shows it.
        if let [_, .., worst] = contended.as_slice() {
            let because = because(&worst.reason);
            sentences.push(format!(
                "The longest time was {}, from {} UTC on{because}.",
                span(worst.end - worst.start),
                self.at(worst.start),
            ));
        }
        for (resource, times) in named().filter(|(_, times)| times.self_limited > 0) {
            let time = self.of_all(times.self_limited);
            sentences.push(format!(
                "This guest's own limit or own work held back its {resource} for {time}."
            ));
        }
        if sentences.is_empty() {
            sentences.push(self.nothing_bad());
        }
        if self.doubted > 0 {
            sentences.push(format!(
                "For {} the host said that CPU time was ok, and this guest's own kernel counted 5% or more \
                 of it as stolen.",
                self.of_all(self.doubted)
            ));
        }
        sentences.extend(self.absent.iter().map(|absent| format!("There is {absent}.")));
        if self.known() > 0 {
            sentences.extend(self.unknown.iter().filter_map(|unknown| self.why(unknown)));
        }
        sentences.extend(self.silence());
        sentences.extend(self.conclusion().map(|conclusion| match conclusion {
            Conclusion::Unknown if self.is_never_known() => {
                "Only whoever runs the host can have it say more.".to_owned()
            }
            conclusion => advice(conclusion).to_owned(),
        }));
        sentences
    }

    fn silence(&self) -> Option<String> {
        let because = because(self.silence.as_deref().unwrap_or_default());
        (self.silent > 0)
            .then(|| format!("The host did not answer for {}{because}.", self.of_all(self.silent)))
    }

    /// The worst of it. `None` if nothing is known, or the guest's own kernel contradicts it.
    fn conclusion(&self) -> Option<Conclusion> {
        let any = |part: fn(&Times) -> i64| self.times.iter().any(|times| part(times) > 0);
        if any(|times| times.contended) {
            Some(Conclusion::Contended)
        } else if any(|times| times.self_limited) {
            Some(Conclusion::SelfLimited)
        } else if !any(|times| times.ok) || self.doubted > 0 {
            None
        } else if self.unknown.is_empty() {
            Some(Conclusion::Ok)
        } else {
            Some(Conclusion::Unknown)
        }
    }

    /// How long there were verdicts on any resource.
    fn known(&self) -> i64 {
        self.times.iter().map(Times::known).max().unwrap_or(0)
    }

    /// Why a resource is unknown. `None` if the host did not say why.
    fn why(&self, unknown: &Unknown) -> Option<String> {
        let (resource, reason) = (in_sentence(unknown.resource), unknown.reason.as_ref()?);
        let time = self.of_all(unknown.seconds);
        Some(match unknown.is_all {
            true => format!("Nothing is known about {resource}: {reason}."),
            false => format!("Nothing is known about {resource} for {time}: {reason}."),
        })
    }

    /// Whether the host never knows what is unknown.
    fn is_never_known(&self) -> bool {
        self.unknown.iter().all(|unknown| unknown.is_lasting)
    }

    /// A point in time of this recording.
    pub(crate) fn at(&self, time: i64) -> String {
        moment(time, self.end - self.start)
    }

    fn nothing_bad(&self) -> String {
        let known = self.known();
        let unknown: Vec<&str> = self.unknown.iter().map(|unknown| unknown.resource).collect();
        let is_ok =
            |(resource, times): &(&str, &Times)| times.known() > 0 && !unknown.contains(resource);
        let ok = RESOURCES.into_iter().zip(&self.times).filter(is_ok);
        let ok: Vec<&str> = ok.map(|(resource, _)| in_sentence(resource)).collect();
        let names = || list(&unknown.iter().copied().map(in_sentence).collect::<Vec<_>>());
        let time = self.of_all(known);
        if known > 0 && unknown.is_empty() {
            return format!(
                "It was not the host: this guest got what it asked for, in the {time} for which there are verdicts."
            );
        }
        if known > 0 {
            return format!(
                "For {}, it was not the host, in the {time} for which there are verdicts; for {}, that is unknown.",
                list(&ok),
                names()
            );
        }
        let because = because(self.without_verdict.as_deref().unwrap_or_default());
        format!("There was no verdict from the host in this time{because}.")
    }

    /// `34 min (2.4%)`
    pub(crate) fn of_all(&self, seconds: i64) -> String {
        format!("{} ({})", span(seconds), share(seconds, self.recorded))
    }
}

/// What this guest does not have, and the resources that are unknown although it has them.
fn unknown(recording: &Recording, times: &[Times; RESOURCES.len()]) -> (Vec<String>, Vec<Unknown>) {
    let most = times.iter().map(Times::known).max().unwrap_or(0);
    let (mut absent, mut unknown) = (Vec::new(), Vec::new());
    for (resource, times) in RESOURCES.into_iter().zip(times) {
        let known = times.known();
        let reason = recording.why_unknown(resource);
        match reason {
            Some(reason) if known == 0 && is_absence(&reason.words) => {
                absent.push(reason.words.clone());
            }
            reason if known == 0 || known * 100 < most * KNOWN => {
                let is_lasting =
                    |reason: &Reason| reason.state.is_none() || is_lasting(&reason.words);
                unknown.push(Unknown {
                    resource,
                    seconds: times.unknown,
                    is_all: known == 0,
                    is_lasting: reason.is_some_and(is_lasting),
                    reason: reason.map(|reason| reason.words.clone()),
                });
            }
            _ => {}
        }
    }
    (absent, unknown)
}

/// `: your vCPUs waited`
pub(crate) fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// The mean of a share.
fn mean(samples: &[&Sample], field: Field) -> Option<f64> {
    let known = samples.iter().filter_map(|sample| sample.figure(field)).map(f64::from);
    let (sum, count) = known.fold((0.0, 0.0), |(sum, count), share| (sum + share, count + 1.0));
    (count > 0.0).then(|| sum / count / 1000.0)
}

/// `34 min`
pub(crate) fn span(seconds: i64) -> String {
    units::duration(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// `2.4%`, `67%`: rounded, but never to nothing or to everything.
pub(crate) fn share(part: i64, all: i64) -> String {
    let rounded = |of: i64| (part.saturating_mul(of).saturating_add(all / 2)) / all.max(1);
    match (rounded(1000), rounded(100)) {
        _ if part <= 0 => "0%".to_owned(),
        (0, _) => "under 0.1%".to_owned(),
        (tenths @ 1..100, _) => format!("{}.{}%", tenths / 10, tenths % 10),
        (_, 100) if part < all => "over 99%".to_owned(),
        (_, percent) => format!("{percent}%"),
    }
}

/// A point in time of a recording of that length: in minutes, and in a short one with seconds.
pub(crate) fn moment(time: i64, length: i64) -> String {
    let form = if length < LONG { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    jiff::Timestamp::from_second(time)
        .map_or_else(|_| time.to_string(), |time| time.strftime(form).to_string())
}

/// The resource's name for the beginning of a line.
pub(crate) fn spoken(resource: &str) -> &str {
    match resource {
        "cpu" => "CPU time",
        "memory" => "Memory",
        "io" => "Disk I/O",
        "net" => "Network",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::HEAD;

    /// A recording of one sample every 10 s, with those verdicts on the CPU.
    fn summary(states: &str) -> Summary {
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

    #[test]
    fn the_sentences_say_what_was_and_nothing_that_was_not() {
        let told = |states| summary(states).sentences().join(" ");
        assert_eq!(
            told("----"),
            "For memory, it was not the host, in the 40 s (100%) for which there are verdicts; for CPU time, disk \
             I/O and network, that is unknown. Nothing is known about CPU time: not permitted. Ask again while this \
             guest is slow."
        );
        let contended = told("--cc");
        assert!(
            contended.starts_with(
                "The host gave this guest less CPU time than it wanted for 20 s (50%). While CPU time was "
            ),
            "{contended}"
        );
        assert!(!contended.contains("own kernel"), "the guest's steal is not known");
        assert!(!contended.contains("longest") && contended.ends_with("whoever runs the host."));
        assert!(
            told("ccoccc").contains(
                "The longest time was 30 s, from 1970-01-01 00:00:30 UTC on: 30% waited."
            )
        );
        assert!(told("-sss").contains("own work held back its CPU time for 30 s (75%)."));
        assert!(told("--oo").contains("For 20 s (50%) the host said that CPU time was ok"));
        assert!(told("o!!!").contains("The host did not answer for 30 s (75%): nobody listens."));
        assert_eq!(
            told("!!!").split_once(". ").unwrap().0,
            "There was no verdict from the host in this time: not permitted"
        );
        assert_eq!(told("c"), "This recording is too short to judge: it has only 1 sample.");
    }

    /// What is said about a recording with those verdicts on CPU, memory, disks and network, every 10 s.
    fn of_all(verdicts: &[&str], reasons: &str) -> String {
        let sample = |(verdicts, number)| format!("s {} {verdicts} .\n", number * 10);
        let samples: String = verdicts.iter().zip(1i64..).map(sample).collect();
        let text = format!("{HEAD}#columns\n{samples}{reasons}").replace("#columns\n", "");
        Summary::of(&Recording::read(text.as_bytes()).unwrap()).sentences().join(" ")
    }

    #[test]
    fn a_host_is_not_acquitted_of_what_is_unknown() {
        let reasons = "v 30 cpu unknown they may be pinned .\n";
        let told = of_all(&["uooo"; 4], reasons);
        assert_eq!(
            told,
            "For memory, disk I/O and network, it was not the host, in the 40 s (100%) for which there are verdicts; \
             for CPU time, that is unknown. Nothing is known about CPU time: they may be pinned. Ask again while \
             this guest is slow."
        );
        let told = of_all(&["uooo", "uooo", "oooo", "oooo"], reasons);
        assert!(
            told.starts_with("For memory, disk I/O and network, it was not the host"),
            "{told}"
        );
        assert!(
            told.contains("Nothing is known about CPU time for 20 s (50%): they may be"),
            "{told}"
        );
        let once = [&["uooo"][..], &["oooo"; 12][..]].concat();
        assert!(of_all(&once, reasons).starts_with("It was not the host: this guest got"));
    }

    #[test]
    fn what_a_host_never_knows_is_not_worth_another_look() {
        let told =
            of_all(&["oouo"; 4], "v 30 io unknown this host has no figures of your disks .\n");
        assert!(told.contains("for disk I/O, that is unknown."), "{told}");
        assert!(told.ends_with("Only whoever runs the host can have it say more."), "{told}");
    }

    #[test]
    fn a_device_that_the_guest_does_not_have_is_not_unknown() {
        let told = of_all(&["ooou"; 4], "v 30 net unknown no network interface in this guest .\n");
        assert_eq!(
            told,
            "It was not the host: this guest got what it asked for, in the 40 s (100%) for which there are verdicts. \
             There is no network interface in this guest. Look for the reason in this guest's own programs."
        );
    }

    #[test]
    fn a_kernel_that_does_not_count_stolen_time_is_told_from_one_that_counts_none() {
        let told = |steal: &str| {
            let sample = |time| format!("s {time} cooo 300 {steal} 990 .\n");
            let text =
                format!("{HEAD}#columns waited steal busy\n{}", [10, 20, 30].map(sample).concat());
            Summary::of(&Recording::read(text.as_bytes()).unwrap()).sentences().join(" ")
        };
        assert!(told("-").contains("; the guest's own kernel does not count stolen time."));
        assert!(
            told("0").contains("; the guest's own kernel counted 0% of its CPU time as stolen.")
        );
        let sample = |(time, steal): (i32, &str)| format!("s {time} cooo 300 {steal} 990 .\n");
        let text = [(10, "0"), (20, "-"), (30, "-")].map(sample).concat();
        let text = format!("{HEAD}#columns waited steal busy\n{text}");
        let told = Summary::of(&Recording::read(text.as_bytes()).unwrap()).sentences().join(" ");
        assert!(told.contains("; the guest's own kernel does not count stolen time."), "{told}");
    }

    #[test]
    fn shares_are_told_with_a_digit_where_they_are_small() {
        assert_eq!([share(1, 10_000), share(24, 1000), share(1, 2)], ["under 0.1%", "2.4%", "50%"]);
        assert_eq!(share(0, 0), "0%");
        let rounded = [(2, 3, "67%"), (1, 30, "3.3%"), (2, 30, "6.7%"), (995, 10_000, "10%")];
        for (part, all, told) in rounded {
            assert_eq!(share(part, all), told, "{part} of {all}");
        }
        let ends = [(999, 1000, "over 99%"), (1000, 1000, "100%"), (6, 10_000, "0.1%")];
        for (part, all, told) in ends {
            assert_eq!(share(part, all), told, "{part} of {all}");
        }
    }
}
