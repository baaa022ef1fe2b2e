//! hostinfo's service in the host, and a guest of it that is none.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Lab, PATIENCE, qemu};
use crate::deadline::wait_until;
use crate::fake::FakeGuest;

impl Lab {
    /// A property of the service, as `systemctl show` has it.
    ///
    /// # Errors
    /// systemd does not answer.
    pub fn property(&self, name: &str) -> Result<String> {
        let value = self.sh(&format!("systemctl show --value --property={name} hostinfo"))?;
        Ok(value.trim().to_owned())
    }

    /// Waits until the service's journal holds `text`.
    ///
    /// # Errors
    /// It does not come.
    pub fn wait_for_journal(&self, text: &str) -> Result<()> {
        wait_until(text, PATIENCE, || {
            std::thread::sleep(Duration::from_millis(200));
            Ok(self.journal()?.contains(text))
        })
    }

    /// Changes the service as `systemctl edit` does, and starts it anew.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart_with(&self, drop_in: &str) -> Result<()> {
        self.write("/etc/systemd/system/hostinfo.service.d/test.conf", drop_in)?;
        self.sh("systemctl daemon-reload && systemctl restart hostinfo").map(drop)
    }

    /// A guest that is none: root's, behind a socket of that name and of the mode that libvirt's have.
    /// What is asked before hostinfo connects waits until it does.
    ///
    /// # Errors
    /// No port is left for it.
    pub fn fake_guest(&self, name: &str) -> Result<FakeGuest> {
        let taken = self.host.borrow_mut().consoles.pop_front();
        let (port, stream) = taken.context("no port is left")?;
        let port = format!("/dev/virtio-ports/lab.{}", qemu::console(port));
        let socket = format!("/var/lib/hostinfo/{name}");
        self.sh(&format!(
            "setsid socat UNIX-LISTEN:{socket},mode=775 {port} </dev/null >>/run/lab/socat 2>&1 &
             until [ -S {socket} ]; do sleep 0.1; done"
        ))?;
        FakeGuest::over(stream, PATIENCE)
    }
}
