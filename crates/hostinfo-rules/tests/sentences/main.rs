//! Tests the file format, with a test for each sentence of its description.

// Helpers of tests may do what tests may.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod patterns;
mod problems;
mod settings;
mod tags;

use std::path::Path;
use std::time::Duration;

use hostinfo_catalog::{Named, resolve};
use hostinfo_rules::{Parsed, Rules, parse};

fn parsed(file: &str) -> Parsed {
    parse(file.as_bytes()).unwrap_or_else(|_| panic!("{}", errors(file).join("\n")))
}

fn rules(file: &str) -> Rules {
    parsed(file).rules
}

/// The errors as shown.
fn errors(file: &str) -> Vec<String> {
    let problems = parse(file.as_bytes()).err().unwrap_or_default();
    problems.iter().map(|problem| problem.show(Path::new("F")).to_string()).collect()
}

/// The positions of the errors.
fn places(file: &str) -> Vec<(usize, usize)> {
    let problems = parse(file.as_bytes()).err().unwrap_or_default();
    problems.iter().map(|problem| (problem.line(), problem.column())).collect()
}

fn warnings(file: &str) -> Vec<String> {
    let warnings = parsed(file).warnings;
    warnings.iter().map(|warning| warning.show(Path::new("F")).to_string()).collect()
}

fn sees(file: &str, guest: &str, name: &str) -> bool {
    let Some(Named::Stat(stat, instance)) = resolve(name) else { panic!("{name}") };
    rules(file).decide(guest).permits(stat, instance.as_deref())
}

fn interval(file: &str, guest: &str) -> Duration {
    rules(file).decide(guest).interval()
}

const SECOND: Duration = Duration::from_secs(1);
