//! The rules and the settings: whether they have errors, and whether they are in force.

use std::env::current_exe;
use std::path::{Path, PathBuf};

use hostinfo_control::Status;
use hostinfo_rules::parse;

use super::finding::Finding;
use crate::args::Options;
use crate::exit::Failure;
use crate::rules::{count, read, rule_count};
use crate::runner::{Ran, run};
use crate::settings;

/// Looks at both files, and at what the daemon says of them and of what else it needs.
pub(crate) fn look(options: &Options, status: Option<&Status>) -> Vec<Finding> {
    let mut findings = vec![rules(&options.rules), settings(options)];
    let Some(status) = status else { return findings };
    let is_right = |finding: &Finding| matches!(finding, Finding::RulesRead { .. });
    if status.rules.problem.is_some() && findings.iter().any(is_right) {
        findings.push(Finding::RulesNotInForce { path: PathBuf::from(&status.rules.path) });
    }
    let places = [&status.settings, &status.socket_dir, &status.custom_dir];
    for place in places.into_iter().chain(&status.sockets) {
        if let Some(problem) = &place.problem {
            findings.push(Finding::DaemonReports(one_line(problem)));
        }
    }
    findings
}

fn rules(path: &Path) -> Finding {
    let text = match read(path) {
        Ok(text) => text,
        Err(failure @ Failure::Denied(_)) => return Finding::RulesUnseen(failure),
        Err(failure) => {
            return Finding::RulesWrong { path: path.to_owned(), why: failure.to_string() };
        }
    };
    let path = path.to_owned();
    let Some(text) = text else {
        let rules = "there is no such file: every guest has the built-in default".to_owned();
        return Finding::RulesRead { path, rules };
    };
    match parse(&text) {
        Ok(parsed) => Finding::RulesRead { path, rules: rule_count(parsed.rules.len()) },
        Err(problems) => {
            let why = format!("{}: {}", path.display(), count(&problems, "error"));
            Finding::RulesWrong { path, why }
        }
    }
}

/// Only hostinfod knows all settings, so it is asked; without it, those that this program uses are
/// checked.
fn settings(options: &Options) -> Finding {
    let path = options.config.clone();
    match checked(options) {
        Some(Ran { status: Some(0), .. }) => return Finding::SettingsRead { path },
        Some(Ran { status: Some(78), stderr, .. }) => {
            // The rules are checked as well, and have a finding of their own.
            let of_rules = format!("{}:", options.rules.display());
            return match stderr.starts_with(&of_rules) {
                true => Finding::SettingsRead { path },
                false => Finding::SettingsWrong { path, why: one_line(&stderr) },
            };
        }
        _ => {}
    }
    match settings::read(options) {
        Ok(_) => Finding::SettingsUnseen(format!(
            "{}: only hostinfod can check all of it, and hostinfod --check cannot be run",
            path.display()
        )),
        Err(failure) => Finding::SettingsWrong { path, why: one_line(&failure.to_string()) },
    }
}

/// What `hostinfod --check` says, if it is beside this program or in its prefix.
fn checked(options: &Options) -> Option<Ran> {
    let own = current_exe().ok()?;
    let folder = own.parent()?;
    let programs = [folder.join("hostinfod"), folder.parent()?.join("sbin/hostinfod")];
    let program = programs.iter().find(|program| program.is_file())?;
    let mut arguments = vec!["--check", "--rules", options.rules.to_str()?];
    if options.config.exists() {
        arguments.extend(["--config", options.config.to_str()?]);
    }
    run(program.to_str()?, &arguments).ok()
}

/// TOML's errors and those of rules draw the place on lines of their own.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
