//! The table of the daemon's own metrics: the name, kind, unit and help of each.

use hostinfo_control::FigureKind;

/// One of the daemon's own metrics.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Its OpenMetrics name, without the suffix of its kind.
    pub(crate) name: &'static str,
    /// What kind of figure it is.
    pub(crate) kind: FigureKind,
    /// `seconds` or `bytes`, which ends its name; empty for a plain number.
    pub(crate) unit: &'static str,
    /// What it means, in one line.
    pub(crate) help: &'static str,
}

impl Metric {
    /// OpenMetrics' word for its kind.
    pub(crate) fn kind_word(&self) -> &'static str {
        match self.kind {
            FigureKind::Counter => "counter",
            FigureKind::Gauge | FigureKind::Time => "gauge",
            FigureKind::Histogram => "histogram",
        }
    }

    /// Suffix of the name on lines with values.
    pub(crate) fn suffix(&self) -> &'static str {
        match self.kind {
            FigureKind::Counter => "_total",
            FigureKind::Gauge | FigureKind::Histogram | FigureKind::Time => "",
        }
    }
}

macro_rules! table {
    ($($id:ident: $kind:ident $unit:literal $name:literal $help:literal;)*) => {
        $(pub(crate) const $id: Metric =
            Metric { name: $name, kind: FigureKind::$kind, unit: $unit, help: $help };)*
        /// All metrics.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric] = &[$($id),*];
    };
}

table! {
    // Not OpenMetrics' type info, which the classic format of Prometheus lacks.
    BUILD: Gauge "" "hostinfod_build_info" "Always 1; its label is the daemon's version.";
    START: Time "seconds" "hostinfod_start_time_seconds" "When the daemon started, since 1970.";
    GUESTS: Gauge "" "hostinfod_guests" "Guests, by whether they can ask.";
    WATCHED: Gauge "" "hostinfod_watched_guests"
        "Guests whose rule says watch = 1, by whether there is room for them.";
    QUERIES: Counter "" "hostinfod_queries" "Lines from guests, by their result.";
    DURATION: Histogram "seconds" "hostinfod_query_duration_seconds"
        "Time taken to make a reply, without waiting for commands.";
    RECEIVED: Counter "bytes" "hostinfod_received_bytes" "Bytes received from guests.";
    SENT: Counter "bytes" "hostinfod_sent_bytes" "Bytes sent to guests.";
    FAILURES: Counter "" "hostinfod_source_failures"
        "Failures to read a source that the administrator can fix.";
    MISSING: Gauge "" "hostinfod_sources_missing"
        "Sources that this host lacks and could have: see hostinfoctl status.";
    RULES: Gauge "" "hostinfod_rules" "Rules in force; 0 is the built-in default.";
    RULES_SINCE: Time "seconds" "hostinfod_rules_since_seconds"
        "When the rules came into force, since 1970.";
    RULES_BAD: Gauge "" "hostinfod_rules_bad"
        "1: the rules file has an error, and the previous rules are in force.";
    SETTINGS_BAD: Gauge "" "hostinfod_settings_bad"
        "1: the settings had an error when they were read again, and the previous ones are in force.";
    LIBVIRT: Gauge "" "hostinfod_libvirt_up"
        "1: libvirt answers; 0: it does not. Absent on hosts without libvirt.";
    DOMAINS: Gauge "" "hostinfod_libvirt_domains" "Running domains, as libvirt counts them.";
    NOTICES: Gauge "" "hostinfod_notices" "Notices that are shown to guests now.";
    CLIENTS: Gauge "" "hostinfod_control_clients" "Connections to the control socket.";
    LEFT_OUT: Counter "" "hostinfod_watch_events_left_out"
        "Events that a client of Watch missed because it did not keep up.";
    LOG_LEFT_OUT: Counter "" "hostinfod_log_lines_left_out"
        "Log lines that were dropped because whoever reads the log did not keep up.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_end_with_their_unit_and_not_with_what_the_kind_adds() {
        for (at, metric) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|before| before.name != metric.name));
            assert!(metric.name.starts_with("hostinfod_") && metric.name.ends_with(metric.unit));
            assert!(
                ["_total", "_count", "_sum", "_bucket"]
                    .iter()
                    .all(|suffix| !metric.name.ends_with(suffix))
            );
            assert!(metric.help.ends_with('.') && !metric.help.contains(['\\', '"', '\n']));
        }
    }

    #[test]
    fn every_metric_is_documented() {
        let page = include_str!("../../../../docs/control.md");
        for metric in ALL {
            let row = format!("| `{}{}` | {} |", metric.name, metric.suffix(), metric.help);
            assert!(page.contains(&row), "docs/control.md lacks this row:\n{row}");
        }
    }
}
