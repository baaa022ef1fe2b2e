//! Why a conversation with the host ended.

use std::io;
use std::time::Duration;

use hostinfo_file::in_words;

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("silent for {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("something answers there, but it is not hostinfo")]
    Strange,
    /// In place of any answer: this guest may ask nothing, or not yet.
    #[error("the host says: {0}")]
    Refused(&'static str),
    #[error("nobody is at the other end")]
    NotConnected,
    #[error("the host stopped in the middle of its reply")]
    Stalled,
    #[error("the host hung up before its reply was complete")]
    HungUp,
    #[error("no whole answer within {} s", .0.as_secs_f64())]
    Disturbed(Duration),
    #[error("the host does not understand this request, and may be older than this program: {0}")]
    NotUnderstood(String),
    #[error("the reply is longer than a host's can be")]
    TooLong,
    #[error("{}", in_words(.0))]
    Io(io::Error),
}

impl Broken {
    /// Whether a new connection may help.
    pub(crate) fn is_hang_up(&self) -> bool {
        matches!(self, Self::HungUp | Self::NotConnected)
    }
}
