//! Is it the host? The sentence that says so, from the verdicts. Pure.

use crate::diagnose::conclude::absent;
use crate::diagnose::sentences::{partly_known, spoken};
use crate::joined::list;
use crate::verdict::{RESOURCES, State, Verdict, is_lasting};
use crate::views::reply::Reply;

/// A resource, the host's verdict on it, and what the guest does not have of it.
pub(super) struct Judged<'a> {
    pub(super) resource: &'static str,
    pub(super) verdict: Verdict<'a>,
    pub(super) absent: Option<&'static str>,
}

impl Judged<'_> {
    /// The state that counts for the answer.
    fn state(&self) -> State {
        if self.absent.is_some() { State::Ok } else { self.verdict.state }
    }
}

/// The verdicts of a reply.
pub(super) fn judged<'a>(reply: &'a Reply, lacking: &[&str]) -> Vec<Judged<'a>> {
    let judged = RESOURCES.into_iter().filter_map(|resource| {
        let verdict = Verdict::parse(reply.text(&format!("verdict.{resource}"))?);
        let absent = absent(resource, Some(verdict.state), lacking);
        Some(Judged { resource, verdict, absent })
    });
    judged.collect()
}

/// The answer to the question of whoever asks, and what to do next. A broker may have been told so long `ago`.
pub(super) fn answer(judged: &[Judged<'_>], ago: Option<&str>) -> String {
    let it_is = ago.map_or_else(|| "It is".to_owned(), |ago| format!("{ago}, it was"));
    let names = |state: State| {
        let of_state = judged.iter().filter(|judged| judged.state() == state);
        let known = of_state.filter(|judged| judged.absent.is_none());
        list(&known.map(|judged| spoken(judged.resource)).collect::<Vec<_>>())
    };
    let unknown = || judged.iter().filter(|judged| judged.state() == State::Unknown);
    let worst = judged.iter().map(Judged::state).max().unwrap_or(State::Unknown);
    match worst {
        State::Contended => {
            let own = match names(State::SelfLimited) {
                own if own.is_empty() => own,
                own => format!(", and this guest itself as well ({own})"),
            };
            let host = names(worst);
            format!("{it_is} the host ({host}){own}. To show whoever runs it: hostinfo diagnose")
        }
        State::SelfLimited => format!(
            "{it_is} this guest itself ({}), not other guests. Details: hostinfo diagnose",
            names(worst)
        ),
        State::Ok => {
            format!("{it_is} not the host. What this guest's own kernel counts: hostinfo diagnose")
        }
        State::Unknown => {
            let begin = match names(State::Ok) {
                ok if ok.is_empty() => "Whether it is the host is unknown".to_owned(),
                ok => partly_known(&ok, &names(worst), ago),
            };
            let wait = unknown().filter_map(|judged| judged.verdict.again()).max();
            let next = match wait {
                Some(wait) => {
                    format!("yet: ask again in {} s, or with --wait", wait.as_secs())
                }
                None if unknown().all(|judged| is_lasting(judged.verdict.reason)) => {
                    return format!("{begin}: only whoever runs the host can change that");
                }
                None => return format!("{begin}. To look for longer: hostinfo diagnose"),
            };
            format!("{begin} {next}")
        }
    }
}
