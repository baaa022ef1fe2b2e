//! Why a statistic has no value.

use std::borrow::Cow;

/// A statistic that is permitted and has no value now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Absent {
    /// For the guest, behind 503: names no path, no error and nothing else of the host. It begins
    /// with `this host` where no guest of the host has it.
    pub reason: Cow<'static, str>,
    /// For the administrator: what would help. `None` where there is nothing to mend.
    pub remedy: Option<Cow<'static, str>>,
    /// Behind the remedy: path and error, where a file could not be read.
    pub error: Option<String>,
}

impl Absent {
    /// There is no sample yet, or a ratio has none that is old enough to compare with.
    pub const AGAIN: Self = Self::plain("ask again in 1 s");

    /// A file that every Linux has is not there.
    pub(crate) const NO_PROC: Self =
        Self::new("could not be read on this host", "hostinfod needs the host's own /proc");

    pub(crate) const fn new(reason: &'static str, remedy: &'static str) -> Self {
        Self { reason: Cow::Borrowed(reason), remedy: Some(Cow::Borrowed(remedy)), error: None }
    }

    /// There is nothing to mend.
    pub const fn plain(reason: &'static str) -> Self {
        Self { reason: Cow::Borrowed(reason), remedy: None, error: None }
    }

    /// A file is there, but not the line or the number in it.
    pub(crate) const fn untold(remedy: &'static str) -> Self {
        Self::new("this host's kernel does not tell", remedy)
    }

    /// The same with the error that showed it.
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Self {
        self.error = Some(error.to_string());
        self
    }

    /// Whether no guest of the host has it.
    pub(crate) fn is_of_host(&self) -> bool {
        self.reason.starts_with("this host")
    }

    /// Whether the same is to be mended, whichever file showed it.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.reason == other.reason && self.remedy == other.remedy
    }

    /// What the administrator is told: the reason, the remedy and the error that showed it. `None`
    /// where there is nothing to mend.
    pub fn advice(&self) -> Option<String> {
        let (reason, remedy) = (&self.reason, self.remedy.as_ref()?);
        Some(match &self.error {
            Some(error) => format!("{reason}: {remedy} ({error})"),
            None => format!("{reason}: {remedy}"),
        })
    }
}
