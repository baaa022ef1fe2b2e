//! The conclusion in sentences. Pure.

use std::time::Duration;

use hostinfo_wire::reply::BLOCKED;

use crate::diagnose::conclude::{BUSY, Conclusion, FELT, Finding, LOOK_LEAST, overall, percent};
use crate::joined::list;
use crate::remedy::ASK_WHY_BLOCKED;
use crate::units;
use crate::verdict::{RESOURCES, State};
use crate::views::hosts::{Figures, Judged};
use crate::views::own::View;

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
            format!(
                "It is this guest itself, not other guests: its own limit or its own work held back its {names}."
            )
        }
        Conclusion::Ok => not_the_host(findings),
        Conclusion::Unknown if concerned.is_empty() => {
            format!("There is no verdict from the host: {}.", why_none(findings))
        }
        Conclusion::Unknown => unknown(findings, &names),
        Conclusion::Refused if is_blocked(findings) => {
            "The host does not let this guest ask anything.".to_owned()
        }
        Conclusion::Refused => "The host does not let this guest see any verdict.".to_owned(),
    }];
    sentences.extend(of_findings(&concerned));
    if overall == Conclusion::Contended {
        let own = |finding: &&Finding| finding.conclusion() == Some(Conclusion::SelfLimited);
        let own: Vec<&Finding> = findings.iter().filter(own).collect();
        if !own.is_empty() {
            let names = named(own.iter().copied());
            sentences
                .push(format!("This guest's own limit or own work held back its {names} as well."));
            sentences.extend(of_findings(&own));
        }
    }
    sentences.extend(limit(overall, &concerned, view, figures));
    sentences.extend(own_doing(findings, view, figures));
    sentences.extend(agreement(findings, view));
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
        Conclusion::Unknown if never_known(&concerned, findings) => {
            Some("Only whoever runs the host can have it say more.".to_owned())
        }
        Conclusion::Unknown if is_known_later(findings) => {
            Some("To wait for the host's verdict: hostinfo diagnose --wait.".to_owned())
        }
        Conclusion::Refused if is_blocked(findings) => Some(format!("{ASK_WHY_BLOCKED}.")),
        overall => {
            let blind = blind(findings).filter(|_| overall == Conclusion::Unknown);
            Some(blind.unwrap_or_else(|| advice(overall).to_owned()))
        }
    });
    sentences
}

/// Whether this guest may ask nothing at all, so that permission for verdicts would change nothing.
fn is_blocked(findings: &[Finding]) -> bool {
    why_none(findings) == BLOCKED
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
        _ => format!("For {names}, it is not the host: this guest got what it asked for."),
    }
}

fn unknown(findings: &[Finding], names: &str) -> String {
    match named(findings.iter().filter(is_ok)) {
        ok if ok.is_empty() => format!("Whether it is the host is unknown: {names}."),
        ok => format!("{}.", partly_known(&ok, names, None)),
    }
}

/// Where the host is not to blame for some resources, or was not so long `ago`, and it is unknown of the others.
pub(crate) fn partly_known(ok: &str, unknown: &str, ago: Option<&str>) -> String {
    let it_is_not = ago.map_or_else(
        || "it is not the host".to_owned(),
        |ago| format!("it was not the host {ago}"),
    );
    format!("For {ok}, {it_is_not}; for {unknown}, that is unknown")
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

/// Whether the host never knows what is unknown: that is everything where it gave no verdict at all.
fn never_known(unknown: &[&Finding], findings: &[Finding]) -> bool {
    match unknown.is_empty() {
        true => findings.iter().all(Finding::is_lasting),
        false => unknown.iter().all(|finding| finding.is_lasting()),
    }
}

/// Whether the reason of a verdict that is not known says when to ask again.
fn is_known_later(findings: &[Finding]) -> bool {
    reasons_of_unknown(findings).any(|reason| reason.contains("ask again in "))
}

/// What to do where hostinfod itself sees too little: asking again would not change that.
fn blind(findings: &[Finding]) -> Option<String> {
    let cannot = |reason: &'_ str| reason.strip_prefix("hostinfod cannot ").map(str::to_owned);
    let what = reasons_of_unknown(findings).map(cannot).collect::<Option<Vec<_>>>()?;
    let what = what.first()?;
    Some(format!(
        "Show this to whoever runs the host: hostinfod there cannot {what} (hostinfoctl doctor)."
    ))
}

/// Why each verdict is not known that is not.
fn reasons_of_unknown(findings: &[Finding]) -> impl Iterator<Item = &str> {
    let is_unknown = |finding: &&Finding| {
        finding.absent.is_none() && matches!(finding.judged.state(), None | Some(State::Unknown))
    };
    findings.iter().filter(is_unknown).map(|unknown| unknown.judged.reason())
}

/// Doubts, and the host's reasons, each with the resources that share it.
fn of_findings(findings: &[&Finding]) -> Vec<String> {
    let there = || findings.iter().filter(|finding| finding.absent.is_none());
    let mut sentences = Vec::new();
    for finding in there() {
        let name = spoken(finding.resource);
        let doubt = finding.doubt.as_ref();
        sentences
            .extend(doubt.map(|doubt| format!("The host says that {name} is ok, but {doubt}.")));
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for finding in there().filter(|finding| finding.doubt.is_none()) {
        let Some(reason) = reason(finding) else { continue };
        let name = spoken(finding.resource);
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let told = |(reason, names): (&str, Vec<&str>)| {
        format!("The host's verdict on {}: {reason}.", list(&names))
    };
    sentences.extend(reasons.into_iter().map(told));
    sentences
}

/// The host's reason, unless it only says that all is well.
fn reason(finding: &Finding) -> Option<&str> {
    match &finding.judged {
        Judged::Verdict { state, reason } if *state != State::Ok && !reason.is_empty() => {
            Some(reason)
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
        let busy = percent(busy);
        own.push(format!("This guest's own programs kept its {cpus} {busy} busy{running}."));
    }
    if let (Some(swapped), true) = (view.swapped, is_ok("memory"))
        && swapped > 0.0
    {
        own.push("This guest's own programs need more memory than it has: it swaps.".to_owned());
    }
    for (name, disk) in &view.disks {
        let (Some(latency), true) = (disk.latency, is_ok("io")) else { continue };
        // The time that the host took is known; the rest passed before the request reached the
        // host.
        if let Some(host) = figures.latencies.get(name)
            && latency >= SLOW
            && *host < latency / 2
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
fn agreement(findings: &[Finding], view: &View) -> Option<String> {
    let is_contended = findings.iter().any(|finding| {
        finding.resource == "cpu" && finding.conclusion() == Some(Conclusion::Contended)
    });
    let steal = view.steal.filter(|steal| is_contended && *steal >= FELT)?;
    Some(format!("This guest's own kernel agrees: {} of its CPU time was stolen.", percent(steal)))
}

/// What to do about it.
pub(crate) fn advice(overall: Conclusion) -> &'static str {
    match overall {
        Conclusion::Contended => "Show this to whoever runs the host.",
        Conclusion::SelfLimited => "Ask whoever runs the host for more, or let this guest do less.",
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

#[cfg(test)]
mod tests;
