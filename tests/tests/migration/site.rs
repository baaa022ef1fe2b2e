//! Two hosts between which a guest can be moved.

use std::path::Path;

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::PATIENCE;
use hostinfo_tests::process::{Process, tied};
use hostinfo_tests::{Daemon, Domain, DomainGuest, Host, Libvirtd, Port, serial};

/// Where guests' sockets are on every host: each has a `/run` of its own.
pub(crate) const SOCKETS: &str = "/run/hostinfo";

/// MiB a second at which a guest is moved while a test looks on: of its memory are some 40 in use.
pub(crate) const SLOW: [&str; 2] = ["--bandwidth", "1"];

/// A host as a guest's domain sees it.
pub(crate) struct Site {
    pub(crate) libvirtd: Libvirtd,
    pub(crate) host: Host,
}

impl Site {
    pub(crate) fn new(rules: &str) -> Result<Self> {
        let host = Host::new(rules)?.with_sockets_in(Path::new(SOCKETS));
        Ok(Self { libvirtd: Libvirtd::start()?, host })
    }

    /// Makes the socket directory, and starts the daemon.
    pub(crate) fn serve(&self) -> Result<Daemon> {
        self.libvirtd.shell(&format!("mkdir {SOCKETS}"))?;
        self.host.start_daemon_beside(&self.libvirtd)
    }

    pub(crate) fn boot(&self, port: Port) -> Result<DomainGuest> {
        let socket = self.host.socket("a");
        let devices = match port {
            Port::Serial | Port::Console => serial(&socket)?,
            Port::Channel => format!(
                "<channel type='unix'><source mode='bind' path='{}'/>
                 <target type='virtio' name='org.hostinfo.0'/></channel>",
                socket.display()
            ),
        };
        Domain::define(&self.libvirtd, "a", &devices)?.boot(&self.libvirtd)
    }

    /// Begins to move the guest to another host.
    pub(crate) fn migrate(&self, to: &Site, options: &[&str]) -> Result<Process> {
        let by = format!("unix://{}", to.libvirtd.folder().join("migration").display());
        let mut virsh = tied("virsh");
        // Both see the same disk, which libvirt does not believe of a local file.
        virsh.args(["-c", &self.libvirtd.uri(), "migrate", "a", "--live", "--unsafe"]);
        virsh.args(["--desturi", &to.libvirtd.uri(), "--migrateuri", &by]);
        Process::start(virsh.args(options), to.host.path().join("virsh.log"))
    }
}

/// Waits until the guest is on its new host, and goes on with it there.
pub(crate) fn arrive(mut virsh: Process, guest: &mut DomainGuest) -> Result<()> {
    let end = virsh.wait(PATIENCE)?;
    ensure!(end.success(), "{}", virsh.log());
    guest.go_on()
}
