//! hostinfoctl with a real daemon, and without one.

mod guests;
mod rules;
mod state;
mod terminal;

use anyhow::Result;
use hostinfo_tests::Host;
use hostinfo_tests::ctl::alone;
use serde_json::Value;

const RULES: &str = "qemu-web:\n  interval = 0\n  physcpus = 0\n\n*:\n  interval = 30\n";

fn json(host: &Host, args: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&alone(host, &[args, &["--json"]].concat())?.succeeds()?)?)
}
