//! Prometheus and its node_exporter, as Debian has them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::deadline::{PATIENCE, wait_until};
use crate::paths::{promtool, tool};
use crate::process::{Process, tied};

/// A port of this machine that was free a moment ago.
///
/// # Errors
/// There is none.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The body of what an HTTP server at that address answers.
///
/// # Errors
/// It does not, or not with 200.
pub fn get(address: &str, target: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    ensure!(head.lines().next().is_some_and(|status| status.contains(" 200 ")), "{answer}");
    Ok(body.to_owned())
}

/// What `promtool check metrics` remarks on a text.
///
/// # Errors
/// It finds something wrong with it.
pub fn check_metrics(text: &str) -> Result<String> {
    let mut check = Command::new(promtool())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("run promtool: `scripts/setup test` fetches it")?;
    check.stdin.take().context("stdin")?.write_all(text.as_bytes())?;
    let output = check.wait_with_output()?;
    let remarks = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{remarks}");
    Ok(remarks)
}

/// Everything below `value` that stands behind `key`.
pub fn all<'v>(value: &'v Value, key: &str) -> Vec<&'v Value> {
    let below: Vec<&Value> = match value {
        Value::Array(values) => values.iter().collect(),
        Value::Object(values) => values.values().collect(),
        _ => Vec::new(),
    };
    let own = value.get(key);
    own.into_iter().chain(below.into_iter().flat_map(|value| all(value, key))).collect()
}

/// A node_exporter that reads text files, and nothing else.
#[derive(Debug)]
pub struct NodeExporter {
    process: Process,
    /// Where it is scraped.
    pub address: String,
    folder: TempDir,
}

impl NodeExporter {
    /// Starts one with a folder of its own, and waits until it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn start() -> Result<Self> {
        let (address, folder) = (free_address()?, tempfile::tempdir()?);
        let mut command = tied(tool("prometheus-node-exporter"));
        command
            .args(["--collector.disable-defaults", "--collector.textfile"])
            .arg(format!("--collector.textfile.directory={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"));
        let process = Process::start(&mut command, folder.path().join("log"))?;
        wait_until("node_exporter", PATIENCE, || Ok(get(&address, "/metrics").is_ok()))
            .with_context(|| process.log())?;
        Ok(Self { process, address, folder })
    }

    /// Where a file of that name is read.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it tells.
    ///
    /// # Errors
    /// It does not answer.
    pub fn scrape(&self) -> Result<String> {
        get(&self.address, "/metrics").with_context(|| self.process.log())
    }
}

/// A Prometheus with a database of its own.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    address: String,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one with the rules of `rules` that asks each target, an address with its job and its instance, twice a
    /// second.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(rules: &str, targets: &[(&str, &str, &str)]) -> Result<Self> {
        let (address, folder) = (free_address()?, tempfile::tempdir()?);
        let at = |name: &str| folder.path().join(name);
        fs::write(at("rules.yml"), rules)?;
        let mut config =
            "global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}\n\
                          rule_files: [rules.yml]\nscrape_configs:\n"
                .to_owned();
        for (at, (target, job, instance)) in targets.iter().enumerate() {
            config += &format!(
                "  - job_name: t{at}\n    static_configs:\n      - targets: [\"{target}\"]\n        \
                 labels: {{job: {job}, instance: {instance}}}\n"
            );
        }
        fs::write(at("prometheus.yml"), config)?;
        let mut command = tied(tool("prometheus"));
        command
            .arg(format!("--config.file={}", at("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", at("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let process = Process::start(&mut command, at("log"))?;
        wait_until("Prometheus", PATIENCE, || Ok(get(&address, "/-/ready").is_ok()))
            .with_context(|| process.log())?;
        Ok(Self { process, address, _folder: folder })
    }

    /// The series that are the result of an expression now.
    ///
    /// # Errors
    /// It is not one.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let told = self.api(&format!("query?query={}", encoded(expression)))?;
        Ok(list(&told, "/data/result")?.clone())
    }

    /// The names of the alerts that are firing, sorted.
    ///
    /// # Errors
    /// It does not answer.
    pub fn firing(&self) -> Result<Vec<String>> {
        let told = self.api("alerts")?;
        let word = |alert: &Value, path: &str| alert.pointer(path)?.as_str().map(str::to_owned);
        let alerts = list(&told, "/data/alerts")?.iter();
        let firing = alerts.filter(|alert| word(alert, "/state").is_some_and(|it| it == "firing"));
        let names = firing.filter_map(|alert| word(alert, "/labels/alertname"));
        let names: BTreeSet<String> = names.collect();
        Ok(names.into_iter().collect())
    }

    /// The values that a label has among the series of a metric.
    ///
    /// # Errors
    /// It does not answer.
    pub fn label_values(&self, metric: &str, label: &str) -> Result<Vec<Value>> {
        let told = self.api(&format!("label/{label}/values?match[]={metric}"))?;
        Ok(list(&told, "/data")?.clone())
    }

    /// What its API answers to `GET`.
    ///
    /// # Errors
    /// It does not answer.
    pub fn api(&self, method: &str) -> Result<Value> {
        let text = get(&self.address, &format!("/api/v1/{method}"))
            .with_context(|| format!("{method}\n{}", self.process.log()))?;
        Ok(serde_json::from_str(&text)?)
    }
}

fn list<'v>(told: &'v Value, path: &str) -> Result<&'v Vec<Value>> {
    let list = told.pointer(path).and_then(Value::as_array);
    list.with_context(|| format!("no list {path} in {told}"))
}

/// A text as part of a query string.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Makes a file at once that looks as if it had been written then.
///
/// # Errors
/// It cannot be written.
pub fn write_as_of(file: &Path, text: &str, time: std::time::SystemTime) -> Result<()> {
    let partial = file.with_extension("new");
    fs::write(&partial, text)?;
    fs::File::options().write(true).open(&partial)?.set_modified(time)?;
    Ok(fs::rename(partial, file)?)
}
