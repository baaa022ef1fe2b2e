//! The rules that may decide a reply: those in force while its request was on its way.

use std::time::{Duration, Instant};

use super::guest::{Number, is_odd};

/// How long after the file was written other rules may still decide: it has to be quiet for 50 ms, and what comes on
/// top is for a busy machine.
pub const IN_FORCE_WITHIN: Duration = Duration::from_secs(1);

/// What a rule permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// The label `left` and not `right`.
    Left,
    /// The label `right` and not `left`.
    Right,
    /// Nothing: `enabled = 0`.
    Blocked,
}

/// One content of the rules file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// For guests with an even number.
    pub even: Grant,
    /// For the others.
    pub odd: Grant,
    /// Whether the rule of the others asks for their tag, and not for their names.
    pub by_tag: bool,
}

impl Rules {
    /// As a file.
    pub fn text(&self) -> String {
        let odd = if self.by_tag { "ch-* half=odd" } else { "ch-*[13579]" };
        let (even_lines, odd_lines) = (lines(self.even), lines(self.odd));
        format!("ch-*[02468]:\n{even_lines}{odd}:\n{odd_lines}ch-*:\n  interval = 0\n")
    }

    fn of(&self, number: Number) -> Grant {
        if is_odd(number) { self.odd } else { self.even }
    }
}

fn lines(grant: Grant) -> &'static str {
    match grant {
        Grant::Left => "  interval = 0\n  label.left = 1\n",
        Grant::Right => "  interval = 0\n  label.right = 1\n",
        Grant::Blocked => "  enabled = 0\n",
    }
}

/// Which rule has decided a reply, as far as it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// A rule with that grant.
    By(Grant),
    /// One that permits neither label: the last rule.
    ByTheLast,
    /// None: the tags that it depends on cannot be read.
    Unread,
    /// None that there is: both labels are permitted.
    ByNone,
}

/// All contents of the rules file, one after another.
#[derive(Debug)]
pub struct History(Vec<Written>);

#[derive(Debug)]
struct Written {
    rules: Rules,
    at: Instant,
    /// From when on it cannot be in force any more.
    over: Option<Instant>,
}

impl History {
    /// Rules that are in force since `at`.
    pub fn new(rules: Rules, at: Instant) -> Self {
        Self(vec![Written { rules, at, over: None }])
    }

    /// The file is written.
    pub fn write(&mut self, rules: Rules, at: Instant) {
        self.0.push(Written { rules, at, over: None });
    }

    /// The last that was written.
    pub fn last(&self) -> Option<Rules> {
        self.0.last().map(|written| written.rules)
    }

    /// The last that was written before `now` minus [`IN_FORCE_WITHIN`] has to be in force now. Not to be called
    /// while a fault keeps the daemon from reading it.
    pub fn settle(&mut self, now: Instant) {
        let due = |written: &Written| now >= written.at + IN_FORCE_WITHIN;
        let Some(last) = self.0.iter().rposition(due) else { return };
        for written in self.0.iter_mut().take(last) {
            written.over.get_or_insert(now);
        }
    }

    /// Whether only the last content of the file can be in force.
    pub fn is_settled(&self) -> bool {
        self.0.iter().rev().skip(1).all(|written| written.over.is_some())
    }

    /// Whether a reply to a request that was sent at `sent` may have been decided so, and by which content of the
    /// file at the earliest, if that is none before `not_before`.
    ///
    /// `may_lack_tags`: the tags may have been unreadable, or their domain unknown.
    pub fn decides(
        &self,
        guest: Number,
        decided: Decided,
        sent: Instant,
        not_before: usize,
        may_lack_tags: bool,
    ) -> Option<usize> {
        let mut candidates = self.0.iter().enumerate().skip(not_before);
        let (index, _) = candidates.find(|(_, written)| {
            let in_time = written.over.is_none_or(|over| over > sent);
            let lacks_tags = may_lack_tags && written.rules.by_tag && is_odd(guest);
            in_time
                && match decided {
                    Decided::By(grant) => written.rules.of(guest) == grant,
                    Decided::ByTheLast | Decided::Unread => lacks_tags,
                    Decided::ByNone => false,
                }
        })?;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Rules = Rules { even: Grant::Left, odd: Grant::Right, by_tag: true };
    const SECOND: Rules = Rules { even: Grant::Blocked, odd: Grant::Left, by_tag: false };

    #[test]
    fn old_rules_decide_what_was_sent_before_others_had_to_be_in_force() {
        let start = Instant::now();
        let mut history = History::new(FIRST, start);
        let left = |history: &History, sent| {
            history.decides(0, Decided::By(Grant::Left), sent, 0, false).is_some()
        };
        let changed = start + 9 * IN_FORCE_WITHIN;
        history.write(SECOND, changed);
        history.settle(changed);
        assert!(left(&history, changed));
        let settled = changed + IN_FORCE_WITHIN;
        history.settle(settled);
        assert!(left(&history, changed) && !left(&history, settled));
        assert!(history.decides(0, Decided::By(Grant::Blocked), settled, 0, false).is_some());
    }

    #[test]
    fn a_guest_that_saw_new_rules_never_sees_the_old_ones_again() {
        let start = Instant::now();
        let mut history = History::new(FIRST, start);
        history.write(SECOND, start);
        let seen = history.decides(0, Decided::By(Grant::Blocked), start, 0, false);
        assert_eq!(seen, Some(1));
        assert_eq!(history.decides(0, Decided::By(Grant::Left), start, 1, false), None);
    }

    #[test]
    fn a_guest_known_by_a_tag_may_fall_to_the_last_rule_only_while_tags_may_be_lacking() {
        let start = Instant::now();
        let history = History::new(FIRST, start);
        for decided in [Decided::ByTheLast, Decided::Unread] {
            assert!(history.decides(1, decided, start, 0, true).is_some());
            assert_eq!(history.decides(1, decided, start, 0, false), None);
            assert_eq!(history.decides(0, decided, start, 0, true), None);
        }
        assert_eq!(history.decides(1, Decided::ByNone, start, 0, true), None);
    }
}
