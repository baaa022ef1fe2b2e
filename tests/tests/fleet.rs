//! A real Prometheus that watches three hosts, two over HTTP and one by a file for node_exporter, and two guests: every
//! alert fires and resolves, and every query of the dashboard has a result.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use hostinfo_catalog::metric::{HOST_STATES, Metric};
use hostinfo_catalog::{Kind, StatId};
use hostinfo_tests::ctl::alone;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::paths::workspace;
use hostinfo_tests::prometheus::{NodeExporter, Prometheus, all, free_address, write_as_of};
use hostinfo_tests::{Daemon, FakeGuest, Host};
use serde_json::Value;

/// The file that hostinfo-textfile.service writes.
const FILE: &str = "hostinfod.prom";

/// libvirt's own test driver, which answers everywhere, for the first host.
const LIBVIRT: &str = "[libvirt]\nuri = \"test:///default\"\n";
const NO_LIBVIRT: &str = "[libvirt]\nenabled = false\n";

/// The shipped alerts, which wait for nothing, and look at seconds where they look at minutes and hours.
fn impatient() -> Result<String> {
    let rules = fs::read_to_string(workspace().join("dist/prometheus/hostinfo.rules.yml"))?;
    let rules = rules.lines().filter(|line| !line.trim().starts_with("for: "));
    let rules = rules.map(|line| {
        let line = ["10m", "15m"]
            .iter()
            .fold(line.to_owned(), |line, range| line.replace(&format!("[{range}]"), "[4s]"));
        line.replace("[1h]", "[8s]") + "\n"
    });
    Ok(rules.collect())
}

/// The names of the shipped alerts, sorted.
fn alerts() -> Result<Vec<String>> {
    let rules = impatient()?;
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: BTreeSet<&str> = names.collect();
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The time, in seconds since 1970.
fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

/// What a guest writes for its own node_exporter: every statistic, 0 but for `special`, by the names of samples.
fn of_guest(special: &[(&str, f64)]) -> Result<String> {
    let mut text = String::new();
    let mut before = BTreeSet::new();
    for metric in StatId::all().filter_map(|stat| Some((stat, Metric::of(stat)?))) {
        let (stat, metric) = metric;
        if !before.insert(&metric.sample) {
            continue;
        }
        let value = match special.iter().find(|(name, _)| *name == metric.sample) {
            Some((_, value)) => *value,
            None if metric.sample == "hostinfo_time_seconds" => now()?,
            None => 0.0,
        };
        let word = if stat.stat().kind == Kind::Counter { "counter" } else { "gauge" };
        writeln!(text, "# TYPE {} {word}", metric.sample)?;
        let label = metric.label.map(|label| format!("{{{label}=\"x\"}}")).unwrap_or_default();
        match metric.states {
            [] => writeln!(text, "{}{label} {value}", metric.sample)?,
            // A verdict is `ok` and the host `normal`, the first state of each, unless it is said to be another.
            states => {
                for (number, state) in (0u8..).zip(states) {
                    let is_it = u8::from(f64::from(number) == value);
                    writeln!(text, "{}{{state=\"{state}\"}} {is_it}", metric.sample)?;
                }
            }
        }
    }
    Ok(text)
}

/// The text with other values for samples that begin so.
fn with(text: &str, special: &[(String, f64)]) -> String {
    let line = |line: &str| match special.iter().find(|(name, _)| line.starts_with(name)) {
        Some((_, value)) => {
            format!("{} {value}\n", line.rsplit_once(' ').map_or(line, |(name, _)| name))
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// A host whose daemon answers Prometheus.
fn over_http() -> Result<(Host, String)> {
    let (host, address) = (Host::new("*:\n  interval = 0\n")?, free_address()?);
    settings(&host, &address, NO_LIBVIRT)?;
    Ok((host, address))
}

fn settings(host: &Host, address: &str, more: &str) -> Result<()> {
    host.write_config(&format!("[metrics]\nlisten = \"{address}\"\n{more}"))
}

/// Three hosts and two guests, and what watches them. The first host is asked by a guest.
struct Fleet {
    first: (Host, String),
    first_daemon: Daemon,
    guest: FakeGuest,
    second: (Host, String),
    second_daemon: Option<Daemon>,
    third: Host,
    _third_daemon: Daemon,
    third_node: NodeExporter,
    /// A host whose timer has stopped.
    fourth_node: NodeExporter,
    guests: [NodeExporter; 2],
    prometheus: Prometheus,
    /// How often the files were written.
    written: f64,
}

impl Fleet {
    fn start() -> Result<Self> {
        let (first, second) = (over_http()?, over_http()?);
        settings(&first.0, &first.1, LIBVIRT)?;
        let first_daemon = first.0.start_daemon()?;
        let second_daemon = Some(second.0.start_daemon()?);
        let third = Host::new("*:\n")?;
        third.write_config(NO_LIBVIRT)?;
        let third_daemon = third.start_daemon()?;
        let guest = FakeGuest::join(&first.0.socket("web"))?;
        let [third_node, fourth_node, guest_1, guest_2] = [
            NodeExporter::start()?,
            NodeExporter::start()?,
            NodeExporter::start()?,
            NodeExporter::start()?,
        ];
        let targets = [
            (&*first.1, "hostinfod", "host1"),
            (&*second.1, "hostinfod", "host2"),
            (&*third_node.address, "node", "host3"),
            (&*fourth_node.address, "node", "host4"),
            (&*guest_1.address, "guest", "guest1"),
            (&*guest_2.address, "guest", "guest2"),
        ];
        let prometheus = Prometheus::start(&impatient()?, &targets)?;
        let guests = [guest_1, guest_2];
        let (_third_daemon, written) = (third_daemon, 0.0);
        Ok(Self {
            first,
            first_daemon,
            guest,
            second,
            second_daemon,
            third,
            _third_daemon,
            third_node,
            fourth_node,
            guests,
            prometheus,
            written,
        })
    }

    /// What the third host's timer writes.
    fn text(&self) -> Result<String> {
        alone(&self.third, &["stats", "--format", "prometheus"])?.succeeds()
    }

    /// A time in which all is well.
    fn be_well(&mut self) -> Result<()> {
        self.guest.ask("loadavg.1")?;
        let path = self.third_node.file(FILE);
        let path = path.to_str().context("a path")?;
        alone(&self.third, &["stats", "--format", "prometheus", "--output", path])?.succeeds()?;
        write_as_of(&self.fourth_node.file(FILE), &self.text()?, SystemTime::now())?;
        for guest in &self.guests {
            write_as_of(&guest.file("host.prom"), &of_guest(&[])?, SystemTime::now())?;
        }
        Ok(())
    }

    /// A time in which everything is wrong that there is an alert for, once the daemons are.
    fn suffer(&mut self) -> Result<()> {
        self.written += 1.0;
        let n = self.written;
        // More than one a second, also where this machine is slow.
        for _ in 0..5 {
            self.guest.ask("host.name")?;
        }
        let mut figures = vec![
            ("hostinfod_start_time_seconds".to_owned(), n),
            ("hostinfod_guests{state=\"refused\"}".to_owned(), 2.0),
            ("hostinfod_sources_missing".to_owned(), 1.0),
            ("hostinfod_query_duration_seconds_count".to_owned(), n),
        ];
        // All replies took 20 to 50 ms.
        for bound in ["0.05", "0.1", "+Inf"] {
            let name = format!("hostinfod_query_duration_seconds_bucket{{le=\"{bound}\"}}");
            figures.push((name, n));
        }
        let text = with(&self.text()?, &figures) + "hostinfod_libvirt_up 0\n";
        write_as_of(&self.third_node.file(FILE), &text, SystemTime::now())?;
        let long_ago = SystemTime::now() - Duration::from_secs(600);
        write_as_of(&self.fourth_node.file(FILE), &self.text()?, long_ago)?;
        let [contended, draining] = [1.0, 1.0];
        ensure!(HOST_STATES[1] == "draining");
        let waits = of_guest(&[
            ("hostinfo_verdict_cpu", contended),
            ("hostinfo_host_state", draining),
            ("hostinfo_vm_cpu_contention_ratio", 0.3),
            ("hostinfo_vm_pressure_memory_some_avg60_ratio", 0.3),
            ("hostinfo_vm_disk_latency_seconds", 0.3),
            ("hostinfo_time_seconds", now()? - 1000.0),
        ])?;
        let throttled = of_guest(&[("hostinfo_vm_cpu_throttled_seconds_total", n)])?;
        for (guest, text) in self.guests.iter().zip([waits, throttled]) {
            write_as_of(&guest.file("host.prom"), &text, SystemTime::now())?;
        }
        Ok(())
    }

    fn break_daemons(&mut self) -> Result<()> {
        self.first.0.write_rules("*:\n  physcups = 1\n")?;
        settings(&self.first.0, &self.first.1, &format!("nonsense = 1\n{LIBVIRT}"))?;
        self.first_daemon.hang_up()?;
        let second = self.second_daemon.take().context("it runs")?;
        second.stop()?;
        Ok(())
    }

    fn mend_daemons(&mut self) -> Result<()> {
        self.first.0.write_rules("*:\n  interval = 0\n")?;
        settings(&self.first.0, &self.first.1, LIBVIRT)?;
        self.first_daemon.hang_up()?;
        self.second_daemon = Some(self.second.0.start_daemon()?);
        Ok(())
    }

    /// Lets time pass until those alerts fire, and no others.
    fn wait_for(&mut self, wanted: &[String], pass: fn(&mut Self) -> Result<()>) -> Result<()> {
        let mut last = Vec::new();
        let waited = wait_until("the alerts", PATIENCE, || {
            pass(self)?;
            std::thread::sleep(Duration::from_millis(200));
            last = self.prometheus.firing()?;
            Ok(last == wanted)
        });
        waited.with_context(|| format!("{last:?} fire, and not {wanted:?}"))
    }
}

#[test]
fn every_alert_fires_and_resolves_and_every_query_of_the_dashboard_has_a_result() -> Result<()> {
    let mut fleet = Fleet::start()?;
    wait_until("all targets", PATIENCE, || {
        fleet.be_well()?;
        Ok(fleet.prometheus.query("up == 1")?.len() == 6)
    })?;
    fleet.wait_for(&[], Fleet::be_well)?;

    let dashboard = fs::read_to_string(workspace().join("dist/grafana/hostinfo.json"))?;
    let dashboard: Value = serde_json::from_str(&dashboard)?;
    let queries = all(&dashboard["panels"], "expr");
    let queries: Vec<&str> = queries.into_iter().filter_map(Value::as_str).collect();
    ensure!(queries.len() > 20, "{queries:?}");
    for query in queries {
        let filled =
            query.replace("$__rate_interval", "4s").replace("$host", ".*").replace("$guest", ".*");
        ensure!(!filled.contains('$'), "{filled}");
        wait_until(query, PATIENCE, || {
            fleet.be_well()?;
            Ok(!fleet.prometheus.query(&filled)?.is_empty())
        })?;
    }
    // What Grafana offers for $host and $guest.
    for (variable, instances) in [("hostinfod_build_info", 4), ("hostinfo_vm_name_info", 2)] {
        ensure!(dashboard.to_string().contains(&format!("label_values({variable}, instance)")));
        ensure!(
            fleet.prometheus.label_values(variable, "instance")?.len() == instances,
            "{variable}"
        );
    }

    fleet.break_daemons()?;
    fleet.wait_for(&alerts()?, Fleet::suffer)?;
    fleet.mend_daemons()?;
    fleet.wait_for(&[], Fleet::be_well)
}
