//! The tool as it is run, over a real pseudo-terminal, against a small host made up here.

// What surprises a test is to end it.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod answers;
mod brief;
mod complete;
mod diagnose;
mod host;
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

/// `hostinfo ARGUMENTS`, to be run by hand.
fn tool(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostinfo"));
    command.env_remove("HOSTINFO_DEVICE").stdin(Stdio::null()).args(arguments.split_whitespace());
    command
}

/// What `hostinfo ARGUMENTS` said: its exit status, stdout and stderr.
fn run(host: &FakeHost, arguments: &str) -> (i32, String, String) {
    said(tool(arguments).env("HOSTINFO_DEVICE", &host.path).output().unwrap())
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
