//! What guests are told by their administrator.

use hostinfo_notices::Kind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number.
    pub id: u64,
    /// Which guests it is for: a pattern as in the rules file.
    pub pattern: String,
    /// What it is about.
    pub kind: Kind,
    /// Its words.
    pub text: String,
    /// When it comes about.
    pub at: Timestamp,
    /// When it is over, and nobody is told any more.
    pub until: Option<Timestamp>,
}

/// The reply to `NoticeSet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetNotice {
    /// As it is told from now on.
    pub notice: Notice,
    /// How many guests that are there it is for.
    pub guests: u64,
    /// How many of them are not told of it, since as many others as a guest is told come before it.
    pub hidden: u64,
}

/// The reply to `NoticeList`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    /// What is to come and what has its end, the soonest first; then what has come about and has
    /// no end, the newest first.
    pub notices: Vec<Notice>,
}

/// The reply to `NoticeClear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// What is told no more.
    pub cleared: Vec<Notice>,
}
