//! Resources that are unknown in a recording, and why. Pure.

use super::Times;
use crate::diagnose::conclude::is_absence;
use crate::report::read::{Reason, Recording};
use crate::verdict::{RESOURCES, is_lasting};

/// A resource is unknown if it has verdicts for less than this of the time for which another one has them, in
/// percent. A few may be unknown, since they need figures that the others do not.
const KNOWN_LEAST: i64 = 90;

/// A resource that the guest does not have.
#[derive(Debug)]
pub(super) struct Absent {
    pub(super) resource: &'static str,
    /// `no disk in this guest`
    pub(super) words: String,
}

/// A resource that is unknown although the guest has it.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) resource: &'static str,
    /// For how long, in seconds.
    pub(super) seconds: i64,
    /// Whether it was never known.
    pub(super) is_all: bool,
    /// Why, if the host said so.
    pub(super) reason: Option<String>,
    /// Whether that stays so unless whoever runs the host changes something.
    pub(super) is_lasting: bool,
}

/// What this guest does not have, and what is unknown although it has it.
pub(super) fn unknown(
    recording: &Recording,
    times: &[Times; RESOURCES.len()],
) -> (Vec<Absent>, Vec<Unknown>) {
    let most = times.iter().map(Times::known).max().unwrap_or(0);
    let (mut absent, mut unknown) = (Vec::new(), Vec::new());
    for (resource, times) in RESOURCES.into_iter().zip(times) {
        let known = times.known();
        match recording.why_unknown(resource) {
            Some(reason) if known == 0 && is_absence(&reason.words) => {
                absent.push(Absent { resource, words: reason.words.clone() });
            }
            reason if known == 0 || known * 100 < most * KNOWN_LEAST => {
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

#[cfg(test)]
mod tests {
    use super::super::Summary;
    use super::*;
    use crate::recording::HEAD;

    /// What is said about a recording with those verdicts on CPU, memory, disks and network, every 10 s.
    fn sentences(verdicts: &[&str], reasons: &str) -> String {
        let sample = |(verdicts, number)| format!("s {} {verdicts} .\n", number * 10);
        let samples: String = verdicts.iter().zip(1i64..).map(sample).collect();
        let text = format!("{HEAD}{samples}{reasons}");
        Summary::of(&Recording::read(text.as_bytes()).unwrap()).sentences().join(" ")
    }

    #[test]
    fn a_host_is_not_acquitted_of_what_is_unknown() {
        let reasons = "v 30 cpu unknown they may be pinned .\n";
        assert_eq!(
            sentences(&["uooo"; 4], reasons),
            "For memory, disk I/O and network, it was not the host, in the 40 s (100%) for which there are verdicts; \
             for CPU time, that is unknown. Nothing is known about CPU time: they may be pinned. Ask again while \
             this guest is slow."
        );
        let half = sentences(&["uooo", "uooo", "oooo", "oooo"], reasons);
        assert!(
            half.starts_with("For memory, disk I/O and network, it was not the host"),
            "{half}"
        );
        assert!(
            half.contains("Nothing is known about CPU time for 20 s (50%): they may"),
            "{half}"
        );
        let once = [&["uooo"][..], &["oooo"; 12][..]].concat();
        assert!(sentences(&once, reasons).starts_with("It was not the host: this guest got"));
    }

    #[test]
    fn what_a_host_never_knows_is_not_worth_another_look() {
        let reasons = "v 30 io unknown this host has no figures of your disks .\n";
        let text = sentences(&["oouo"; 4], reasons);
        assert!(text.contains("for disk I/O, that is unknown."), "{text}");
        assert!(text.ends_with("Only whoever runs the host can have it say more."), "{text}");
    }

    #[test]
    fn a_device_that_the_guest_does_not_have_is_not_unknown() {
        let reasons = "v 30 net unknown no network interface in this guest .\n";
        assert_eq!(
            sentences(&["ooou"; 4], reasons),
            "It was not the host: this guest got what it asked for, in the 40 s (100%) for which there are verdicts. \
             There is no network interface in this guest. Look for the reason in this guest's own programs."
        );
    }
}
