//! Counts of guests' lines: plain numbers, which need no memory except for the last line.

use std::time::{Duration, Instant};

use hostinfo_control::Counts;
use hostinfo_control::limits::LAST_MAX;
use hostinfo_wire::Code;

/// Upper bounds of the time buckets, in seconds: a ping takes 1 us, everything that a large guest
/// may ask about 100 us. The other buckets are for replies that read slow files.
pub(crate) const BUCKETS: [(Duration, f64); 5] = [
    (Duration::from_micros(10), 0.000_01),
    (Duration::from_micros(100), 0.000_1),
    (Duration::from_millis(1), 0.001),
    (Duration::from_millis(10), 0.01),
    (Duration::from_millis(100), 0.1),
];

/// Counts for all guests together.
#[derive(Debug, Default)]
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
#[derive(Debug, Default)]
pub(crate) struct Record(Option<Box<Sent>>);

/// What a guest has sent.
#[derive(Debug, Default)]
struct Sent {
    /// Lines by outcome.
    counts: Counts,
    /// The last line with a reply.
    last: Option<LastLine>,
}

/// The last line with a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LastLine {
    /// When it came.
    pub(crate) at: Instant,
    /// The code of the reply.
    pub(crate) code: Code,
    /// Its first [`LAST_MAX`] bytes.
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
        assert_eq!(tally.buckets, [2, 1, 1, 0, 0]);
        assert_eq!((tally.replies, tally.time), (5, Duration::from_micros(5_001_021)));
        assert!(BUCKETS.iter().all(|(time, seconds)| (time.as_secs_f64() - seconds).abs() < 1e-12));
    }

    #[test]
    fn of_the_last_line_as_much_is_kept_as_is_told() {
        let (mut record, now) = (Record::default(), Instant::now());
        record.reply(&[b'x'; LAST_MAX + 1], Code::Unavailable, now);
        assert_eq!(record.last().unwrap().line.len(), LAST_MAX);
        record.reply(b"ping", Code::Done, now);
        let last = LastLine { at: now, code: Code::Done, line: b"ping".to_vec() };
        assert_eq!(record.last(), Some(&last));
    }
}
