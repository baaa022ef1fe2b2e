//! The rules and the settings: whether they have errors, and whether they are in force.

use std::env::current_exe;
use std::path::Path;

use hostinfo_control::Status;
use hostinfo_rules::parse;

use super::finding::Subject::{Daemon, Rules, Settings};
use super::finding::{Finding, Level, quoted};
use crate::args::Options;
use crate::exit::Failure;
use crate::rules::{count, read, rule_count};
use crate::settings;
use crate::subprocess::{Ran, run};

/// Looks at both files, and at what the daemon says of them and of what else it needs.
pub(crate) fn look(options: &Options, status: Option<&Status>) -> Vec<Finding> {
    let rules = rules(&options.rules);
    let has_no_errors = rules.level == Level::Fine;
    let mut findings = vec![rules, settings(options)];
    let Some(status) = status else { return findings };
    if status.rules.problem.is_some() && has_no_errors {
        let words = format!("{}: hostinfod has other rules in force", status.rules.path);
        findings.push(Rules.problem(words, &["systemctl reload hostinfo".to_owned()]));
    }
    let places = [&status.settings, &status.socket_dir, &status.custom_dir];
    for place in places.into_iter().chain(&status.sockets).chain(&status.metrics) {
        if let Some(problem) = &place.problem {
            findings.push(Daemon.problem(one_line(problem), &["hostinfoctl status".to_owned()]));
        }
    }
    findings
}

fn rules(path: &Path) -> Finding {
    let wrong = |why: String| Rules.problem(why, &[format!("hostinfoctl check {}", quoted(path))]);
    let text = match read(path) {
        Ok(text) => text,
        Err(failure @ Failure::Denied(_)) => return Rules.unseen_without_root(failure.to_string()),
        Err(failure) => return wrong(failure.to_string()),
    };
    let shown = path.display();
    let Some(text) = text else {
        return Rules
            .fine(format!("{shown}: there is no such file: every guest has the built-in default"));
    };
    match parse(&text) {
        Ok(parsed) => Rules.fine(format!("{shown}: {}", rule_count(parsed.rules.len()))),
        Err(problems) => wrong(format!("{shown}: {}", count(&problems, "error"))),
    }
}

/// Only hostinfod knows all settings, so it is asked; without it, those that this program uses are
/// checked.
fn settings(options: &Options) -> Finding {
    let path = options.config.display();
    let fine = || Settings.fine(format!("{path}: no errors"));
    let wrong = |why: &str| {
        let command = format!("hostinfod --check --config {}", quoted(&options.config));
        Settings.problem(one_line(why), &[command])
    };
    match checked(options) {
        Some(Ran { status: Some(0), .. }) => return fine(),
        Some(Ran { status: Some(78), stderr, .. }) => {
            // The rules are checked as well, and have a finding of their own.
            let of_rules = format!("{}:", options.rules.display());
            return match stderr.starts_with(&of_rules) {
                true => fine(),
                false => wrong(&stderr),
            };
        }
        _ => {}
    }
    match settings::read(options) {
        Ok(_) => Settings.unseen(format!(
            "{path}: only hostinfod can check all of it, and hostinfod --check cannot be run"
        )),
        Err(failure) => wrong(&failure.to_string()),
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
