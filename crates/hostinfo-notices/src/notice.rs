//! One notice.

use std::fmt;

use hostinfo_rules::{BadPattern, Pattern};
use hostinfo_wire::text::printable;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::limits::{NOTICE_MAX, PATTERN_MAX};

/// What an administrator wants to announce.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Which guests it is for: matched against the names of guests' sockets, like a rule's pattern.
    pub pattern: String,
    /// What it is about.
    pub kind: Kind,
    /// When it happens, to the second.
    pub at: Timestamp,
    /// When it ends, after which nobody sees it; without it, the notice stays until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// One line.
    pub text: String,
}

/// A notice as guests see it, kept in [`Notices`](crate::Notices).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The administrator's name for it: a number from 1 that is never used for another notice.
    /// (Guests number theirs independently.)
    pub id: u64,
    /// Its contents.
    pub draft: Draft,
    pattern: Pattern,
}

/// Why a draft is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The pattern is invalid.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// No guest can have such a name.
    #[error("the pattern has over {PATTERN_MAX} bytes, or control characters in it")]
    LongPattern,
    /// The text is not a single line.
    #[error("the text has to be one line, without control characters or blanks around it")]
    Text,
    /// The notice would be longer than [`NOTICE_MAX`].
    #[error(
        "the text is {0} bytes too long: with kind and time, a notice has at most {NOTICE_MAX}"
    )]
    LongText(usize),
    /// It would end before it begins.
    #[error("it would end (until {until}) before it begins (at {at})")]
    Backwards {
        /// When it happens.
        at: Timestamp,
        /// When it ends.
        until: Timestamp,
    },
}

impl Notice {
    /// Turns the draft into a notice; no other notice may have this `id`.
    ///
    /// # Errors
    /// [`Invalid`].
    pub(crate) fn new(id: u64, draft: Draft) -> Result<Self, Invalid> {
        if draft.pattern.len() > PATTERN_MAX || draft.pattern.contains(char::is_control) {
            return Err(Invalid::LongPattern);
        }
        let pattern = draft.pattern.parse()?;
        if draft.text.is_empty() || printable((&*draft.text).into()) != draft.text {
            return Err(Invalid::Text);
        }
        if let Some(until) = draft.until.filter(|until| *until < draft.at) {
            return Err(Invalid::Backwards { at: draft.at, until });
        }
        let notice = Self { id, draft, pattern };
        match notice.to_string().len().checked_sub(NOTICE_MAX) {
            None | Some(0) => Ok(notice),
            Some(over) => Err(Invalid::LongText(over)),
        }
    }

    /// Whether it is for the guest with a socket of that name.
    pub fn is_for(&self, guest: &str) -> bool {
        self.pattern.matches(guest)
    }

    /// Whether it has begun and lasts until it is cleared.
    pub fn is_lasting(&self, now: Timestamp) -> bool {
        self.draft.until.is_none() && self.draft.at <= now
    }

    /// Whether it has ended, so that nobody sees it any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.draft.until.is_some_and(|until| until <= now)
    }
}

/// The text for guests, with the time in UTC as in RFC 3339:
///
/// ```text
/// maintenance at 2026-11-23T22:00:00Z: new memory, down for an hour
/// ```
impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Draft { kind, at, text, .. } = &self.draft;
        write!(out, "{kind} at {}: {text}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The point in time.
    pub(crate) fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A draft for these guests.
    pub(crate) fn draft(pattern: &str, at: &str, text: &str) -> Draft {
        Draft {
            pattern: pattern.to_owned(),
            kind: Kind::Maintenance,
            at: time(at),
            until: None,
            text: text.to_owned(),
        }
    }

    const AT: &str = "2026-11-23T23:00:00.9+01:00";

    #[test]
    fn guests_read_kind_time_and_text() {
        let notice = Notice::new(1, draft("*", AT, "new memory")).unwrap();
        assert_eq!(notice.to_string(), "maintenance at 2026-11-23T22:00:00Z: new memory");
    }

    #[test]
    fn the_pattern_means_what_a_rules_pattern_means() {
        let notice = Notice::new(1, draft("qemu-web[0-9]*", AT, "x")).unwrap();
        assert!(notice.is_for("qemu-web1") && notice.is_for("qemu-web1b"));
        assert!(!notice.is_for("qemu-web") && !notice.is_for("web1"));
    }

    #[test]
    fn a_notice_is_over_at_its_end_and_never_without_one() {
        let mut draft = draft("*", AT, "x");
        assert!(!Notice::new(1, draft.clone()).unwrap().is_over(Timestamp::MAX));
        draft.until = Some(time("2026-11-24T00:00:00Z"));
        let notice = Notice::new(1, draft).unwrap();
        assert!(!notice.is_over(time("2026-11-23T23:59:59Z")));
        assert!(notice.is_over(time("2026-11-24T00:00:00Z")));
    }

    #[test]
    fn a_notice_is_at_most_400_bytes_long() {
        let text = |bytes: usize| "ü".repeat(bytes / 2) + &"x".repeat(bytes % 2);
        let head = NOTICE_MAX - "maintenance at 2026-11-23T22:00:00Z: ".len();
        let notice = Notice::new(1, draft("*", AT, &text(head))).unwrap();
        assert_eq!(notice.to_string().len(), NOTICE_MAX);
        assert_eq!(Notice::new(1, draft("*", AT, &text(head + 3))), Err(Invalid::LongText(3)));
    }

    #[test]
    fn a_notice_needs_a_line_of_text_a_pattern_and_an_end_after_its_beginning() {
        for text in ["", " ", "a\nb", "a\tb", "x ", "a\u{85}b", "\u{1b}[31m"] {
            assert_eq!(Notice::new(1, draft("*", AT, text)), Err(Invalid::Text), "{text:?}");
        }
        assert!(matches!(Notice::new(1, draft("qemu-[", AT, "x")), Err(Invalid::Pattern(_))));
        for pattern in ["a\nb", &"x".repeat(PATTERN_MAX + 1)] {
            assert_eq!(Notice::new(1, draft(pattern, AT, "x")), Err(Invalid::LongPattern));
        }
        let until = Some(time("2026-11-23T21:00:00Z"));
        let backwards = Notice::new(1, Draft { until, ..draft("*", AT, "x") });
        assert!(matches!(backwards, Err(Invalid::Backwards { .. })));
    }

    proptest! {
        #[test]
        fn any_draft_is_one_line_or_refused(
            pattern in any::<String>(), text in any::<String>(), at in any::<i32>(),
        ) {
            let at = Timestamp::from_second(i64::from(at)).unwrap();
            let draft = Draft { pattern, kind: Kind::Info, at, until: None, text };
            if let Ok(notice) = Notice::new(1, draft) {
                let told = notice.to_string();
                prop_assert!(told.len() <= NOTICE_MAX && !told.contains(char::is_control));
            }
        }
    }
}
