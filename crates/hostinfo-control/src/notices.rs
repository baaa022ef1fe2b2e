//! What guests are told by their administrator.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The host will be worked at.
    Maintenance,
    /// The guest will be moved to another host.
    Migration,
    /// Anything else.
    Info,
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number.
    pub id: u64,
    /// Which guests it is for: a pattern as in the rules file.
    pub pattern: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// Its words.
    pub text: String,
    /// When it will be.
    pub at: Option<Timestamp>,
    /// When it is taken away.
    pub until: Option<Timestamp>,
}

/// The reply to `NoticeSet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetNotice {
    /// As it is told from now on.
    pub notice: Notice,
    /// How many guests that are there it is for.
    pub guests: u64,
}

/// The reply to `NoticeList`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    /// The soonest first.
    pub notices: Vec<Notice>,
}

/// The reply to `NoticeClear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// What is told no more.
    pub cleared: Vec<Notice>,
}
