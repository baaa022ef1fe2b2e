//! Runs the tool over a real pseudo-terminal, against a small fake host.

// A test should fail on anything unexpected.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod ages;
mod answers;
mod brief;
mod broker;
mod complete;
mod diagnose;
mod host;
mod json;
mod metrics;
mod others;
mod output;
mod record;
mod report;
mod serve;
mod sockets;
mod top;
mod trouble;

use std::process::{Command, Output, Stdio};

use host::FakeHost;

/// `hostinfo ARGUMENTS`, for the caller to run.
fn tool(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostinfo"));
    // Without them, it writes no cache.
    command.env_remove("HOME").env_remove("XDG_CACHE_HOME");
    command.env_remove("HOSTINFO_DEVICE").stdin(Stdio::null()).args(arguments.split_whitespace());
    command
}

/// The result of `hostinfo ARGUMENTS`: its exit status, stdout and stderr.
fn run(host: &FakeHost, arguments: &str) -> (i32, String, String) {
    said(tool(arguments).env("HOSTINFO_DEVICE", &host.path).output().unwrap())
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
