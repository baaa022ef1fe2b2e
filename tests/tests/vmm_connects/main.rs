//! Guests whose VMM connects to the daemon: `[[listen]]` of the settings, and several clients of one guest.
//!
//! A VMM connects to a socket's path and passes bytes on, and that is all that it does, so here a test is one.

mod clients;
mod listening;
mod peers;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::{Daemon, Host};
use rustix::process::geteuid;

/// Where a VMM connects for its guest.
struct Vms(PathBuf);

impl Vms {
    fn of(host: &Host) -> Self {
        Self(host.path().join("vm"))
    }

    fn settings(&self) -> String {
        let user = geteuid().as_raw();
        let path = self.0.display();
        format!(
            "[[listen]]\npath = '{path}/{{name}}/v_4678'\ndriver = 'fc'\nuser = '{user}'\nguests = ['fc-*']\n"
        )
    }

    /// Starts a VMM, as far as the daemon can see it.
    fn start(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(self.0.join(name))?;
        Ok(self.0.join(name).join("v_4678"))
    }
}

/// A daemon that listens for the guest `web`, and where.
fn serve(host: &Host) -> Result<(Daemon, Vms, PathBuf)> {
    let vms = Vms::of(host);
    host.write_config(&vms.settings())?;
    let daemon = host.start_daemon()?;
    let path = vms.start("web")?;
    Ok((daemon, vms, path))
}

fn wait_until_gone(path: &Path) -> Result<()> {
    wait_until("the socket to go", PATIENCE, || Ok(!path.try_exists()?))
}
