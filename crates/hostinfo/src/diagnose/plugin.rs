//! A diagnosis as output of a monitoring plugin, for Nagios, Icinga and their kin.

use crate::diagnose::conclude::{Conclusion, Finding};
use crate::diagnose::report::Diagnosis;
use crate::joined::list;
use crate::views::hosts::Judged;

impl Diagnosis {
    /// The format of the Monitoring Plugins guidelines: a line of text, `|`, and figures.
    pub(crate) fn plugin(&self) -> String {
        let conclusion = self.conclusion();
        let is_concerned =
            |finding: &&Finding| finding.conclusion().is_none_or(|own| own == conclusion);
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for finding in self.findings.iter().filter(is_concerned) {
            let why = match (&finding.doubt, &finding.judged) {
                (Some(doubt), _) => doubt,
                _ if finding.absent.is_some() => finding.absent.unwrap_or_default(),
                (None, Judged::Verdict { reason, .. }) => reason,
                // Next to a verdict on something else it does not matter.
                (None, Judged::Refused(why) | Judged::Missing(why)) => match conclusion {
                    Conclusion::Refused | Conclusion::Unknown => why,
                    _ => continue,
                },
            };
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, resources)) => resources.push(finding.resource),
                None => reasons.push((why, vec![finding.resource])),
            }
        }
        let told = reasons.iter().map(|(why, resources)| format!("{}: {why}", list(resources)));
        let told = told.collect::<Vec<_>>().join("; ");
        let told = format!("{}, {told}", conclusion.word());
        plugin_line(Level::of(conclusion), &told, &self.figures())
    }

    /// Figures in plugin format: `'label'=value[unit];warn;crit;min;max`.
    fn figures(&self) -> String {
        let (view, figures) = (&self.view, self.host_view.figures());
        let [cpu, memory, io] = view.pressure;
        let shares = [
            ("steal", view.steal),
            // Without two replies of one session there is still the host's own share over its window.
            ("vcpus_waited_of_wanted", figures.waited.or(figures.contention)),
            ("cpu_pressure", cpu),
            ("memory_pressure", memory),
            ("io_pressure", io),
        ];
        let shares = shares.iter().filter_map(|(label, share)| {
            Some(format!("{label}={:.1}%;;;0;100", (*share)? * 100.0))
        });
        let latencies = view.disks.iter().filter_map(|(name, disk)| {
            Some(format!("'{name}_latency'={:.6}s;;;0", disk.latency?.as_secs_f64()))
        });
        shares.chain(latencies).collect::<Vec<_>>().join(" ")
    }
}

/// The severity, as numbered by Nagios and Icinga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "UPPERCASE")]
pub(crate) enum Level {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl Level {
    pub(crate) fn of(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Ok => Self::Ok,
            Conclusion::SelfLimited => Self::Warning,
            Conclusion::Contended => Self::Critical,
            Conclusion::Unknown | Conclusion::Refused => Self::Unknown,
        }
    }
}

/// The single line of a plugin. A `|` in its text would start the figures, a line end another text.
pub(crate) fn plugin_line(level: Level, told: &str, figures: &str) -> String {
    let told = told.lines().next().unwrap_or_default().replace('|', "/");
    let bar = if figures.is_empty() { "" } else { " | " };
    format!("HOSTINFO {level}: {told}{bar}{figures}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_says_one_line_whatever_it_is_told() {
        assert_eq!(plugin_line(Level::Unknown, "a | b\nc", ""), "HOSTINFO UNKNOWN: a / b\n");
        assert_eq!(plugin_line(Level::Ok, "ok", "steal=0.0%"), "HOSTINFO OK: ok | steal=0.0%\n");
    }

    #[test]
    fn the_host_is_critical_and_the_guests_own_limit_a_warning() {
        for (conclusion, level) in [
            (Conclusion::Ok, 0),
            (Conclusion::SelfLimited, 1),
            (Conclusion::Contended, 2),
            (Conclusion::Unknown, 3),
            (Conclusion::Refused, 3),
        ] {
            assert_eq!(Level::of(conclusion) as u8, level);
        }
    }
}
