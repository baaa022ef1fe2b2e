//! Why a statistic has no value.

use std::borrow::Cow;

/// A statistic that is permitted and has no value now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Absent {
    /// For the guest, behind 503: names no path, no error and nothing else of the host.
    pub reason: Cow<'static, str>,
    /// For the administrator: what would help, with path and error where a file could not be
    /// read. `None` where there is nothing to mend.
    pub remedy: Option<Cow<'static, str>>,
}

impl Absent {
    /// There is no sample yet, or a ratio has none that is old enough to compare with.
    pub const AGAIN: Self = Self::plain("ask again in 1 s");

    /// A file that every Linux has is not there.
    pub(crate) const NO_PROC: Self =
        Self::new("could not be read on this host", "hostinfod needs the host's own /proc");

    pub(crate) const fn new(reason: &'static str, remedy: &'static str) -> Self {
        Self { reason: Cow::Borrowed(reason), remedy: Some(Cow::Borrowed(remedy)) }
    }

    /// There is nothing to mend.
    pub const fn plain(reason: &'static str) -> Self {
        Self { reason: Cow::Borrowed(reason), remedy: None }
    }

    /// A file is there, but not the line or the number in it.
    pub(crate) const fn untold(remedy: &'static str) -> Self {
        Self::new("this host's kernel does not tell", remedy)
    }

    /// The same with the error that showed it, for the administrator.
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Self {
        self.remedy = Some(match self.remedy {
            Some(remedy) => format!("{remedy} ({error})").into(),
            None => error.to_string().into(),
        });
        self
    }
}
