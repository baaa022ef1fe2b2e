//! `import-vhostmd`: what a configuration of vhostmd becomes here. Only shows it.

mod config;
mod custom;

use std::path::Path;

use hostinfo_catalog::vhostmd::{Context, METRICS};
use hostinfo_file::SETTINGS_MAX;
use hostinfo_wire::text::escaped;
use serde::Serialize;
use serde_json::json;

use crate::args::Options;
use crate::exit::{DONE, Failure, Status};
use crate::output::write_result;
use config::{Config, Metric};

/// What one of vhostmd's metrics becomes, for `--json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Becomes {
    metric: String,
    /// `host` or `vm`.
    context: String,
    /// The custom statistic; `None`: hostinfo's document for vhostmd's clients has the metric itself.
    custom: Option<String>,
}

/// Reads that file, and shows the rules, the settings and the statistics that mean the same.
///
/// # Errors
/// [`Failure::Refused`]: it cannot be read, or is not vhostmd's.
pub(crate) fn run(options: &Options, file: &Path) -> Result<Status, Failure> {
    let refused =
        |why: &dyn std::fmt::Display| Failure::Refused(format!("{}: {why}", file.display()));
    let bytes = hostinfo_file::read(file, SETTINGS_MAX).map_err(|error| refused(&error))?;
    let bytes = bytes.ok_or_else(|| refused(&"no such file"))?;
    let text = String::from_utf8(bytes).map_err(|_| refused(&"is not UTF-8 text"))?;
    let config = Config::parse(&text).map_err(|error| refused(&error))?;
    let becomes: Vec<Becomes> = config.metrics.iter().map(becomes).collect();
    let (rules, settings) = (rules(&config), settings(&config));
    let custom = custom::definitions(config.metrics.iter().filter(|metric| !is_served(metric)));
    let json =
        json!({ "metrics": becomes, "rules": rules, "settings": settings, "custom": custom });
    write_result(options, &json, || shown(&becomes, &rules, &settings, &custom))?;
    Ok(DONE)
}

/// Whether hostinfo's own document has that metric.
fn is_served(metric: &Metric) -> bool {
    let context = if metric.is_of_vm { Context::Vm } else { Context::Host };
    METRICS.iter().any(|one| one.name == metric.name && one.context == context)
}

fn becomes(metric: &Metric) -> Becomes {
    Becomes {
        metric: metric.name.clone(),
        context: if metric.is_of_vm { "vm" } else { "host" }.to_owned(),
        custom: (!is_served(metric)).then(|| custom::name(metric)),
    }
}

/// With vhostmd every guest sees everything, as often as the document is made.
fn rules(config: &Config) -> String {
    let period = config.period.unwrap_or(config::PERIOD);
    let mut rules = format!("*:\n  interval = {period}\n  vhostmd = 1\n");
    if config.has_disk {
        rules.push_str("  vhostmd-disk = 1\n");
    }
    if config.metrics.iter().any(|metric| !is_served(metric)) {
        rules.push_str("  custom.vhostmd = 1\n");
    }
    rules
}

/// Empty if the defaults are right.
fn settings(config: &Config) -> String {
    match config.has_channel {
        true => "[libvirt]\nvhostmd_channels = true\n".to_owned(),
        false => String::new(),
    }
}

fn shown(becomes: &[Becomes], rules: &str, settings: &str, custom: &str) -> String {
    let mut text = format!("# For /etc/hostinfo/hostinfo.conf:\n\n{rules}");
    if !settings.is_empty() {
        text.push_str(&format!("\n# For /etc/hostinfo/hostinfod.toml:\n\n{settings}"));
    }
    if !custom.is_empty() {
        text.push_str(&format!("\n# For /etc/hostinfo/custom.d/vhostmd.toml:\n\n{custom}"));
    }
    text.push_str("\n# Metrics, and what they become:\n");
    for Becomes { metric, context, custom } in becomes {
        let custom = custom.as_deref().unwrap_or("itself, for vhostmd's clients");
        text.push_str(&format!("#   {} ({context}): {custom}\n", escaped(metric)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"<?xml version="1.0"?>
<!DOCTYPE vhostmd SYSTEM "vhostmd.dtd">
<vhostmd><globals>
  <disk><name>host-metrics-disk</name><path>/dev/shm/vhostmd0</path><size unit="k">256</size></disk>
  <update_period>60</update_period>
  <transport>vbd</transport><transport>virtio</transport>
</globals><metrics>
  <metric type="string" context="host"><name>HostName</name><action>hostname</action></metric>
  <metric type="int64" context="vm" unit="s"><name>Age of backup</name>
    <action>stat -c %Y /srv/NAME.img &lt; /dev/null</action></metric>
</metrics></vhostmd>"#;

    #[test]
    fn a_configuration_becomes_rules_settings_and_custom_statistics() {
        let config = Config::parse(CONFIG).unwrap();
        let rules = rules(&config);
        assert_eq!(
            rules,
            "*:\n  interval = 60\n  vhostmd = 1\n  vhostmd-disk = 1\n  custom.vhostmd = 1\n"
        );
        assert!(hostinfo_rules::parse(rules.as_bytes()).is_ok());
        assert_eq!(settings(&config), "[libvirt]\nvhostmd_channels = true\n");
        let becomes: Vec<Option<String>> =
            config.metrics.iter().map(|metric| becomes(metric).custom).collect();
        assert_eq!(becomes, [None, Some("custom.vhostmd.Age_of_backup".to_owned())]);
    }
}
