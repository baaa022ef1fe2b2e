//! What is shipped for Prometheus and Grafana is what they understand.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::paths::{promtool, workspace};
use hostinfo_tests::prometheus::all;
use serde_json::{Value, json};

fn shipped(file: &str) -> PathBuf {
    workspace().join("dist").join(file)
}

/// Runs promtool, which has to find nothing wrong.
fn check(args: &[&str], file: PathBuf) -> Result<String> {
    let output = Command::new(promtool()).args(args).arg(file).output().context("promtool")?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "promtool {args:?}: {said}");
    Ok(said.into_owned())
}

fn dashboard() -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(shipped("grafana/hostinfo.json"))?)?)
}

#[test]
fn the_alert_rules_are_valid_and_pass_their_own_tests() -> Result<()> {
    check(&["check", "rules"], shipped("prometheus/hostinfo.rules.yml"))?;
    check(&["test", "rules"], shipped("prometheus/hostinfo.test.yml"))?;
    Ok(())
}

#[test]
fn every_alert_is_raised_by_a_test() -> Result<()> {
    let rules = fs::read_to_string(shipped("prometheus/hostinfo.rules.yml"))?;
    let tests = fs::read_to_string(shipped("prometheus/hostinfo.test.yml"))?;
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    ensure!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let raised = tests.contains(&format!("alertname=\"{alert}\""))
            || tests.contains(&format!("alertname: {alert}\n        exp_alerts:\n          - "));
        ensure!(raised, "{alert}");
    }
    Ok(())
}

#[test]
fn every_expression_of_the_dashboard_is_promql() -> Result<()> {
    let dashboard = dashboard()?;
    let expressions = all(&dashboard, "expr");
    ensure!(expressions.len() > 20, "{}", expressions.len());
    let rules: Vec<Value> = expressions
        .iter()
        .filter_map(|expression| expression.as_str())
        .map(|text| json!({"record": "x", "expr": text.replace("$__rate_interval", "5m")}))
        .collect();
    // What is JSON is YAML as well.
    let file = tempfile::Builder::new().suffix(".yml").tempfile()?;
    let rules = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(file.path(), rules.to_string())?;
    check(&["check", "rules"], file.path().to_owned())?;
    Ok(())
}

#[test]
fn every_panel_of_the_dashboard_has_a_number_and_a_place_of_its_own() -> Result<()> {
    let dashboard = dashboard()?;
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    let panels = dashboard["panels"].as_array().context("panels")?;
    ensure!(!panels.is_empty(), "no panels");
    for panel in panels {
        let title = panel["title"].as_str().context("a panel without a title")?;
        ensure!(ids.insert(panel["id"].as_u64()), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_default();
        ensure!(at("x") + at("w") <= 24, "{title}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                ensure!(places.insert((x, y)), "{title}");
            }
        }
    }
    Ok(())
}
