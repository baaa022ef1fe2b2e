//! Why a statistic has no value.

use std::borrow::Cow;

/// The reason where a file says nothing.
const UNREADABLE: &str = "could not be read on this host";

/// A statistic that is permitted and has no value now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Absent {
    /// For the guest, behind 503: names no path, no error and nothing else of the host. It begins
    /// with `this host` where no guest of the host has it.
    pub reason: Cow<'static, str>,
    /// What kind of a lack it is.
    pub lack: Lack,
    /// For the administrator: path and error, where a file could not be read.
    pub error: Option<String>,
    /// How many CPUs, nodes or zones lack it: 1 of what a host has once.
    pub count: u64,
}

/// What there is to be done about a lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Nothing, and nothing to be told: it may be there next time, or is not for this guest.
    Passing,
    /// Nothing: the machine, its firmware or its kernel has none.
    Unsupported,
    /// Nothing: the host's owner has chosen to do without it.
    Chosen,
    /// Nothing is wrong: the host's owner or its distribution does without it, and this would turn it
    /// on, in the administrator's words.
    Optional(Cow<'static, str>),
    /// Something is wrong. This would help, in the administrator's words.
    Fault(Cow<'static, str>),
}

impl Absent {
    /// There is no sample yet, or a ratio has none that is old enough to compare with.
    pub const AGAIN: Self = Self::plain("ask again in 1 s");

    /// A file that every Linux has is not there.
    pub(crate) const NO_PROC: Self = Self::new(UNREADABLE, "hostinfod needs the host's own /proc");

    /// The same below `/sys`.
    pub(crate) const NO_SYS: Self = Self::new(UNREADABLE, "hostinfod needs the host's own /sys");

    /// A file is there, and not for hostinfod.
    pub(crate) const UNREAD: Self = Self::new(UNREADABLE, "hostinfod must be able to read it");

    pub(crate) const fn new(reason: &'static str, remedy: &'static str) -> Self {
        Self::with(reason, Lack::Fault(Cow::Borrowed(remedy)))
    }

    /// What is wrong, with a remedy that is known only now.
    pub fn fault(reason: &'static str, remedy: String) -> Self {
        Self::with(reason, Lack::Fault(Cow::Owned(remedy)))
    }

    /// There is nothing to mend, and nothing to be told to the administrator.
    pub const fn plain(reason: &'static str) -> Self {
        Self::with(reason, Lack::Passing)
    }

    /// This host cannot have it.
    pub(crate) const fn unsupported(reason: &'static str) -> Self {
        Self::with(reason, Lack::Unsupported)
    }

    /// The host's owner does without it.
    pub(crate) const fn chosen(reason: &'static str) -> Self {
        Self::with(reason, Lack::Chosen)
    }

    /// The host does without it unless its owner wants it.
    pub(crate) const fn optional(reason: &'static str, remedy: &'static str) -> Self {
        Self::with(reason, Lack::Optional(Cow::Borrowed(remedy)))
    }

    /// A file is there, but not the line or the number in it.
    pub(crate) const fn untold(remedy: &'static str) -> Self {
        Self::new("this host's kernel does not report it", remedy)
    }

    /// The same of a file of one guest: other guests' may be as they should.
    pub(crate) const fn untold_of_guest(remedy: &'static str) -> Self {
        Self::new("this guest's process or cgroup does not report it", remedy)
    }

    const fn with(reason: &'static str, lack: Lack) -> Self {
        Self { reason: Cow::Borrowed(reason), lack, error: None, count: 1 }
    }

    /// The same with the error that showed it.
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Self {
        self.error = Some(error.to_string());
        self
    }

    /// The same of so many CPUs, nodes or zones.
    pub(crate) fn of(mut self, count: usize) -> Self {
        self.count = u64::try_from(count).unwrap_or(u64::MAX);
        self
    }

    /// What would help, where something is wrong.
    pub fn remedy(&self) -> Option<&str> {
        match &self.lack {
            Lack::Fault(remedy) => Some(remedy),
            Lack::Passing | Lack::Unsupported | Lack::Chosen | Lack::Optional(_) => None,
        }
    }

    /// What the administrator is told where nothing is wrong: the reason, and where the host could
    /// have it, what would turn it on and the error that showed it.
    pub fn without(&self) -> String {
        let reason = &self.reason;
        match (&self.lack, &self.error) {
            (Lack::Optional(remedy), None) => format!("{reason}; to turn it on, {remedy}"),
            (Lack::Optional(remedy), Some(error)) => {
                format!("{reason}; to turn it on, {remedy} ({error})")
            }
            _ => reason.clone().into_owned(),
        }
    }

    /// Whether no guest of the host has it.
    pub(crate) fn is_of_host(&self) -> bool {
        self.reason.starts_with("this host")
    }

    /// Whether it is the same lack, seen at the same file or not.
    pub(crate) fn is_like(&self, other: &Self, same_file: bool) -> bool {
        // Each file that says nothing is a lack of its own.
        let is_one = same_file || self.reason != UNREADABLE;
        is_one && self.reason == other.reason && self.lack == other.lack
    }

    /// What the administrator is told: the reason, the remedy and the error that showed it. `None`
    /// where nothing is wrong.
    pub fn advice(&self) -> Option<String> {
        let (reason, remedy) = (&self.reason, self.remedy()?);
        Some(match (&self.error, self.count) {
            (Some(error), 0 | 1) => format!("{reason}: {remedy} ({error})"),
            (Some(error), count) => format!("{reason}: {remedy} ({count} times; first {error})"),
            (None, 0 | 1) => format!("{reason}: {remedy}"),
            (None, count) => format!("{reason}: {remedy} ({count} times)"),
        })
    }
}
