//! Runs the script beside it, `PATH.sh`: a stand-in for a program where a script cannot be one.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Result;

fn main() -> Result<()> {
    let script = std::env::current_exe()?.with_extension("sh");
    Err(Command::new("/bin/sh").arg(script).args(std::env::args_os().skip(1)).exec().into())
}
