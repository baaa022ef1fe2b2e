//! What the host said while this program observed, and whether it still answers.

use std::time::{Duration, Instant};

use crate::exit::Failure;
use crate::reply::Line;
use crate::views::dated::DatedReply;
use crate::views::hosts::{HostView, Judged};

/// Every answer so far.
pub(super) struct Heard {
    /// When the observation began.
    start: Instant,
    pub(super) view: HostView,
    newest: Option<DatedReply>,
    /// Why the newest request was not answered, if it was not.
    failure: Option<Failure>,
}

impl Heard {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, view: HostView::default(), newest: None, failure: None }
    }

    /// Adds the answer to the newest request, which came at `now`.
    pub(super) fn add(&mut self, answer: Result<Vec<Line>, Failure>, now: Instant) {
        self.failure = match answer {
            Ok(lines) => {
                self.hear(DatedReply::new(&lines, now), now);
                None
            }
            Err(failure) => Some(failure),
        };
    }

    fn hear(&mut self, dated: DatedReply, now: Instant) {
        if dated.is_from_before(self.start) {
            self.view.add_old(dated.reply.clone(), &dated.too_old(now));
        } else if self.newest.as_ref().is_none_or(|newest| !dated.is_same_as(newest)) {
            self.view.add(dated.reply.clone());
        }
        self.newest = Some(dated);
    }

    /// How old the newest reply is, if that is known.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        self.newest.as_ref()?.age(now)
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
        let failure =
            self.failure.as_ref().filter(|failure| failure.too_soon().is_none())?.to_string();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::State;
    use hostinfo_wire::Code;

    fn cpu(state: &str) -> Result<Vec<Line>, Failure> {
        Ok(vec![Line { code: Code::Done, text: format!("verdict.cpu={state}: x") }])
    }

    fn silence() -> Result<Vec<Line>, Failure> {
        Err(Failure::Usage("nobody answers\nand more".to_owned()))
    }

    fn heard(answers: impl IntoIterator<Item = Result<Vec<Line>, Failure>>) -> Heard {
        let start = Instant::now();
        let mut heard = Heard::new(start);
        answers.into_iter().for_each(|answer| heard.add(answer, start));
        heard.or_failure().unwrap()
    }

    /// The verdict on the CPU after replies that a broker gave so many seconds after the start, each of that age.
    fn kept(replies: &[(u64, u64)]) -> (Judged, Option<u64>) {
        let start = Instant::now();
        let mut heard = Heard::new(start);
        let mut now = start;
        for (seconds, age) in replies {
            now = start + Duration::from_secs(*seconds);
            let text = format!("sample.age={age}");
            let lines = ["verdict.cpu=ok: x", &text, "interval=60"];
            let lines = lines.map(|text| Line { code: Code::Done, text: text.to_owned() });
            heard.add(Ok(lines.to_vec()), now);
        }
        (heard.judged("cpu"), heard.age(now).map(|age| age.as_secs()))
    }

    #[test]
    fn a_reply_from_before_the_start_gives_no_verdict_and_says_when_the_host_was_asked() {
        let reason = "the host was last asked 35 s ago; ask again in 25 s".to_owned();
        let unknown = Judged::Verdict { state: State::Unknown, reason };
        assert_eq!(kept(&[(0, 25), (10, 35)]), (unknown, Some(35)));
    }

    #[test]
    fn a_reply_since_the_start_gives_its_verdict_however_often_a_broker_gives_it() {
        for replies in [&[(0, 25), (60, 0)][..], &[(0, 0), (10, 10)], &[(0, 40), (60, 40)]] {
            let (judged, age) = kept(replies);
            assert_eq!(judged.state(), Some(State::Ok), "{replies:?}");
            assert_eq!(age, replies.last().map(|(_, age)| *age));
        }
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
        let mut heard = Heard::new(Instant::now());
        heard.add(silence(), Instant::now());
        assert!(heard.or_failure().is_err());
    }
}
