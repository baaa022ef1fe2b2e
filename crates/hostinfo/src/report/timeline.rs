//! The periods that a recording covers, and their contents. Pure.

use crate::recording::{Heard, Sample};
use crate::report::read::Recording;

/// The longest time that a verdict looks back, in seconds.
pub(crate) const LOOKS_BACK: i64 = 60;

/// If samples are more than this many usual steps apart, nothing was recorded in between: a single
/// sample is late if it waits for a host.
const STEPS_MAX: i64 = 3;

/// The period that a sample covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span<'a> {
    /// In seconds since 1970, excluding `from` itself.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The number of the part of the recording that contains it; gaps separate the parts.
    pub(crate) part: usize,
    pub(crate) sample: &'a Sample,
}

impl Span<'_> {
    pub(crate) fn seconds(&self) -> i64 {
        self.to - self.from
    }
}

impl Recording {
    /// The usual time between two samples, in seconds.
    pub(crate) fn step(&self) -> i64 {
        let times = self.samples.iter().map(|sample| sample.time);
        let mut steps: Vec<i64> =
            times.clone().skip(1).zip(times).map(|(then, before)| then - before).collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or(1).max(1)
    }

    /// All recorded periods: for each sample, the time before it.
    pub(crate) fn spans(&self) -> Vec<Span<'_>> {
        let (step, mut before, mut part) = (self.step(), None, 0);
        let mut spans = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            let to = sample.time;
            let from = match before.replace(to) {
                Some(before) if to - before <= STEPS_MAX * step => before,
                Some(before) => {
                    part += 1;
                    before.max(to - step)
                }
                None => to - step,
            };
            spans.push(Span { from, to, part, sample });
        }
        spans
    }

    /// The periods that verdicts cover, and those in which the host did not answer. There are
    /// unknown periods in between: a guest whose interval is 5 minutes has a verdict on only one of
    /// them.
    pub(crate) fn known_spans(&self) -> Vec<Span<'_>> {
        let (mut known_until, mut part) = (i64::MIN, None);
        let mut told = Vec::new();
        for span in self.spans() {
            if part.replace(span.part) != Some(span.part) {
                known_until = span.from;
            }
            let from = match span.sample.heard {
                Heard::TooSoon => continue,
                Heard::Silence => span.from.max(known_until),
                Heard::Verdicts(_) => known_until.max(span.to - LOOKS_BACK),
            };
            known_until = span.to;
            told.push(Span { from, ..span });
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::HEAD;
    use proptest::prelude::*;

    fn recording(samples: &[(i64, &str)]) -> Recording {
        let lines = samples.iter().map(|(time, heard)| format!("s {time} {heard} - .\n"));
        let text = format!("{HEAD}#columns waited\n{}", lines.collect::<String>());
        Recording::read(text.as_bytes()).unwrap()
    }

    fn times(spans: &[Span<'_>]) -> Vec<(i64, i64, usize)> {
        spans.iter().map(|span| (span.from, span.to, span.part)).collect()
    }

    #[test]
    fn a_sample_tells_of_the_time_before_it_but_not_over_a_gap() {
        let times_of = |samples: &[i64]| {
            let samples: Vec<(i64, &str)> = samples.iter().map(|time| (*time, "oooo")).collect();
            times(&recording(&samples).spans())
        };
        assert_eq!(
            times_of(&[10, 20, 30, 50, 1000, 1010]),
            [(0, 10, 0), (10, 20, 0), (20, 30, 0), (30, 50, 0), (990, 1000, 1), (1000, 1010, 1)]
        );
        assert_eq!(times_of(&[10]), [(9, 10, 0)]);
    }

    #[test]
    fn a_verdict_speaks_of_the_time_since_the_one_before_and_of_a_minute_at_the_most() {
        let recording = recording(&[
            (10, "oooo"),
            (20, "later"),
            (30, "later"),
            (40, "cooo"),
            (50, "silent"),
            (60, "oooo"),
        ]);
        assert_eq!(
            times(&recording.known_spans()),
            [(0, 10, 0), (10, 40, 0), (40, 50, 0), (50, 60, 0)]
        );
        let seldom = self::recording(&[(300, "oooo"), (600, "oooo")]);
        assert_eq!(times(&seldom.known_spans()), [(240, 300, 0), (540, 600, 0)]);
    }

    proptest! {
        #[test]
        fn no_time_is_told_of_twice(
            samples in proptest::collection::vec((0i64..500, "oooo|later|silent"), 1..40),
        ) {
            let samples: Vec<(i64, &str)> =
                samples.iter().map(|(time, heard)| (*time, heard.as_str())).collect();
            let recording = recording(&samples);
            for spans in [recording.spans(), recording.known_spans()] {
                prop_assert!(spans.iter().all(|span| span.from <= span.to));
                prop_assert!(spans.windows(2).all(|pair| pair[0].to <= pair[1].from), "{:?}", spans);
            }
        }
    }
}
