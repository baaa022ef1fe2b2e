//! A diagnosis for people.

use std::time::Duration;

use anstyle::Style;

use crate::color;
use crate::diagnose::conclude::{Conclusion, Finding, overall, sentences};
use crate::diagnose::words::{measured, seen};
use crate::system::WHY_NO_OWN_VIEW;
use crate::units;
use crate::views::own::View;
use crate::views::told::{Judged, Told};

/// All findings.
pub(crate) struct Diagnosis {
    pub(crate) findings: Vec<Finding>,
    pub(crate) view: View,
    pub(crate) told: Told,
    /// How long it observed.
    pub(crate) time: Duration,
}

impl Diagnosis {
    pub(crate) fn conclusion(&self) -> Conclusion {
        overall(&self.findings)
    }

    /// For people: both views of each resource, and the conclusion.
    pub(crate) fn text(&self) -> String {
        let (bold, figures) = (Style::new().bold(), self.told.figures());
        let mut text = format!("Looked for {}{}.\n\n", units::duration(self.time), self.host());
        for finding in &self.findings {
            let (host, style) = match &finding.judged {
                Judged::Verdict { state, reason } => {
                    let name = format!("verdict.{}.state", finding.resource);
                    (format!("{}: {reason}", state.word()), color::of(&name, state.word()))
                }
                Judged::Refused(why) | Judged::Missing(why) => {
                    (format!("says nothing: {why}"), Style::new())
                }
            };
            let resource = finding.resource;
            text += &format!("{bold}{resource:8}{bold:#}host   {style}{host}{style:#}\n");
            for (who, what) in
                [("", measured(resource, &figures)), ("guest", seen(resource, &self.view))]
            {
                if !what.is_empty() {
                    text += &format!("{:8}{who:5}  {}\n", "", what.join("; "));
                }
            }
        }
        text.push('\n');
        if let Some(incident) = self.told.last.text("verdict.incident.1") {
            text += &format!("The newest incident that the host recorded: {incident}.\n");
        }
        text += &sentences(&self.findings, &self.view, &figures).join(" ");
        text.push('\n');
        text.extend(WHY_NO_OWN_VIEW.map(|why| format!("{why}.\n")));
        text
    }

    /// ` at the host rack7 (df1a367e), kvm`, as far as it is known.
    fn host(&self) -> String {
        let last = &self.told.last;
        match (last.text("host.name"), last.text("host.id")) {
            (Some(name), _) => format!(" at the host {name}"),
            (None, Some(id)) => format!(" at the host {}", id.get(..8).unwrap_or(id)),
            (None, None) => String::new(),
        }
    }
}
