//! hostinfo's service in the host, and a fake guest for it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{Lab, PATIENCE, SOURCE, qemu};
use crate::deadline::wait_until;
use crate::fake::FakeGuest;
use crate::host::EVERYTHING;
use crate::upgrading::LATE;

/// Guests have the host's kernel, and their initramfs has no vsock: a second archive behind the first one is
/// unpacked over it, and its modules are loaded after the others.
const VSOCK: &str = "modprobe vhost_vsock
    mkdir -p /run/lab/vsock/modules && cd /run/lab/vsock
    from=/lib/modules/$(uname -r)/kernel/net/vmw_vsock
    cp $from/vsock.ko modules/8-0vsock.ko
    cp $from/vmw_vsock_virtio_transport_common.ko modules/8-1common.ko
    cp $from/vmw_vsock_virtio_transport.ko modules/8-2transport.ko
    find modules | $(command -v cpio || echo busybox cpio) -o -H newc >>/var/lib/libvirt/boot/initramfs";

impl Lab {
    /// Gives the host, and the guests that boot from now on, the kernel's vsock.
    ///
    /// # Errors
    /// The kernel has none.
    pub fn load_vsock(&self) -> Result<()> {
        self.sh(VSOCK).map(drop)
    }

    /// Starts hostinfo with these settings and with vsock, for guests that boot from now on. They may ask everything.
    ///
    /// # Errors
    /// The kernel has no vsock, or the service does not start.
    pub fn serve_over_vsock(&self, settings: &str) -> Result<()> {
        self.load_vsock()?;
        self.write("/etc/hostinfo/hostinfod.toml", settings)?;
        self.sh("systemctl enable hostinfo-vsock.socket")?;
        self.serve(EVERYTHING)
    }

    /// Upgrades the daemon, and again if the new program has not read the handover in time, as on a busy host.
    ///
    /// # Errors
    /// Something else keeps it from that.
    pub fn upgrade(&self) -> Result<()> {
        wait_until("an upgrade", PATIENCE, || {
            let output = self.run("hostinfoctl upgrade")?;
            ensure!(output.status == 0 || output.stderr.contains(LATE), "{output:?}");
            Ok(output.status == 0)
        })
    }

    /// Removes hostinfo from the host, as if it had never been there.
    ///
    /// # Errors
    /// `make uninstall` fails, or leaves the service's unit behind.
    pub fn remove_hostinfo(&self) -> Result<()> {
        self.sh(&format!(
            "PREFIX=/usr DESTDIR= BUILT=/usr/sbin GUEST_TOOL=/usr/bin/hostinfo PAGES={SOURCE}/pages \
                {SOURCE}/scripts/install uninstall
            rm -r /etc/hostinfo /var/lib/hostinfo && userdel hostinfo && userdel hostinfo-custom"
        ))?;
        ensure!(self.run("systemctl cat hostinfo")?.status != 0, "its unit is still there");
        Ok(())
    }

    /// A property of the service, as shown by `systemctl show`.
    ///
    /// # Errors
    /// systemd does not answer.
    pub fn property(&self, name: &str) -> Result<String> {
        let value = self.sh(&format!("systemctl show --value --property={name} hostinfo"))?;
        Ok(value.trim().to_owned())
    }

    /// Waits until the service's journal contains `text`.
    ///
    /// # Errors
    /// It never does.
    pub fn wait_for_journal(&self, text: &str) -> Result<()> {
        wait_until(text, PATIENCE, || {
            std::thread::sleep(Duration::from_millis(200));
            Ok(self.journal()?.contains(text))
        })
    }

    /// Changes the service as `systemctl edit` does, and restarts it.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart_with(&self, drop_in: &str) -> Result<()> {
        self.write("/etc/systemd/system/hostinfo.service.d/test.conf", drop_in)?;
        self.sh("systemctl daemon-reload && systemctl restart hostinfo").map(drop)
    }

    /// A fake guest: run by root, behind a socket of that name with the same mode as libvirt's. A
    /// request made before hostinfo connects waits until it does. Once it has hung up, it may connect again.
    ///
    /// # Errors
    /// There is no free port for it.
    pub fn fake_guest(&self, name: &str) -> Result<FakeGuest> {
        self.fake_guest_at(&format!("/var/lib/hostinfo/{name}"))
    }

    /// The same behind a socket at that path.
    ///
    /// # Errors
    /// There is no free port for it.
    pub fn fake_guest_at(&self, socket: &str) -> Result<FakeGuest> {
        let taken = self.host.borrow_mut().consoles.pop_front();
        let (port, stream) = taken.context("no port is left")?;
        let port = format!("/dev/virtio-ports/lab.{}", qemu::console(port));
        self.sh(&format!(
            "setsid socat UNIX-LISTEN:{socket},mode=775,fork {port} </dev/null >>/run/lab/socat 2>&1 &
             until [ -S {socket} ]; do sleep 0.1; done"
        ))?;
        FakeGuest::over(stream, PATIENCE)
    }
}
