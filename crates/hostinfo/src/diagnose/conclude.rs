//! Draws a conclusion from both views. Pure.

use std::time::Duration;

use crate::verdict::{State, is_lasting};
use crate::views::hosts::Judged;
use crate::views::own::View;

/// The conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Conclusion {
    /// This guest may not see any verdict.
    Refused,
    /// It is not the host.
    Ok,
    /// It is not known.
    Unknown,
    /// It is the guest's own limit.
    SelfLimited,
    /// It is the host.
    Contended,
}

impl Conclusion {
    /// The word for programs.
    pub(crate) fn word(self) -> &'static str {
        self.into()
    }
}

/// One resource, in both views.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) resource: &'static str,
    pub(crate) judged: Judged,
    /// Why the host's verdict is not believed, if its own reason does not say that.
    pub(crate) doubt: Option<String>,
    /// What this guest does not have, where that is why the host has no verdict.
    pub(crate) absent: Option<&'static str>,
}

impl Finding {
    /// Compares the host's verdict with what the guest sees, which has no device of the resources `lacking`.
    pub(crate) fn new(
        resource: &'static str,
        judged: Judged,
        view: &View,
        lacking: &[&str],
    ) -> Self {
        let doubt = doubt(resource, judged.state(), view);
        let absent = absent(resource, judged.state(), lacking);
        Self { resource, judged, doubt, absent }
    }

    /// The conclusion from this resource alone. `None` if the host has no verdict on it.
    pub(crate) fn conclusion(&self) -> Option<Conclusion> {
        if self.absent.is_some() {
            return Some(Conclusion::Ok);
        }
        let state = self.judged.state()?;
        Some(match state {
            State::Ok if self.doubt.is_some() => Conclusion::Unknown,
            State::Ok => Conclusion::Ok,
            State::Unknown => Conclusion::Unknown,
            State::SelfLimited => Conclusion::SelfLimited,
            State::Contended => Conclusion::Contended,
        })
    }

    /// Whether the host never knows this, however often it is asked.
    pub(super) fn is_lasting(&self) -> bool {
        match &self.judged {
            _ if self.doubt.is_some() => false,
            Judged::Verdict { reason, .. } | Judged::Missing(reason) => is_lasting(reason),
            Judged::Refused(_) => true,
        }
    }
}

const NO_DISK: &str = "no disk in this guest";
const NO_INTERFACE: &str = "no network interface in this guest";

/// Whether a recorded reason says that the guest does not have the device.
pub(crate) fn is_absence(reason: &str) -> bool {
    [NO_DISK, NO_INTERFACE].contains(&reason)
}

/// What a guest does not have that makes the host's verdict unknown.
pub(crate) fn absent(
    resource: &str,
    state: Option<State>,
    lacking: &[&str],
) -> Option<&'static str> {
    match (resource, state) {
        _ if !lacking.contains(&resource) => None,
        ("io", Some(State::Unknown)) => Some(NO_DISK),
        ("net", Some(State::Unknown)) => Some(NO_INTERFACE),
        _ => None,
    }
}

/// The smallest share of lost time that is noticeable: the same threshold that hosts use.
pub(super) const FELT: f64 = 0.05;

/// A guest whose CPUs are busy for nine tenths of the time has hardly any time left.
pub(crate) const BUSY: f64 = 0.9;

/// The shortest time from which the guest's own programs can be judged: in a shorter one, this
/// program itself is a good part of what runs.
pub(crate) const LOOK_LEAST: Duration = Duration::from_secs(10);

/// The evidence against a host that says `ok`: the guest's own kernel counts the time in which the
/// host ran something else.
fn doubt(resource: &str, state: Option<State>, view: &View) -> Option<String> {
    let steal = view.steal.filter(|steal| *steal >= FELT)?;
    (resource == "cpu" && state == Some(State::Ok)).then(|| {
        format!("this guest's own kernel says that {} of its CPU time was stolen", percent(steal))
    })
}

/// The conclusion from all findings.
pub(crate) fn overall(findings: &[Finding]) -> Conclusion {
    let is_refused = |finding: &Finding| matches!(finding.judged, Judged::Refused(_));
    let is_absent = |finding: &&Finding| finding.absent.is_some();
    let there = findings.iter().filter(|finding| !is_absent(finding));
    match there.filter_map(Finding::conclusion).max() {
        Some(conclusion) => conclusion,
        None if findings.iter().any(is_refused) => Conclusion::Refused,
        None if findings.iter().any(|finding| is_absent(&finding)) => Conclusion::Ok,
        None => Conclusion::Unknown,
    }
}

/// `34%`, and below one percent `0.4%`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.05..1.0 => format!("{percent:.1}%"),
        _ => format!("{percent:.0}%"),
    }
}
