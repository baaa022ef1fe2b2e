//! Notices: what guests read from their administrator.

use hostinfo_notices::Kind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number.
    pub id: u64,
    /// The guests it is for: a pattern as in the rules file.
    pub pattern: String,
    /// What it is about.
    pub kind: Kind,
    /// Its text.
    pub text: String,
    /// When the event begins.
    pub at: Timestamp,
    /// When the notice ends: guests no longer read it.
    pub until: Option<Timestamp>,
}

/// The reply to `NoticeSet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetNotice {
    /// The notice that was set.
    pub notice: Notice,
    /// How many present guests it is for.
    pub guests: u64,
    /// How many of them do not read it, because as many others as a guest can read come before it.
    pub hidden: u64,
}

/// The reply to `NoticeList`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    /// First the notices whose event is still to come or that have an end, the soonest first; then
    /// those whose event has begun and that have no end, the newest first.
    pub notices: Vec<Notice>,
}

/// The reply to `NoticeClear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// The notices that were removed.
    pub cleared: Vec<Notice>,
}
