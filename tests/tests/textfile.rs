//! The daemon's own metrics as a file for node_exporter's textfile collector, and in the formats that scrapers accept.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::alone;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::prometheus::{NodeExporter, Prometheus, check_metrics, free_address};
use hostinfo_tests::{FakeGuest, Host};

const RULES: &str = "*:\n  interval = 0\n";

/// The lines of a text that are values.
fn values(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn node_exporter_takes_the_file_and_tells_every_metric_in_it() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("web"))?;
    guest.ask("loadavg")?;
    let node = NodeExporter::start()?;
    let file = node.file("hostinfod.prom");
    let path = file.to_str().context("a path")?;
    alone(&host, &["stats", "--format", "prometheus", "--output", path])?.succeeds()?;
    let (written, told) = (fs::read_to_string(&file)?, node.scrape()?);
    ensure!(told.contains("node_textfile_scrape_error 0\n"), "{told}");
    ensure!(told.contains("node_textfile_mtime_seconds{file=\""), "{told}");
    ensure!(written.contains("hostinfod_queries_total{result=\"answered\"} 1\n"), "{written}");
    for line in values(&written) {
        // node_exporter writes numbers and bounds in its own way.
        let name = line.split([' ', '{']).next().context("no name")?;
        ensure!(values(&told).any(|told| told.starts_with(name)), "{line} is missing: {told}");
    }
    for (kind, name) in [
        ("gauge", "build_info"),
        ("counter", "queries_total"),
        ("histogram", "query_duration_seconds"),
    ] {
        ensure!(told.contains(&format!("# TYPE hostinfod_{name} {kind}\n")), "{name}: {told}");
    }
    Ok(())
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let text = alone(&host, &["stats", "--format", "prometheus"])?.succeeds()?;
    let remarks = check_metrics(&text)?;
    ensure!(remarks.is_empty(), "{remarks}");
    Ok(())
}

#[test]
fn without_a_daemon_the_file_stays_as_it_was_and_what_is_no_place_for_one_is_refused() -> Result<()>
{
    let host = Host::new(RULES)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("hostinfod.prom");
    fs::write(&file, "before")?;
    let path = file.to_str().context("a path")?;
    let args = |path| ["stats", "--format", "prometheus", "--output", path];
    alone(&host, &args(path))?.fails_with(5)?;
    ensure!(fs::read_to_string(&file)? == "before");
    let _daemon = host.start_daemon()?;
    let said = alone(&host, &args("/dev/full"))?.fails_with(1)?;
    ensure!(
        said == "hostinfoctl: cannot write /dev/full: it is a device, not a regular file: name another\n",
        "{said}"
    );
    let none = folder.path().join("none/x.prom");
    let said = alone(&host, &args(none.to_str().context("a path")?))?.fails_with(1)?;
    ensure!(said.contains("none/x.prom: No such file or directory"), "{said}");
    let said = alone(&host, &args(path))?.succeeds()?;
    ensure!(
        said.is_empty() && fs::read_to_string(&file)?.starts_with("# TYPE hostinfod_build_info")
    );
    ensure!(fs::read_dir(folder.path())?.count() == 1, "something is left beside it");
    Ok(())
}

#[test]
fn openmetrics_has_the_values_of_the_classic_format_and_json_as_many() -> Result<()> {
    let host = Host::new(RULES)?;
    let _daemon = host.start_daemon()?;
    let of = |format: &str| alone(&host, &["stats", "--format", format])?.succeeds();
    let (classic, openmetrics) = (of("prometheus")?, of("openmetrics")?);
    ensure!(values(&classic).eq(values(&openmetrics)), "{classic}{openmetrics}");
    ensure!(openmetrics.ends_with("# EOF\n") && !classic.contains("# EOF"));
    let json: serde_json::Value = serde_json::from_str(&of("json")?)?;
    ensure!(json["figures"].as_array().map(Vec::len) == Some(values(&classic).count()), "{json}");
    ensure!(of("text")? == alone(&host, &["stats"])?.succeeds()?);
    Ok(())
}

#[test]
fn prometheus_itself_scrapes_the_daemon() -> Result<()> {
    let (host, address) = (Host::new(RULES)?, free_address()?);
    host.write_config(&format!("[metrics]\nlisten = \"{address}\"\n"))?;
    let _daemon = host.start_daemon()?;
    let prometheus = Prometheus::start("groups: []\n", &[(&address, "hostinfod", "host1")])?;
    wait_until("a value", PATIENCE, || Ok(!prometheus.query("hostinfod_rules == 1")?.is_empty()))?;
    let metadata = prometheus.api("metadata?metric=hostinfod_queries")?;
    // The name of a counter's family tells which format it was: the classic one has hostinfod_queries_total.
    ensure!(metadata["data"]["hostinfod_queries"][0]["type"] == "counter", "{metadata}");
    Ok(())
}
