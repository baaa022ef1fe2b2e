//! Draws a conclusion in sentences from both views. Pure.

use std::time::Duration;

use crate::units;
use crate::verdict::State;
use crate::views::own::View;
use crate::views::told::{Figures, Judged};

/// The conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
        match self {
            Self::Refused => "refused",
            Self::Ok => State::Ok.word(),
            Self::Unknown => State::Unknown.word(),
            Self::SelfLimited => State::SelfLimited.word(),
            Self::Contended => State::Contended.word(),
        }
    }
}

/// One resource, in both views.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) resource: &'static str,
    pub(crate) judged: Judged,
    /// Why the host's verdict is not believed, if its own reason does not say that.
    pub(crate) doubt: Option<String>,
}

impl Finding {
    /// Compares the host's verdict with what the guest sees.
    pub(crate) fn new(resource: &'static str, judged: Judged, view: &View) -> Self {
        let doubt = doubt(resource, judged.state(), view);
        Self { resource, judged, doubt }
    }

    /// The conclusion from this resource alone. `None` if the host has no verdict on it.
    pub(crate) fn conclusion(&self) -> Option<Conclusion> {
        let state = self.judged.state()?;
        Some(match state {
            State::Ok if self.doubt.is_some() => Conclusion::Unknown,
            State::Ok => Conclusion::Ok,
            State::Unknown => Conclusion::Unknown,
            State::SelfLimited => Conclusion::SelfLimited,
            State::Contended => Conclusion::Contended,
        })
    }
}

/// The smallest share of lost time that is noticeable: the same threshold that hosts use.
const FELT: f64 = 0.05;

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
    match findings.iter().filter_map(Finding::conclusion).max() {
        Some(conclusion) => conclusion,
        None if findings.iter().any(is_refused) => Conclusion::Refused,
        None => Conclusion::Unknown,
    }
}

/// The conclusion in sentences, the most important first.
pub(crate) fn sentences(findings: &[Finding], view: &View, figures: &Figures) -> Vec<String> {
    let overall = overall(findings);
    let concerned: Vec<&Finding> =
        findings.iter().filter(|finding| finding.conclusion() == Some(overall)).collect();
    let names = list(&concerned.iter().map(|finding| spoken(finding.resource)).collect::<Vec<_>>());
    let mut sentences = vec![match overall {
        Conclusion::Contended => format!("It is the host: it is short of {names} for this guest."),
        Conclusion::SelfLimited => {
            format!("It is this guest's own limit on {names}, not other guests.")
        }
        Conclusion::Ok => "It is not the host: this guest got what it asked for.".to_owned(),
        Conclusion::Unknown if concerned.is_empty() => {
            format!("The host gives no verdict: {}.", why_none(findings))
        }
        Conclusion::Unknown => format!("It cannot be told whether it is the host: {names}."),
        Conclusion::Refused => "The host does not let this guest see any verdict.".to_owned(),
    }];
    for finding in &concerned {
        sentences.extend(of_finding(finding));
    }
    sentences.extend(own_doing(findings, view, figures));
    sentences.extend(agreement(findings, view, figures));
    sentences.push(advice(overall).to_owned());
    sentences
}

/// Why there is no verdict at all.
fn why_none(findings: &[Finding]) -> &str {
    let why = findings.iter().find_map(|finding| match &finding.judged {
        Judged::Refused(why) | Judged::Missing(why) => Some(why.as_str()),
        Judged::Verdict { .. } => None,
    });
    why.unwrap_or("nothing was looked at")
}

/// The host's reason, unless it only says that all is well.
fn of_finding(finding: &Finding) -> Option<String> {
    if let Some(doubt) = &finding.doubt {
        return Some(format!(
            "The host says that {} is ok, but {doubt}.",
            spoken(finding.resource)
        ));
    }
    match &finding.judged {
        Judged::Verdict { state, reason } if *state != State::Ok && !reason.is_empty() => {
            Some(format!("Of {}, the host says: {reason}.", spoken(finding.resource)))
        }
        _ => None,
    }
}

/// Causes in the guest itself, for a guest that gets what it asks for but is slow.
fn own_doing(findings: &[Finding], view: &View, figures: &Figures) -> Vec<String> {
    let is_ok = |resource: &str| {
        findings.iter().any(|finding| {
            finding.resource == resource && finding.conclusion() == Some(Conclusion::Ok)
        })
    };
    /// A CPU that is busy for nine tenths of the time has hardly any time left.
    const BUSY: f64 = 0.9;
    /// A disk under a database should answer within this time.
    const SLOW: Duration = Duration::from_millis(20);
    let mut own = Vec::new();
    if let (Some(busy), Some(cpus), true) = (view.busy, view.cpus, is_ok("cpu"))
        && busy >= BUSY
    {
        let running = view.running.map_or_else(String::new, |running| {
            format!(": {running:.1} tasks wanted to run at a time")
        });
        let cpus = if cpus == 1 { "CPU".to_owned() } else { format!("{cpus} CPUs") };
        own.push(format!("Its own programs kept its {cpus} {} busy{running}.", percent(busy)));
    }
    if let (Some(swapped), true) = (view.swapped, is_ok("memory"))
        && swapped > 0.0
    {
        own.push("Its own programs need more memory than it has: it swaps.".to_owned());
    }
    for (name, disk) in &view.disks {
        let (Some(latency), true) = (disk.latency, is_ok("io")) else { continue };
        // The time that the host took is known; the rest passed before the request reached the
        // host.
        if let Some(host) = figures.latencies.get(name)
            && latency >= SLOW
            && *host * 2 < latency
        {
            own.push(format!(
                "Requests to {name} took {}, of which the host took {}: they queue up in this guest.",
                units::duration(latency),
                units::duration(*host)
            ));
        }
    }
    own
}

/// Where the guest's own figures confirm the host's.
fn agreement(findings: &[Finding], view: &View, figures: &Figures) -> Option<String> {
    let is_contended = findings.iter().any(|finding| {
        finding.resource == "cpu" && finding.conclusion() == Some(Conclusion::Contended)
    });
    let steal = view.steal.filter(|steal| is_contended && *steal >= FELT)?;
    let waited = figures.waited.map_or_else(String::new, |waited| {
        format!(
            "; by the host's count its vCPUs waited {} of the time in which they wanted to run",
            percent(waited)
        )
    });
    Some(format!(
        "This guest's own kernel agrees: {} of its CPU time was stolen{waited}.",
        percent(steal)
    ))
}

fn advice(overall: Conclusion) -> &'static str {
    match overall {
        Conclusion::Contended => "Show this to whoever runs the host.",
        Conclusion::SelfLimited => {
            "Ask whoever runs the host for a higher limit, or let this guest do less."
        }
        Conclusion::Ok => "Look for the reason in this guest's own programs.",
        Conclusion::Unknown => "Ask again while this guest is slow.",
        Conclusion::Refused => "Ask whoever runs the host to permit verdict.* to this guest.",
    }
}

fn spoken(resource: &str) -> &str {
    match resource {
        "cpu" => "CPU time",
        "io" => "disk I/O",
        "net" => "network",
        other => other,
    }
}

fn list(words: &[&str]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::own::DiskView;

    fn finding(resource: &'static str, state: State, view: &View) -> Finding {
        let judged = Judged::Verdict { state, reason: format!("the reason of {resource}") };
        Finding::new(resource, judged, view)
    }

    fn refused(resource: &'static str) -> Finding {
        Finding::new(resource, Judged::Refused("not permitted".to_owned()), &View::default())
    }

    fn all(states: [State; 4], view: &View) -> Vec<Finding> {
        let resources = crate::verdict::RESOURCES.into_iter().zip(states);
        resources.map(|(resource, state)| finding(resource, state, view)).collect()
    }

    use State::{Contended, Ok, SelfLimited, Unknown};

    #[test]
    fn the_worst_of_all_resources_is_the_conclusion() {
        let view = View::default();
        for (states, conclusion) in [
            ([Ok, Ok, Ok, Ok], Conclusion::Ok),
            ([Ok, Unknown, Ok, Ok], Conclusion::Unknown),
            ([Ok, Unknown, SelfLimited, Ok], Conclusion::SelfLimited),
            ([Contended, Unknown, SelfLimited, Ok], Conclusion::Contended),
        ] {
            assert_eq!(overall(&all(states, &view)), conclusion);
        }
        assert_eq!(overall(&[refused("cpu"), refused("io")]), Conclusion::Refused);
        assert_eq!(overall(&[refused("cpu"), finding("io", Ok, &view)]), Conclusion::Ok);
        let none = Judged::Missing("no VMM".to_owned());
        let missing = [Finding::new("cpu", none, &view)];
        assert_eq!(overall(&missing), Conclusion::Unknown);
        let text = sentences(&missing, &view, &Figures::default()).join(" ");
        assert!(text.starts_with("The host gives no verdict: no VMM."), "{text}");
    }

    #[test]
    fn a_short_host_is_named_with_its_reason_and_with_what_the_guest_saw_itself() {
        let view = View { steal: Some(0.31), ..View::default() };
        let figures = Figures { waited: Some(0.34), ..Figures::default() };
        let text =
            sentences(&all([Contended, Ok, Contended, Ok], &view), &view, &figures).join(" ");
        assert_eq!(
            text,
            "It is the host: it is short of CPU time and disk I/O for this guest. \
             Of CPU time, the host says: the reason of cpu. \
             Of disk I/O, the host says: the reason of io. \
             This guest's own kernel agrees: 31% of its CPU time was stolen; by the host's count its \
             vCPUs waited 34% of the time in which they wanted to run. \
             Show this to whoever runs the host."
        );
    }

    #[test]
    fn a_host_that_says_ok_is_not_believed_where_the_guests_own_kernel_counts_stolen_time() {
        let view = View { steal: Some(0.12), ..View::default() };
        let findings = all([Ok, Ok, Ok, Ok], &view);
        assert_eq!(overall(&findings), Conclusion::Unknown);
        let text = sentences(&findings, &view, &Figures::default()).join(" ");
        assert!(
            text.contains("says that CPU time is ok, but this guest's own kernel says that 12%"),
            "{text}"
        );
        let little = View { steal: Some(0.04), ..View::default() };
        assert_eq!(overall(&all([Ok, Ok, Ok, Ok], &little)), Conclusion::Ok);
    }

    #[test]
    fn a_guest_that_is_slow_by_itself_is_told_by_what() {
        let view = View {
            cpus: Some(2),
            busy: Some(0.99),
            running: Some(5.1),
            swapped: Some(4096.0),
            ..View::default()
        };
        let text = sentences(&all([Ok, Ok, Ok, Ok], &view), &view, &Figures::default()).join(" ");
        assert!(
            text.contains("kept its 2 CPUs 99% busy: 5.1 tasks wanted to run at a time."),
            "{text}"
        );
        assert!(text.contains("it swaps"), "{text}");
        assert!(text.ends_with("Look for the reason in this guest's own programs."), "{text}");
        let limited = sentences(&all([SelfLimited, Ok, Ok, Ok], &view), &view, &Figures::default());
        assert!(!limited.join(" ").contains("kept its"), "{limited:?}");
    }

    #[test]
    fn requests_that_queue_up_in_the_guest_are_told_from_a_slow_host() {
        let disk = |millis| DiskView { rate: 9.0, latency: Some(Duration::from_millis(millis)) };
        let text = |guest, host| {
            let view = View { disks: [("vda".to_owned(), disk(guest))].into(), ..View::default() };
            let latencies = [("vda".to_owned(), Duration::from_millis(host))].into();
            let figures = Figures { latencies, ..Figures::default() };
            sentences(&all([Ok, Ok, Ok, Ok], &view), &view, &figures).join(" ")
        };
        assert!(text(40, 1).contains("Requests to vda took 40 ms, of which the host took 1 ms"));
        assert!(!text(40, 30).contains("vda") && !text(4, 1).contains("vda"));
    }

    #[test]
    fn shares_are_told_as_percent() {
        assert_eq!([0.0, 0.004, 0.344, 1.0].map(percent), ["0%", "0.4%", "34%", "100%"]);
    }
}
