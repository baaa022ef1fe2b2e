//! The control socket: who is let in, what the daemon tells them, and what that may cost.

mod access;
mod guests;
mod load;
mod state;

use anyhow::Result;
use hostinfo_control::Guest;
use hostinfo_tests::Host;

const RULES: &str = "\
qemu-off:
  enabled = 0
qemu-db*:
  interval = 0
  loadavg = 1
  loadavg.5 = 0
*:
  interval = 1m
";

fn listed(host: &Host, guest: &str) -> Result<Option<Guest>> {
    Ok(host.client()?.list()?.into_iter().find(|one| one.guest == guest))
}
