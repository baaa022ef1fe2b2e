//! Counts of guests' lines: plain numbers, which need no memory except for the last line.

use std::time::{Duration, Instant};

use hostinfo_control::Counts;
use hostinfo_control::limits::LAST_MAX;
use hostinfo_wire::Code;
use serde::{Deserialize, Serialize};

/// Upper bounds of the time buckets, in seconds: a ping takes 1 us, everything that a large guest may ask about
/// 100 us, and what reads slow files up to 10 ms, from which on `HostinfodSlow` is raised. In steps of 1, 2 and 5 a
/// quantile is known to within a factor of 2.5 at the most; in decades 0.11 ms and 0.9 ms were the same. The
/// bounds are the same on every host and in every version, so that hosts can be added up. With `+Inf`, the count
/// and the sum they are 16 series a host. Prometheus' usual bounds begin at 5 ms, so nearly every reply would be
/// in the first one.
pub(crate) const BUCKETS: [(Duration, f64); 13] = [
    (Duration::from_micros(10), 0.000_01),
    (Duration::from_micros(20), 0.000_02),
    (Duration::from_micros(50), 0.000_05),
    (Duration::from_micros(100), 0.000_1),
    (Duration::from_micros(200), 0.000_2),
    (Duration::from_micros(500), 0.000_5),
    (Duration::from_millis(1), 0.001),
    (Duration::from_millis(2), 0.002),
    (Duration::from_millis(5), 0.005),
    (Duration::from_millis(10), 0.01),
    (Duration::from_millis(20), 0.02),
    (Duration::from_millis(50), 0.05),
    (Duration::from_millis(100), 0.1),
];

/// Counts for all guests together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Lines by outcome.
    pub(crate) counts: Counts,
    /// Replies by time: each bucket counts those that took at most its bound in [`BUCKETS`], and
    /// longer than the previous bound.
    pub(crate) buckets: [u64; BUCKETS.len()],
    /// Number of lines with a reply.
    pub(crate) replies: u64,
    /// Total time of all replies.
    pub(crate) time: Duration,
    /// Bytes received from guests.
    pub(crate) received: u64,
    /// Bytes of all replies.
    pub(crate) sent: u64,
}

/// Counts for one guest, and its last line: only a pointer for a guest that has sent nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Record(Option<Box<Sent>>);

/// What a guest has sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sent {
    /// Lines by outcome.
    counts: Counts,
    /// The last line with a reply.
    last: Option<LastLine>,
}

/// The last line with a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastLine {
    /// When it came.
    #[serde(with = "hostinfo_handover::instant")]
    pub(crate) at: Instant,
    /// The code of the reply.
    #[serde(with = "number")]
    pub(crate) code: Code,
    /// Its first [`LAST_MAX`] bytes.
    #[serde(with = "hostinfo_handover::bytes")]
    pub(crate) line: Vec<u8>,
}

impl Tally {
    /// Counts a reply.
    pub(crate) fn reply(&mut self, code: Code, length: usize, took: Duration) {
        count(&mut self.counts, code);
        self.replies += 1;
        self.time += took;
        self.sent += length as u64;
        let bucket = BUCKETS.iter().zip(&mut self.buckets).find(|((bound, _), _)| took <= *bound);
        if let Some((_, bucket)) = bucket {
            *bucket += 1;
        }
    }
}

impl Record {
    /// Counts a line with a reply.
    pub(crate) fn reply(&mut self, line: &[u8], code: Code, at: Instant) {
        let Sent { counts, last } = &mut **self.0.get_or_insert_default();
        count(counts, code);
        let mut kept = last.take().map(|last| last.line).unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(line.get(..LAST_MAX).unwrap_or(line));
        *last = Some(LastLine { at, code, line: kept });
    }

    /// Counts nonsense that was dropped without a reply.
    pub(crate) fn dropped(&mut self, lines: u64) {
        if lines > 0 {
            self.0.get_or_insert_default().counts.dropped += lines;
        }
    }

    /// Lines by outcome.
    pub(crate) fn counts(&self) -> Counts {
        self.0.as_ref().map_or_else(Counts::default, |sent| sent.counts)
    }

    /// The last line with a reply.
    pub(crate) fn last(&self) -> Option<&LastLine> {
        self.0.as_ref()?.last.as_ref()
    }
}

fn count(counts: &mut Counts, code: Code) {
    *match code {
        Code::Done => &mut counts.answered,
        Code::NotARequest => &mut counts.malformed,
        Code::NotPermitted => &mut counts.not_permitted,
        Code::NoSuchStatistic => &mut counts.no_such_statistic,
        Code::TooSoon => &mut counts.too_soon,
        Code::Unavailable => &mut counts.unavailable,
    } += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_counted_by_itself() {
        let mut tally = Tally::default();
        for (times, code) in (1..).zip(Code::ALL) {
            (0..times).for_each(|_| tally.reply(code, 10, Duration::from_micros(1)));
        }
        let counts = Counts {
            answered: 1,
            malformed: 2,
            not_permitted: 3,
            no_such_statistic: 4,
            too_soon: 5,
            unavailable: 6,
            dropped: 0,
        };
        assert_eq!((tally.counts, tally.replies, tally.sent), (counts, 21, 210));
    }

    #[test]
    fn a_time_is_in_the_first_bucket_that_holds_it() {
        let mut tally = Tally::default();
        for micros in [0, 10, 11, 1000, 5_000_000] {
            tally.reply(Code::Done, 0, Duration::from_micros(micros));
        }
        assert_eq!(tally.buckets, [2, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((tally.replies, tally.time), (5, Duration::from_micros(5_001_021)));
        assert!(BUCKETS.iter().all(|(time, seconds)| (time.as_secs_f64() - seconds).abs() < 1e-12));
        let steps = BUCKETS.windows(2).map(|pair| pair[1].1 / pair[0].1);
        assert!(steps.into_iter().all(|step| (1.99..2.51).contains(&step)));
    }

    #[test]
    fn only_the_part_of_the_last_line_that_is_shown_is_kept() {
        let (mut record, now) = (Record::default(), Instant::now());
        record.reply(&[b'x'; LAST_MAX + 1], Code::Unavailable, now);
        assert_eq!(record.last().unwrap().line.len(), LAST_MAX);
        record.reply(b"ping", Code::Done, now);
        let last = LastLine { at: now, code: Code::Done, line: b"ping".to_vec() };
        assert_eq!(record.last(), Some(&last));
    }
}

/// A code, by its number.
mod number {
    use super::{Code, Deserialize};
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(*code as u16)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Code, D::Error> {
        let number = u16::deserialize(deserializer)?;
        Code::from_number(number).ok_or_else(|| D::Error::custom("not a reply's code"))
    }
}
