//! Verdicts with a known window.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{LabGuest, PATIENCE};

/// A verdict: `STATE: REASON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The word: `ok`, `contended`, `self-limited` or `unknown`.
    pub state: String,
    /// The reason; may be empty.
    pub reason: String,
}

/// How long to wait before asking again.
const STEP: Duration = Duration::from_secs(5);

/// How long a cause may take to have an effect, and a sample to be taken.
const SETTLING: Duration = Duration::from_secs(3);

/// The window of a verdict that does not state one.
const WHOLE: Duration = Duration::from_secs(60);

impl LabGuest<'_> {
    /// The verdict on `cpu`, `memory`, `io` or `net`, with a window that lies entirely after
    /// `since`: asks until it does.
    ///
    /// # Errors
    /// There is none.
    pub fn verdict(&self, resource: &str, since: Instant) -> Result<Verdict> {
        let name = format!("verdict.{resource}");
        let end = Instant::now() + PATIENCE;
        loop {
            let reply = self.ask(&name)?.concat();
            let asked = Instant::now();
            let verdict = parse(&reply, &name)?;
            let window = window(&verdict.reason).unwrap_or(WHOLE);
            let is_too_soon = verdict.reason.contains("ask again in");
            if !is_too_soon && asked >= since + SETTLING + window {
                return Ok(verdict);
            }
            if asked > end {
                bail!("no verdict of the time since: {reply}");
            }
            std::thread::sleep(STEP);
        }
    }

    /// [`Self::verdict`], which must have that state, and these words in its reason.
    ///
    /// # Errors
    /// There is none, or it is a different one.
    pub fn expect(&self, resource: &str, since: Instant, state: &str, words: &str) -> Result<()> {
        let verdict = self.verdict(resource, since)?;
        if verdict.state != state || !verdict.reason.contains(words) {
            bail!("{}: not {state:?} with {words:?}: {verdict:?}", self.name());
        }
        Ok(())
    }
}

fn parse(reply: &str, name: &str) -> Result<Verdict> {
    let value =
        reply.strip_prefix("200 ").and_then(|rest| rest.strip_prefix(name)?.strip_prefix('='));
    let value = value.with_context(|| reply.to_owned())?;
    let (state, reason) = value.split_once(": ").unwrap_or((value, ""));
    Ok(Verdict { state: state.to_owned(), reason: reason.to_owned() })
}

/// The window that a reason states: `of the last 60 s`.
fn window(reason: &str) -> Option<Duration> {
    let (_, rest) = reason.split_once("the last ")?;
    let (seconds, _) = rest.split_once(" s")?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[test]
fn a_verdict_says_of_which_time_it_speaks() {
    let reply = "200 verdict.cpu=contended: your vCPUs waited 6% of the last 24 s for a host CPU";
    let verdict = parse(reply, "verdict.cpu").unwrap();
    assert_eq!(verdict.state, "contended");
    assert_eq!(window(&verdict.reason), Some(Duration::from_secs(24)));
    assert_eq!(window("idle"), None);
    assert!(parse("503 verdict.cpu: ask again in 1 s", "verdict.cpu").is_err());
}
