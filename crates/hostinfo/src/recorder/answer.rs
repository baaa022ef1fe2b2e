//! A question to the host, and its answer with the times of both.

use std::time::{Duration, Instant};

use crate::exit::Failure;
use crate::host::Host;
use crate::question::Question;
use crate::reply::Line;

/// A wait that is worth it: a guest whose interval is as long as the time between two samples is too early by
/// some milliseconds, and would otherwise have every other of its host's figures.
const SOON: Duration = Duration::from_millis(500);

/// The host's answer to one question.
pub(crate) struct Answer {
    pub(super) asked: Instant,
    pub(super) came: Instant,
    pub(super) lines: Result<Vec<Line>, Failure>,
}

impl Answer {
    /// Asks the host, and waits for its answer.
    pub(crate) fn of(host: &mut Host<'_>) -> Self {
        let asked = Instant::now();
        let question = Question::get(&["verdict", "*"]);
        let mut lines = host.ask(&question);
        let wait = lines.as_ref().err().and_then(Failure::too_soon);
        if let Some(wait) = wait.filter(|wait| *wait <= SOON) {
            host.sit_out(wait, "too soon to ask, asking again");
            lines = host.ask(&question);
        }
        Self { asked, came: Instant::now(), lines }
    }
}
