//! Why a statistic has no value.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The reason when a file cannot be read or has no usable text.
const UNREADABLE: &str = "could not be read on this host";

/// A permitted statistic that has no value now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Absent {
    /// The reason the guest sees, behind 503. It names no path, no error and nothing else about the
    /// host. It begins with `this host` if no guest of the host has the statistic.
    pub reason: Cow<'static, str>,
    /// What kind of lack this is.
    pub lack: Lack,
    /// The path and error for the administrator, if a file could not be read.
    pub error: Option<String>,
    /// How many CPUs, nodes or zones lack it; 1 for something a host has once.
    pub count: u64,
}

/// What can be done about a lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lack {
    /// Nothing to do and nothing to report: the value may be there next time, or is not for this
    /// guest.
    Passing,
    /// Nothing: the machine, its firmware or its kernel does not have it.
    Unsupported,
    /// Nothing: the host's owner chose to do without it.
    Chosen,
    /// Nothing is wrong: the host's owner or its distribution does without it. The text tells the
    /// administrator how to turn it on.
    Optional(Cow<'static, str>),
    /// Something is wrong. The text tells the administrator what would help.
    Fault(Cow<'static, str>),
}

impl Absent {
    /// There is no sample yet, or no sample old enough for a ratio to compare with.
    pub const AGAIN: Self = Self::plain(hostinfo_wire::reply::ASK_AGAIN);

    /// A file that every Linux has does not exist.
    pub(crate) const NO_PROC: Self = Self::new(UNREADABLE, "hostinfod needs the host's own /proc");

    /// The same below `/sys`.
    pub(crate) const NO_SYS: Self = Self::new(UNREADABLE, "hostinfod needs the host's own /sys");

    /// The file exists, but hostinfod may not read it.
    pub(crate) const UNREAD: Self = Self::new(UNREADABLE, "hostinfod must be able to read it");

    pub(crate) const fn new(reason: &'static str, remedy: &'static str) -> Self {
        Self::with(reason, Lack::Fault(Cow::Borrowed(remedy)))
    }

    /// Something is wrong, and the remedy is only known at run time.
    pub fn fault(reason: &'static str, remedy: String) -> Self {
        Self::with(reason, Lack::Fault(Cow::Owned(remedy)))
    }

    /// Nothing needs mending, and the administrator need not be told.
    pub const fn plain(reason: &'static str) -> Self {
        Self::with(reason, Lack::Passing)
    }

    /// This host cannot have it.
    pub(crate) const fn unsupported(reason: &'static str) -> Self {
        Self::with(reason, Lack::Unsupported)
    }

    /// The host's owner chose to do without it.
    pub(crate) const fn chosen(reason: &'static str) -> Self {
        Self::with(reason, Lack::Chosen)
    }

    /// The host does without it until its owner turns it on.
    pub(crate) const fn optional(reason: &'static str, remedy: &'static str) -> Self {
        Self::with(reason, Lack::Optional(Cow::Borrowed(remedy)))
    }

    /// The file exists, but lacks the line or the number.
    pub(crate) const fn untold(remedy: &'static str) -> Self {
        Self::new("this host's kernel does not report it", remedy)
    }

    /// The same for a file of one guest; other guests may have it.
    pub(crate) const fn untold_of_guest(remedy: &'static str) -> Self {
        Self::new("this guest's process or cgroup does not report it", remedy)
    }

    const fn with(reason: &'static str, lack: Lack) -> Self {
        Self { reason: Cow::Borrowed(reason), lack, error: None, count: 1 }
    }

    /// Adds the error that revealed the lack.
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Self {
        self.error = Some(error.to_string());
        self
    }

    /// Sets how many CPUs, nodes or zones lack it.
    pub(crate) fn of(mut self, count: usize) -> Self {
        self.count = u64::try_from(count).unwrap_or(u64::MAX);
        self
    }

    /// What would help, if something is wrong.
    pub fn remedy(&self) -> Option<&str> {
        match &self.lack {
            Lack::Fault(remedy) => Some(remedy),
            Lack::Passing | Lack::Unsupported | Lack::Chosen | Lack::Optional(_) => None,
        }
    }

    /// What to tell the administrator when nothing is wrong: the reason and, if the host could have
    /// it, how to turn it on and the error that revealed the lack.
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
    pub fn is_of_host(&self) -> bool {
        self.reason.starts_with("this host")
    }

    /// Whether both are the same lack, whether or not the same file revealed them.
    pub(crate) fn is_like(&self, other: &Self, same_file: bool) -> bool {
        // Each unreadable file is a lack of its own.
        let is_one = same_file || self.reason != UNREADABLE;
        is_one && self.reason == other.reason && self.lack == other.lack
    }

    /// What to tell the administrator: the reason, the remedy and the error that revealed the lack.
    /// `None` if nothing is wrong.
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
