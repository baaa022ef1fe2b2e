//! Replies, and how old they are: a broker answers from what the host said last.

use std::time::{Duration, Instant};

use crate::reply::Line;
use crate::units;
use crate::views::reply::Reply;

/// The greatest age of what passes for the present: as long as a host needs for a verdict.
pub(crate) const PRESENT: Duration = Duration::from_secs(5);

/// By how much a reply may seem older than it is: ages are rounded up to 0.1 s, by the host and by the broker, and
/// the reply takes a moment to arrive.
const ROUNDED: Duration = Duration::from_secs(1);

/// How close to each other the same reply seems to be taken, each time that a broker gives it. A broker does not
/// ask its host twice in that time.
const SAME: Duration = Duration::from_millis(250);

/// A reply, and when the host gave it.
#[derive(Debug, Clone)]
pub(crate) struct DatedReply {
    pub(crate) reply: Reply,
    pub(crate) taken: Instant,
}

impl DatedReply {
    /// A reply that came at that time. One without an age is the host's own, which is of then.
    pub(crate) fn new(lines: &[Line], came: Instant) -> Self {
        let reply = Reply::of(lines);
        let taken = came.checked_sub(reply.age().unwrap_or_default()).unwrap_or(came);
        Self { reply, taken }
    }

    /// Whether it is from before `start`, and says nothing about the time since.
    pub(crate) fn is_from_before(&self, start: Instant) -> bool {
        self.taken + ROUNDED < start
    }

    /// Whether the host gave only one of them, and a broker gave it twice.
    pub(crate) fn is_same_as(&self, before: &Self) -> bool {
        let identity = |dated: &Self| {
            let text = |name| dated.reply.text(name).map(str::to_owned);
            Some((text("session"), text("time")?))
        };
        match (identity(before), identity(self)) {
            (Some(before), Some(own)) => before == own,
            _ => self.reply.age().is_some() && self.taken < before.taken + SAME,
        }
    }

    /// How old it is now. `None` if nobody said how old it was when it came.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.reply.age().map(|_| now.saturating_duration_since(self.taken))
    }

    /// How long until a broker asks the host again, if the host says how often this guest may ask.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        Some((self.taken + self.reply.interval()?).saturating_duration_since(now))
    }

    /// Why it says nothing about the present: `the host was last asked 35 s ago; ask again in 25 s`
    pub(crate) fn too_old(&self, now: Instant) -> String {
        let age = now.saturating_duration_since(self.taken);
        let again = self.wait(now).map(|wait| {
            /// Zero seconds would read as if it had to be asked already.
            const LEAST: Duration = Duration::from_secs(1);
            format!("; ask again in {}", units::left(wait.max(LEAST)))
        });
        format!("the host was last asked {}{}", ago(age), again.unwrap_or_default())
    }
}

/// `25 s ago`
pub(crate) fn ago(age: Duration) -> String {
    format!("{} ago", units::duration(Duration::from_secs(age.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_wire::Code;
    use hostinfo_wire::limits::INTERVAL_MAX;

    fn dated(values: &[&str], came: Instant) -> DatedReply {
        let line = |text: &&str| Line { code: Code::Done, text: (*text).to_owned() };
        DatedReply::new(&values.iter().map(line).collect::<Vec<_>>(), came)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_reply_is_as_old_as_it_was_when_it_came_and_the_time_since() {
        let now = Instant::now();
        let kept = dated(&["sample.age=25", "interval=60"], now);
        assert_eq!(kept.age(now + seconds(10)), Some(seconds(35)));
        let why = kept.too_old(now + seconds(10));
        assert_eq!(why, "the host was last asked 35 s ago; ask again in 25 s");
        let why = kept.too_old(now + seconds(60));
        assert_eq!(why, "the host was last asked 1 min 25 s ago; ask again in 1 s");
        let endless = dated(&["sample.age=25", "interval=10000000000000000000"], now);
        assert!(endless.wait(now) < Some(INTERVAL_MAX), "no host has a longer one");
        let why = dated(&["sample.age=25"], now).too_old(now);
        assert_eq!(why, "the host was last asked 25 s ago", "the interval is not known");
        assert_eq!(dated(&["x=1"], now).age(now), None);
    }

    #[test]
    fn a_reply_of_before_is_told_from_one_of_now() {
        let (start, now) = (Instant::now(), Instant::now() + seconds(10));
        assert!(dated(&["sample.age=35"], now).is_from_before(start));
        assert!(!dated(&["sample.age=10.2"], now).is_from_before(start), "an age is rounded up");
        assert!(!dated(&["sample.age=0.1"], now).is_from_before(start));
        assert!(!dated(&["x=1"], start).is_from_before(start), "the host's own");
    }

    #[test]
    fn a_reply_that_is_given_twice_is_one() {
        let (start, now) = (Instant::now(), Instant::now() + seconds(10));
        let same =
            |before: &[&str], after: &[&str]| dated(after, now).is_same_as(&dated(before, start));
        assert!(same(&["session=a", "time=5.1"], &["session=a", "time=5.1"]));
        assert!(!same(&["session=a", "time=5.1"], &["session=a", "time=15.1"]));
        assert!(!same(&["session=a", "time=5.1"], &["session=b", "time=5.1"]));
        // Where the guest may not see the host's clock.
        assert!(same(&["sample.age=0.1"], &["sample.age=10.1"]));
        assert!(!same(&["sample.age=0.1"], &["sample.age=0.1"]));
        assert!(!same(&["x=1"], &["x=1"]), "the host was asked twice");
    }
}
