//! The files shipped for Prometheus and Grafana refer only to metrics that exist.

use std::collections::BTreeSet;

use hostinfo_catalog::StatId;
use hostinfo_catalog::metric::Metric;
use hostinfo_control::FigureKind;

use super::table::ALL;

const SHIPPED: [(&str, &str); 4] = [
    ("hostinfo.json", include_str!("../../../../dist/grafana/hostinfo.json")),
    ("hostinfo.rules.yml", include_str!("../../../../dist/prometheus/hostinfo.rules.yml")),
    ("hostinfo.test.yml", include_str!("../../../../dist/prometheus/hostinfo.test.yml")),
    ("monitoring.md", include_str!("../../../../docs/monitoring.md")),
];

/// Every metric name that Prometheus can see: the daemon's, and those that guests export.
fn names() -> BTreeSet<String> {
    let own = ALL.iter().flat_map(|metric| {
        let suffixes = match metric.kind {
            FigureKind::Histogram => vec!["_bucket", "_count", "_sum"],
            _ => vec![metric.suffix()],
        };
        suffixes.into_iter().map(|suffix| format!("{}{suffix}", metric.name))
    });
    let told = StatId::all().filter_map(Metric::of).map(|metric| metric.sample.clone());
    own.chain(told).collect()
}

/// The words in a text that can only be names of our metrics.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("hostinfo_") || word.starts_with("hostinfod_"))
}

#[test]
fn every_metric_that_the_shipped_files_name_exists() {
    let names = names();
    for (file, text) in SHIPPED {
        let mut count = 0;
        for word in mentioned(text) {
            assert!(names.contains(word), "{file}: there is no metric {word}");
            count += 1;
        }
        assert!(count > 0, "{file}");
    }
}

#[test]
fn the_dashboard_shows_every_figure_of_the_daemon_that_is_of_use_over_time() {
    let shown: BTreeSet<&str> = mentioned(SHIPPED[0].1).collect();
    let left_out = ["hostinfod_start_time_seconds", "hostinfod_rules", "hostinfod_libvirt_domains"];
    for metric in ALL.iter().filter(|metric| !left_out.contains(&metric.name)) {
        assert!(shown.iter().any(|word| word.starts_with(metric.name)), "{}", metric.name);
    }
}
