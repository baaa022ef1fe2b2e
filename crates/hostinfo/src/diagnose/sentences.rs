//! The conclusion in sentences. Pure.

use std::time::Duration;

use crate::diagnose::conclude::{BUSY, Conclusion, FELT, Finding, LOOK_LEAST, overall, percent};
use crate::units;
use crate::verdict::{RESOURCES, State};
use crate::views::own::View;
use crate::views::told::{Figures, Judged};

/// The conclusion in sentences, the most important first. `elsewhere`: the resources that were not
/// asked for and of which the host says that something is wrong.
pub(crate) fn sentences(
    findings: &[Finding],
    view: &View,
    figures: &Figures,
    elsewhere: &[&str],
) -> Vec<String> {
    let overall = overall(findings);
    let concerned: Vec<&Finding> =
        findings.iter().filter(|finding| finding.conclusion() == Some(overall)).collect();
    let names = named(concerned.iter().copied());
    let mut sentences = vec![match overall {
        Conclusion::Contended => {
            format!("It is the host: it gave this guest less {names} than it wanted.")
        }
        Conclusion::SelfLimited => {
            format!("It is this guest's own limit on {names}, not other guests.")
        }
        Conclusion::Ok => not_the_host(findings),
        Conclusion::Unknown if concerned.is_empty() => {
            format!("The host gives no verdict: {}.", why_none(findings))
        }
        Conclusion::Unknown => unknown(findings, &names),
        Conclusion::Refused => "The host does not let this guest see any verdict.".to_owned(),
    }];
    for finding in &concerned {
        sentences.extend(of_finding(finding));
    }
    sentences.extend(limit(overall, &concerned, view, figures));
    sentences.extend(own_doing(findings, view, figures));
    sentences.extend(agreement(findings, view, figures));
    let more = elsewhere.iter().map(|resource| {
        let name = spoken(resource);
        format!("The host says that something is wrong with {name}: hostinfo diagnose {resource}.")
    });
    sentences.extend(more);
    sentences.extend(match overall {
        Conclusion::Ok if !elsewhere.is_empty() => None,
        Conclusion::Ok if !is_whole(findings) => {
            Some("To look at everything: hostinfo diagnose.".to_owned())
        }
        Conclusion::Unknown if concerned.iter().all(|finding| finding.is_lasting()) => {
            Some("Only whoever runs the host can change that.".to_owned())
        }
        overall => Some(advice(overall).to_owned()),
    });
    sentences
}

/// Whether all resources were asked for.
fn is_whole(findings: &[Finding]) -> bool {
    findings.len() == RESOURCES.len()
}

/// The names of resources, for a sentence.
fn named<'f>(findings: impl Iterator<Item = &'f Finding>) -> String {
    list(&findings.map(|finding| spoken(finding.resource)).collect::<Vec<_>>())
}

fn is_ok(finding: &&Finding) -> bool {
    finding.conclusion() == Some(Conclusion::Ok) && finding.absent.is_none()
}

fn not_the_host(findings: &[Finding]) -> String {
    let names = named(findings.iter().filter(is_ok));
    let absent = findings.iter().find_map(|finding| finding.absent);
    match absent {
        Some(absent) if names.is_empty() => format!("There is {absent}."),
        _ if is_whole(findings) => {
            "It is not the host: this guest got what it asked for.".to_owned()
        }
        _ => format!("Of {names}, it is not the host: this guest got what it asked for."),
    }
}

fn unknown(findings: &[Finding], names: &str) -> String {
    match named(findings.iter().filter(is_ok)) {
        ok if ok.is_empty() => format!("Whether it is the host is unknown: {names}."),
        ok => format!("Of {ok}, it is not the host; of {names}, that is unknown."),
    }
}

/// The limit on this guest's CPU time, where that may be the reason. The reason of a guest's own
/// limit names it.
fn limit(
    overall: Conclusion,
    concerned: &[&Finding],
    view: &View,
    figures: &Figures,
) -> Option<String> {
    let is_about_cpu = concerned.iter().any(|finding| finding.resource == "cpu");
    let quota = figures.quota.filter(|_| overall == Conclusion::Contended && is_about_cpu)?;
    // One that is higher limits nothing.
    let own = view.cpus.and_then(|cpus| u32::try_from(cpus).ok());
    let is_lower = own.is_some_and(|own| f64::from(own) > quota);
    is_lower.then(|| format!("This guest may use at most {}.", cpus(quota)))
}

/// `0.25 CPUs`
pub(crate) fn cpus(number: f64) -> String {
    units::human(&number.to_string(), "gauge", "cpus")
}

/// Why there is no verdict at all.
fn why_none(findings: &[Finding]) -> &str {
    let why = findings.iter().find_map(|finding| match &finding.judged {
        Judged::Refused(why) | Judged::Missing(why) => Some(why.as_str()),
        Judged::Verdict { .. } => None,
    });
    why.unwrap_or("nothing was looked at")
}

/// The host's reason, unless it only says that all is well, or speaks of a device that this guest does not have.
fn of_finding(finding: &Finding) -> Option<String> {
    if finding.absent.is_some() {
        return None;
    }
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
    /// A disk under a database should answer within this time.
    const SLOW: Duration = Duration::from_millis(20);
    let mut own = Vec::new();
    if let (Some(busy), Some(cpus), true) = (view.busy, view.cpus, is_ok("cpu"))
        && busy >= BUSY
        && view.time >= LOOK_LEAST
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

/// What to do about it.
pub(crate) fn advice(overall: Conclusion) -> &'static str {
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

/// The resource's name in a sentence.
pub(crate) fn spoken(resource: &str) -> &str {
    match resource {
        "cpu" => "CPU time",
        "io" => "disk I/O",
        "net" => "network",
        other => other,
    }
}

/// `a, b and c`
pub(crate) fn list(words: &[&str]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::own::DiskView;

    fn finding(resource: &'static str, state: State, view: &View) -> Finding {
        Finding::new(resource, judged(resource, state), view, &[])
    }

    fn judged(resource: &str, state: State) -> Judged {
        Judged::Verdict { state, reason: format!("the reason of {resource}") }
    }

    fn refused(resource: &'static str) -> Finding {
        Finding::new(resource, Judged::Refused("not permitted".to_owned()), &View::default(), &[])
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
        let missing = [Finding::new("cpu", none, &view, &[])];
        assert_eq!(overall(&missing), Conclusion::Unknown);
        let text = sentences(&missing, &view, &Figures::default(), &[]).join(" ");
        assert!(text.starts_with("The host gives no verdict: no VMM."), "{text}");
    }

    #[test]
    fn a_host_that_gave_too_little_is_named_with_its_reason_and_with_what_the_guest_saw_itself() {
        let view = View { steal: Some(0.31), ..View::default() };
        let figures = Figures { waited: Some(0.34), ..Figures::default() };
        let text =
            sentences(&all([Contended, Ok, Contended, Ok], &view), &view, &figures, &[]).join(" ");
        assert_eq!(
            text,
            "It is the host: it gave this guest less CPU time and disk I/O than it wanted. \
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
        let text = sentences(&findings, &view, &Figures::default(), &[]).join(" ");
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
            time: LOOK_LEAST,
            cpus: Some(2),
            busy: Some(0.99),
            running: Some(5.1),
            swapped: Some(4096.0),
            ..View::default()
        };
        let text =
            sentences(&all([Ok, Ok, Ok, Ok], &view), &view, &Figures::default(), &[]).join(" ");
        assert!(
            text.contains("kept its 2 CPUs 99% busy: 5.1 tasks wanted to run at a time."),
            "{text}"
        );
        assert!(text.contains("it swaps"), "{text}");
        assert!(text.ends_with("Look for the reason in this guest's own programs."), "{text}");
        let limited =
            sentences(&all([SelfLimited, Ok, Ok, Ok], &view), &view, &Figures::default(), &[]);
        assert!(!limited.join(" ").contains("kept its"), "{limited:?}");
        let short = View { time: LOOK_LEAST / 2, ..view };
        let short = sentences(&all([Ok, Ok, Ok, Ok], &short), &short, &Figures::default(), &[]);
        assert!(!short.join(" ").contains("kept its"), "this program itself was busy: {short:?}");
    }

    #[test]
    fn a_limit_below_the_guests_cpus_is_named_where_it_may_be_the_hosts() {
        let view = View { cpus: Some(1), ..View::default() };
        let text = |state, quota| {
            let figures = Figures { quota: Some(quota), ..Figures::default() };
            sentences(&all([state, Ok, Ok, Ok], &view), &view, &figures, &[]).join(" ")
        };
        assert!(text(Contended, 0.25).contains(" This guest may use at most 0.25 CPUs. "));
        assert!(!text(SelfLimited, 0.25).contains("at most"), "the host's reason names its own");
        assert!(!text(Contended, 1.0).contains("at most") && !text(Ok, 0.25).contains("at most"));
    }

    #[test]
    fn of_some_resources_only_those_are_judged_and_the_others_pointed_at() {
        let view = View::default();
        let memory = [finding("memory", Ok, &view)];
        let text = |elsewhere: &[&str]| {
            sentences(&memory, &view, &Figures::default(), elsewhere).join(" ")
        };
        let ok = "Of memory, it is not the host: this guest got what it asked for.";
        assert_eq!(text(&[]), format!("{ok} To look at everything: hostinfo diagnose."));
        let told = "The host says that something is wrong with CPU time: hostinfo diagnose cpu.";
        assert_eq!(text(&["cpu"]), format!("{ok} {told}"));
    }

    #[test]
    fn what_the_host_never_knows_is_not_to_be_asked_for_again() {
        let view = View::default();
        let never = "this host has no figures of your disks: they come from libvirt";
        let text = |reason: &str| {
            let judged = Judged::Verdict { state: Unknown, reason: reason.to_owned() };
            let mut findings = all([Ok, Ok, Ok, Ok], &view);
            findings[2] = Finding::new("io", judged, &view, &[]);
            sentences(&findings, &view, &Figures::default(), &[]).join(" ")
        };
        let told = text(never);
        let begin =
            "Of CPU time, memory and network, it is not the host; of disk I/O, that is unknown.";
        assert!(told.starts_with(begin), "{told}");
        assert!(told.ends_with("libvirt. Only whoever runs the host can change that."), "{told}");
        assert!(text("ask again in 5 s").ends_with("Ask again while this guest is slow."));
    }

    #[test]
    fn what_a_guest_does_not_have_is_not_unknown() {
        let view = View::default();
        let of = |resource, state| {
            Finding::new(resource, judged(resource, state), &view, &["io", "net"])
        };
        let states = [Ok, Ok, Unknown, Unknown];
        let findings: Vec<Finding> = RESOURCES
            .into_iter()
            .zip(states)
            .map(|(resource, state)| of(resource, state))
            .collect();
        assert_eq!(overall(&findings), Conclusion::Ok);
        let text = sentences(&findings, &view, &Figures::default(), &[]).join(" ");
        assert!(text.starts_with("It is not the host: "), "{text}");
        assert!(!text.contains("the host says"), "{text}");
        let disk = sentences(&findings[2..3], &view, &Figures::default(), &[]).join(" ");
        assert!(disk.starts_with("There is no disk in this guest."), "{disk}");
        let with_refused = [refused("cpu"), findings[2].clone()];
        assert_eq!(overall(&with_refused), Conclusion::Refused, "that says nothing of the CPU");
        assert_eq!(of("io", Contended).absent, None, "the host knows of one");
        assert_eq!(of("cpu", Unknown).absent, None);
    }

    #[test]
    fn requests_that_queue_up_in_the_guest_are_told_from_a_slow_host() {
        let disk = |millis| DiskView { rate: 9.0, latency: Some(Duration::from_millis(millis)) };
        let text = |guest, host| {
            let view = View { disks: [("vda".to_owned(), disk(guest))].into(), ..View::default() };
            let latencies = [("vda".to_owned(), Duration::from_millis(host))].into();
            let figures = Figures { latencies, ..Figures::default() };
            sentences(&all([Ok, Ok, Ok, Ok], &view), &view, &figures, &[]).join(" ")
        };
        assert!(text(40, 1).contains("Requests to vda took 40 ms, of which the host took 1 ms"));
        assert!(!text(40, 30).contains("vda") && !text(4, 1).contains("vda"));
    }

    #[test]
    fn shares_are_told_as_percent() {
        assert_eq!([0.0, 0.004, 0.344, 1.0].map(percent), ["0%", "0.4%", "34%", "100%"]);
    }
}
