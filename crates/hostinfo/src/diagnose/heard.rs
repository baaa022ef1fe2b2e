//! What the host said while this program observed, and whether it still answers.

use crate::exit::Failure;
use crate::reply::Line;
use crate::views::hosts::{HostView, Judged, Reply};

/// Every answer so far.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) view: HostView,
    /// Why the newest request was not answered, if it was not.
    failure: Option<Failure>,
}

impl Heard {
    /// Adds the answer to the newest request.
    pub(super) fn add(&mut self, answer: Result<Vec<Line>, Failure>) {
        self.failure = match answer {
            Ok(lines) => {
                self.view.add(Reply::of(&lines));
                None
            }
            Err(failure) => Some(failure),
        };
    }

    /// The failure, if there is nothing else.
    ///
    /// # Errors
    /// That failure.
    pub(super) fn or_failure(mut self) -> Result<Self, Failure> {
        match self.failure.take() {
            Some(failure) if self.view.is_empty() => Err(failure),
            failure => Ok(Self { failure, ..self }),
        }
    }

    /// Why the host did not answer the newest request. An answer of "too soon" is one.
    pub(super) fn silence(&self) -> Option<String> {
        let failure = self.failure.as_ref().filter(|failure| !is_too_soon(failure))?.to_string();
        let why = failure.lines().next()?;
        // What it is a reason for says that already.
        Some(why.strip_prefix("no host answers: ").unwrap_or(why).to_owned())
    }

    /// The verdict on one resource. If the host has been silent since the first request, there is none: its first
    /// verdict is about the time before.
    pub(super) fn judged(&self, resource: &str) -> Judged {
        match self.silence() {
            Some(why) if !self.view.has_later() => {
                Judged::Missing(format!("it stopped answering: {why}"))
            }
            _ => self.view.judged(resource),
        }
    }
}

/// Whether the host answered that it is too soon to ask.
pub(super) fn is_too_soon(failure: &Failure) -> bool {
    matches!(failure, Failure::TooSoon(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::State;
    use hostinfo_wire::Code;
    use std::time::Duration;

    fn cpu(state: &str) -> Result<Vec<Line>, Failure> {
        Ok(vec![Line { code: Code::Done, text: format!("verdict.cpu={state}: x") }])
    }

    fn silence() -> Result<Vec<Line>, Failure> {
        Err(Failure::Usage("nobody answers\nand more".to_owned()))
    }

    fn heard(answers: impl IntoIterator<Item = Result<Vec<Line>, Failure>>) -> Heard {
        let mut heard = Heard::default();
        answers.into_iter().for_each(|answer| heard.add(answer));
        heard.or_failure().unwrap()
    }

    #[test]
    fn verdicts_from_before_the_host_fell_silent_count() {
        let heard = heard([cpu("ok"), cpu("contended"), silence()]);
        assert_eq!(heard.judged("cpu").state(), Some(State::Contended));
        assert_eq!(heard.silence().as_deref(), Some("nobody answers"));
    }

    #[test]
    fn a_verdict_about_the_time_before_is_none_if_the_host_is_silent_since() {
        let heard = heard([cpu("ok"), silence()]);
        let why = "it stopped answering: nobody answers".to_owned();
        assert_eq!(heard.judged("cpu"), Judged::Missing(why));
    }

    #[test]
    fn a_host_that_is_back_or_says_that_it_is_too_soon_is_not_silent() {
        let too_soon = || Err(Failure::TooSoon(Duration::from_secs(9)));
        for answers in [vec![cpu("ok"), silence(), cpu("ok")], vec![cpu("ok"), too_soon()]] {
            let heard = heard(answers);
            assert_eq!((heard.judged("cpu").state(), heard.silence()), (Some(State::Ok), None));
        }
    }

    #[test]
    fn without_any_reply_there_is_only_the_failure() {
        let mut heard = Heard::default();
        heard.add(silence());
        assert!(heard.or_failure().is_err());
    }
}
