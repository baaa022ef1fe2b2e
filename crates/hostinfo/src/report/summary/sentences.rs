//! A summary in sentences for the provider.

use super::unknown::Unknown;
use super::{Summary, Times};
use crate::diagnose::conclude::Conclusion;
use crate::diagnose::sentences::{advice, spoken};
use crate::joined::list;
use crate::report::episodes::Episode;
use crate::report::words::{because, span};
use crate::units;
use crate::verdict::{RESOURCES, State};

/// The fewest samples from which a recording says something about its guest.
const SAMPLES_LEAST: usize = 3;

impl Summary {
    /// Sentences for the provider, the most important first.
    pub(crate) fn sentences(&self) -> Vec<String> {
        if self.samples < SAMPLES_LEAST {
            let samples = units::counted(self.samples, "sample");
            let mut sentences =
                vec![format!("This recording is too short to judge: it has only {samples}.")];
            sentences.extend(self.silence());
            return sentences;
        }
        let named = || RESOURCES.into_iter().map(spoken).zip(&self.times);
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
        sentences.extend(self.absent.iter().map(|absent| format!("There is {}.", absent.words)));
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
        let (resource, reason) = (spoken(unknown.resource), unknown.reason.as_ref()?);
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

    fn nothing_bad(&self) -> String {
        let unknown: Vec<&str> = self.unknown.iter().map(|unknown| unknown.resource).collect();
        let is_ok =
            |(resource, times): &(&str, &Times)| times.known() > 0 && !unknown.contains(resource);
        let ok = RESOURCES.into_iter().zip(&self.times).filter(is_ok);
        let ok: Vec<&str> = ok.map(|(resource, _)| spoken(resource)).collect();
        let time = self.of_all(self.known());
        if !ok.is_empty() && unknown.is_empty() {
            return format!(
                "It was not the host: this guest got what it asked for, in the {time} for which there are verdicts."
            );
        }
        if !ok.is_empty() {
            let unknown: Vec<&str> = unknown.into_iter().map(spoken).collect();
            return format!(
                "For {}, it was not the host, in the {time} for which there are verdicts; for {}, that is unknown.",
                list(&ok),
                list(&unknown)
            );
        }
        let because = because(self.without_verdict.as_deref().unwrap_or_default());
        format!("There was no verdict from the host in this time{because}.")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::summary;
    use super::*;
    use crate::recording::HEAD;
    use crate::report::read::Recording;

    #[test]
    fn the_sentences_say_what_was_and_nothing_that_was_not() {
        let text_of = |states| summary(states).sentences().join(" ");
        assert_eq!(
            text_of("----"),
            "For memory, it was not the host, in the 40 s (100%) for which there are verdicts; for CPU time, disk \
             I/O and network, that is unknown. Nothing is known about CPU time: not permitted. Ask again while this \
             guest is slow."
        );
        let contended = text_of("--cc");
        assert!(
            contended.starts_with(
                "The host gave this guest less CPU time than it wanted for 20 s (50%). While CPU time was "
            ),
            "{contended}"
        );
        assert!(!contended.contains("own kernel"), "the guest's steal is not known");
        assert!(!contended.contains("longest") && contended.ends_with("whoever runs the host."));
        assert!(
            text_of("ccoccc").contains(
                "The longest time was 30 s, from 1970-01-01 00:00:30 UTC on: 30% waited."
            )
        );
        assert!(text_of("-sss").contains("own work held back its CPU time for 30 s (75%)."));
        assert!(text_of("--oo").contains("For 20 s (50%) the host said that CPU time was ok"));
        assert!(
            text_of("o!!!").contains("The host did not answer for 30 s (75%): nobody listens.")
        );
        assert_eq!(
            text_of("!!!").split_once(". ").unwrap().0,
            "There was no verdict from the host in this time: not permitted"
        );
        assert_eq!(text_of("c"), "This recording is too short to judge: it has only 1 sample.");
    }

    #[test]
    fn a_kernel_that_does_not_count_stolen_time_is_told_from_one_that_counts_none() {
        let text_with_steal = |steal: &str| {
            let sample = |time| format!("s {time} cooo 300 {steal} 990 .\n");
            let text =
                format!("{HEAD}#columns waited steal busy\n{}", [10, 20, 30].map(sample).concat());
            Summary::of(&Recording::read(text.as_bytes()).unwrap()).sentences().join(" ")
        };
        assert!(
            text_with_steal("-").contains("; the guest's own kernel does not count stolen time.")
        );
        assert!(
            text_with_steal("0")
                .contains("; the guest's own kernel counted 0% of its CPU time as stolen.")
        );
        let sample = |(time, steal): (i32, &str)| format!("s {time} cooo 300 {steal} 990 .\n");
        let text = [(10, "0"), (20, "-"), (30, "-")].map(sample).concat();
        let text = format!("{HEAD}#columns waited steal busy\n{text}");
        let text = Summary::of(&Recording::read(text.as_bytes()).unwrap()).sentences().join(" ");
        assert!(text.contains("; the guest's own kernel does not count stolen time."), "{text}");
    }
}
