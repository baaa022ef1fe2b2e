//! A diagnosis for people.

use std::time::Duration;

use anstyle::Style;

use crate::color;
use crate::diagnose::conclude::{Conclusion, Finding, overall};
use crate::diagnose::sentences::sentences;
use crate::diagnose::words::{measured, seen};
use crate::system::WHY_NO_OWN_VIEW;
use crate::units;
use crate::verdict::{RESOURCES, State};
use crate::views::dated::{PRESENT, ago};
use crate::views::hosts::{Figures, HostView, Judged};
use crate::views::own::View;

/// All findings.
pub(crate) struct Diagnosis {
    pub(crate) findings: Vec<Finding>,
    pub(crate) view: View,
    pub(crate) host_view: HostView,
    /// How old the host's newest answer is, if that is known.
    pub(crate) age: Option<Duration>,
    /// Why the host did not answer at the end, if it did not.
    pub(crate) silence: Option<String>,
    /// How long it observed, and until when.
    pub(crate) time: Duration,
    pub(crate) end: jiff::Timestamp,
}

impl Diagnosis {
    pub(crate) fn conclusion(&self) -> Conclusion {
        overall(&self.findings)
    }

    /// For people: both views of each resource, and the conclusion.
    pub(crate) fn text(&self) -> String {
        let (bold, figures) = (Style::new().bold(), self.host_view.figures());
        let last = &self.host_view.last;
        let guest =
            last.guest().map_or("this guest".to_owned(), |guest| format!("the guest {guest}"));
        let host = last.host().map_or_else(String::new, |host| format!(" on the host {host}"));
        let comma = if host.is_empty() { "" } else { "," };
        let mut text = format!(
            "Observed {guest}{host}{comma} for {}, until {}.{}\n\n",
            units::duration(self.time),
            units::at(self.end),
            self.of_when(),
        );
        for finding in &self.findings {
            let (host, style) = match &finding.judged {
                _ if finding.absent.is_some() => {
                    (finding.absent.unwrap_or_default().to_owned(), Style::new())
                }
                Judged::Verdict { state, reason } => {
                    let name = format!("verdict.{}.state", finding.resource);
                    (format!("{}: {reason}", state.word()), color::of(&name, state.word()))
                }
                // The sentences begin with it.
                Judged::Missing(why) if self.is_why_of_all(why) => {
                    ("says nothing".to_owned(), Style::new())
                }
                Judged::Refused(why) | Judged::Missing(why) => {
                    (format!("says nothing: {why}"), Style::new())
                }
            };
            let resource = finding.resource;
            let who = if finding.absent.is_some() { "guest" } else { "host" };
            text += &format!("{bold}{resource:8}{bold:#}{who:5}  {style}{host}{style:#}\n");
            let measured = measured(resource, &figures, self.time, self.age);
            let seen = seen(resource, &self.view, figures.got);
            for (who, what) in [("", measured), ("guest", seen)] {
                // A guest without the device has nothing to say about it.
                if !what.is_empty() && finding.absent.is_none() {
                    text += &format!("{:8}{who:5}  {}\n", "", what.join("; "));
                }
            }
        }
        text.push('\n');
        if let Some(incident) = self.host_view.last.incident() {
            text +=
                &format!("The newest incident while the host watched this guest: {incident}.\n");
        }
        text += &self.sentences(&figures).join(" ");
        text.push('\n');
        text.extend(WHY_NO_OWN_VIEW.map(|why| format!("{why}.\n")));
        text
    }

    /// The time that the host's verdicts are of, if there are any.
    fn of_when(&self) -> String {
        let has_verdict = self.findings.iter().any(|finding| finding.judged.state().is_some());
        match self.age.filter(|age| *age > PRESENT) {
            _ if self.host_view.is_last_old() || !has_verdict => String::new(),
            Some(age) => {
                let ago = ago(age);
                format!(
                    " The host was last asked {ago}: its verdicts cover the 60 s before that, or less."
                )
            }
            None => " The host's verdicts cover the last 60 s or less.".to_owned(),
        }
    }

    /// Whether there is no verdict at all, and that is why.
    fn is_why_of_all(&self, why: &str) -> bool {
        let is_its_why = |finding: &Finding| {
            finding.absent.is_none()
                && matches!(&finding.judged, Judged::Missing(own) if own == why)
        };
        self.findings.iter().all(is_its_why)
    }

    /// The conclusion in sentences.
    pub(crate) fn sentences(&self, figures: &Figures) -> Vec<String> {
        if let Some(why) = self.silence.as_ref().filter(|_| self.host_view.is_empty()) {
            return vec![format!("Nothing was observed: {why}.")];
        }
        let mut told = sentences(&self.findings, &self.view, figures, &self.elsewhere());
        // Where there is no verdict at all, that is the reason given for it.
        let silence = self.silence.as_ref().filter(|_| self.host_view.has_later());
        told.extend(silence.map(|why| format!("At the end, the host did not answer: {why}.")));
        told
    }

    /// The resources that were not asked for and of which the host says that something is wrong.
    pub(crate) fn elsewhere(&self) -> Vec<&'static str> {
        let is_wrong = |resource: &&str| {
            let state = self.host_view.judged(resource).state();
            matches!(state, Some(State::Contended | State::SelfLimited))
                || self.host_view.last.has_open_incident(resource)
        };
        let is_found = |resource: &&str| self.findings.iter().any(|f| f.resource == *resource);
        RESOURCES.into_iter().filter(|resource| !is_found(resource)).filter(is_wrong).collect()
    }
}
