//! The daemon's own metrics, as OpenMetrics text and one by one.

#[cfg(test)]
mod shipped;
pub(crate) mod table;
pub(crate) mod tally;

use std::fmt;
use std::time::{Duration, SystemTime};

use hostinfo_control::{Counts, Figure};

use table::Metric;
use tally::{BUCKETS, Tally};

/// Metrics; those with the same name are next to each other.
#[derive(Default)]
pub(crate) struct Metrics(Vec<Sample>);

/// One value, as a line in OpenMetrics.
struct Sample {
    metric: &'static Metric,
    suffix: &'static str,
    label: Option<(&'static str, String)>,
    value: f64,
}

impl Metrics {
    /// Adds a number.
    pub(crate) fn number(&mut self, metric: &'static Metric, value: u64) {
        self.add(metric, metric.suffix(), None, float(value));
    }

    /// Adds a number for each value of a label.
    pub(crate) fn numbers<'w>(
        &mut self,
        metric: &'static Metric,
        label: &'static str,
        values: impl IntoIterator<Item = (&'w str, u64)>,
    ) {
        for (word, value) in values {
            let label = Some((label, word.to_owned()));
            self.add(metric, metric.suffix(), label, float(value));
        }
    }

    /// Adds a time.
    pub(crate) fn time(&mut self, metric: &'static Metric, time: SystemTime) {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.add(metric, metric.suffix(), None, since.as_secs_f64());
    }

    /// Adds the counts of guests' lines.
    pub(crate) fn tally(&mut self, tally: &Tally) {
        let Counts {
            answered,
            malformed,
            not_permitted,
            no_such_statistic,
            too_soon,
            unavailable,
            dropped,
        } = tally.counts;
        let results = [
            ("answered", answered),
            ("malformed", malformed),
            ("not_permitted", not_permitted),
            ("no_such_statistic", no_such_statistic),
            ("too_soon", too_soon),
            ("unavailable", unavailable),
            ("dropped", dropped),
        ];
        self.numbers(&table::QUERIES, "result", results);
        self.durations(&table::DURATION, tally);
        self.number(&table::RECEIVED, tally.received);
        self.number(&table::SENT, tally.sent);
    }

    fn durations(&mut self, metric: &'static Metric, tally: &Tally) {
        let mut below = 0;
        for ((_, bound), count) in BUCKETS.iter().zip(tally.buckets) {
            below += count;
            self.add(metric, "_bucket", Some(("le", bound.to_string())), float(below));
        }
        let all = float(tally.replies);
        self.add(metric, "_bucket", Some(("le", "+Inf".to_owned())), all);
        self.add(metric, "_count", None, all);
        self.add(metric, "_sum", None, Duration::as_secs_f64(&tally.time));
    }

    fn add(
        &mut self,
        metric: &'static Metric,
        suffix: &'static str,
        label: Option<(&'static str, String)>,
        value: f64,
    ) {
        self.0.push(Sample { metric, suffix, label, value });
    }

    /// All metrics, one by one.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figure = |Sample { metric, suffix, label, value }: &Sample| Figure {
            name: format!("{}{suffix}", metric.name),
            kind: metric.kind,
            labels: label.iter().map(|(name, word)| ((*name).to_owned(), word.clone())).collect(),
            value: *value,
            unit: if *suffix == "_bucket" || *suffix == "_count" { "" } else { metric.unit }
                .to_owned(),
            help: metric.help.to_owned(),
        };
        self.0.iter().map(figure).collect()
    }
}

/// OpenMetrics 1.0 text. The labels' values are constants or contain nothing that would have to be
/// escaped.
impl fmt::Display for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for Sample { metric, suffix, label, value } in &self.0 {
            let Metric { name, kind: _, unit, help } = metric;
            if last != Some(name) {
                writeln!(out, "# TYPE {name} {}", metric.kind_word())?;
                if !unit.is_empty() {
                    writeln!(out, "# UNIT {name} {unit}")?;
                }
                writeln!(out, "# HELP {name} {help}")?;
                last = Some(name);
            }
            match label {
                Some((label, word)) => {
                    writeln!(out, "{name}{suffix}{{{label}=\"{word}\"}} {value}")?;
                }
                None => writeln!(out, "{name}{suffix} {value}")?,
            }
        }
        writeln!(out, "# EOF")
    }
}

#[allow(clippy::cast_precision_loss, reason = "2^53 of anything is far away")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_wire::Code;

    #[test]
    fn a_family_has_its_head_once_and_eof_is_last() {
        let mut metrics = Metrics::default();
        metrics.numbers(&table::GUESTS, "state", [("connected", 2), ("waiting", 0)]);
        metrics.time(&table::START, SystemTime::UNIX_EPOCH + Duration::from_millis(1500));
        metrics.numbers(&table::BUILD, "version", [("1.2", 1)]);
        assert_eq!(
            metrics.to_string(),
            "# TYPE hostinfod_guests gauge\n\
             # HELP hostinfod_guests Guests, by whether they can ask.\n\
             hostinfod_guests{state=\"connected\"} 2\n\
             hostinfod_guests{state=\"waiting\"} 0\n\
             # TYPE hostinfod_start_time_seconds gauge\n\
             # UNIT hostinfod_start_time_seconds seconds\n\
             # HELP hostinfod_start_time_seconds When the daemon started, since 1970.\n\
             hostinfod_start_time_seconds 1.5\n\
             # TYPE hostinfod_build_info gauge\n\
             # HELP hostinfod_build_info Always 1; its label is the daemon's version.\n\
             hostinfod_build_info{version=\"1.2\"} 1\n\
             # EOF\n"
        );
    }

    #[test]
    fn a_histogram_adds_its_buckets_up() {
        let mut tally = Tally::default();
        for micros in [5, 50, 60, 2_000_000] {
            tally.reply(Code::Done, 100, Duration::from_micros(micros));
        }
        tally.received = 40;
        let mut metrics = Metrics::default();
        metrics.tally(&tally);
        let text = metrics.to_string();
        for line in [
            "hostinfod_queries_total{result=\"answered\"} 4\n",
            "hostinfod_query_duration_seconds_bucket{le=\"0.00001\"} 1\n",
            "hostinfod_query_duration_seconds_bucket{le=\"0.00005\"} 2\n",
            "hostinfod_query_duration_seconds_bucket{le=\"0.0001\"} 3\n",
            "hostinfod_query_duration_seconds_bucket{le=\"0.1\"} 3\n",
            "hostinfod_query_duration_seconds_bucket{le=\"+Inf\"} 4\n",
            "hostinfod_query_duration_seconds_count 4\n",
            "hostinfod_query_duration_seconds_sum 2.000115\n",
            "hostinfod_received_bytes_total 40\n",
            "hostinfod_sent_bytes_total 400\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert_eq!(metrics.figures().len(), text.lines().filter(|l| !l.starts_with('#')).count());
    }
}
