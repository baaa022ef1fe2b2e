//! A real guest that is a domain of a libvirtd.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::console::Console;
use super::machine::KERNEL;
use super::saved::Cached;
use super::{ANSWER, Output, Port, question};
use crate::deadline::{PATIENCE, ask_until, wait_for};
use crate::libvirtd::{Libvirtd, escaped, path};

/// A domain that is off: 128 MiB, one of two vCPUs online, a disk `vda` of 64 MiB with an iothread,
/// and an interface.
#[derive(Debug)]
pub struct Domain {
    name: String,
    console: UnixListener,
}

/// The same, booted. It ends with its libvirtd.
#[derive(Debug)]
pub struct DomainGuest {
    domain: Domain,
    console: Console,
}

/// A hostinfo port, as the second serial port, whose socket is at `path`.
///
/// # Errors
/// The path is not text.
pub fn serial(socket: &Path) -> Result<String> {
    serial_at(1, socket)
}

/// The same for any serial port but the first, which is number 0.
///
/// # Errors
/// The path is not text.
pub fn serial_at(port: u32, socket: &Path) -> Result<String> {
    let socket = escaped(path(socket)?);
    Ok(format!(
        "<serial type='unix'><source mode='bind' path='{socket}'/><target port='{port}'/></serial>"
    ))
}

impl Domain {
    /// Defines the domain, with these devices in addition to its own.
    ///
    /// # Errors
    /// libvirt refuses it.
    pub fn define(libvirtd: &Libvirtd, name: &str, devices: &str) -> Result<Self> {
        let image = Cached::find()?;
        let stem = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let folder = libvirtd.folder();
        let file = |kind: &str| folder.join(format!("{stem}.{kind}"));
        // libvirt makes QEMU's user the owner of a domain's files, and it must not own those in the
        // cache.
        fs::copy(&image.image.kernel, file("kernel"))?;
        fs::copy(&image.image.initramfs, file("initramfs"))?;
        let made = Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2"])
            .args([file("disk").as_os_str(), "64M".as_ref()])
            .status()
            .context("there is no qemu-img: `scripts/setup test` installs it")?;
        ensure!(made.success(), "qemu-img: {made}");
        let console = UnixListener::bind(file("console"))?;
        fs::set_permissions(file("console"), fs::Permissions::from_mode(0o777))?;
        console.set_nonblocking(true)?;
        let stem = folder.join(&stem);
        let stem = stem.display();
        let xml = format!(
            "<domain type='qemu'>
              <name>{}</name>
              <memory unit='MiB'>128</memory>
              <vcpu current='1'>2</vcpu>
              <iothreads>1</iothreads>
              <os>
                <type arch='x86_64' machine='q35'>hvm</type>
                <kernel>{stem}.kernel</kernel>
                <initrd>{stem}.initramfs</initrd>
                <cmdline>{KERNEL}</cmdline>
              </os>
              <features><acpi/></features>
              <devices>
                <disk type='file' device='disk'>
                  <driver name='qemu' type='qcow2' iothread='1'/>
                  <source file='{stem}.disk'/>
                  <target dev='vda' bus='virtio'/>
                  <iotune>
                    <total_bytes_sec>7000000</total_bytes_sec><total_iops_sec>900</total_iops_sec>
                  </iotune>
                </disk>
                <interface type='ethernet'><model type='virtio'/></interface>
                <memballoon model='virtio'/>
                <serial type='unix'>
                  <source mode='connect' path='{stem}.console'/><target port='0'/>
                </serial>
                {devices}
              </devices>
            </domain>",
            escaped(name),
        );
        fs::write(file("xml"), xml)?;
        libvirtd.virsh(&["define", &format!("{stem}.xml")])?;
        Ok(Self { name: name.to_owned(), console })
    }

    /// Boots it.
    ///
    /// # Errors
    /// libvirt refuses it, or it does not boot.
    pub fn boot(self, libvirtd: &Libvirtd) -> Result<DomainGuest> {
        let console = self.start(libvirtd, &self.name)?;
        Ok(DomainGuest { domain: self, console })
    }

    /// Starts it under that name, and waits until it has booted.
    fn start(&self, libvirtd: &Libvirtd, name: &str) -> Result<Console> {
        libvirtd.virsh(&["start", name])?;
        let mut console = self.connect()?;
        let booted = console.wait_for_boot(PATIENCE);
        booted.with_context(|| format!("the guest said:\n{}", console.said()))?;
        Ok(console)
    }

    /// The same domain, after libvirt has renamed it.
    pub fn renamed(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Connects to the console of the QEMU that was started last.
    fn connect(&self) -> Result<Console> {
        let accepted = || Ok(self.console.accept().ok().map(|(stream, _)| stream));
        let stream = wait_for("QEMU to connect", PATIENCE, accepted)?;
        stream.set_nonblocking(false)?;
        Ok(Console::new(stream))
    }
}

impl DomainGuest {
    /// Defines a domain whose hostinfo socket is at `socket`, and boots it.
    ///
    /// # Errors
    /// libvirt refuses it, or it does not boot.
    pub fn boot(libvirtd: &Libvirtd, name: &str, socket: &Path) -> Result<Self> {
        Domain::define(libvirtd, name, &serial(socket)?)?.boot(libvirtd)
    }

    /// The domain, once libvirt has ended its QEMU.
    pub fn off(self) -> Domain {
        self.domain
    }

    /// Continues with the same guest in another QEMU, after it was restored.
    ///
    /// # Errors
    /// There is no other QEMU.
    pub fn go_on(&mut self) -> Result<()> {
        self.console = self.domain.connect()?;
        Ok(())
    }

    /// Boots a domain with the same disks, for instance this one under another name. This one is
    /// off.
    ///
    /// # Errors
    /// libvirt refuses it, or it does not boot.
    pub fn boot_as(&mut self, libvirtd: &Libvirtd, name: &str) -> Result<()> {
        self.console = self.domain.start(libvirtd, name)?;
        Ok(())
    }

    /// Runs a command in the guest's shell.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn run(&mut self, command: &str) -> Result<Output> {
        self.console.run(command, PATIENCE)
    }

    /// Asks the host, as [`Guest::ask`](super::Guest::ask) does.
    ///
    /// # Errors
    /// No complete reply arrives.
    pub fn ask(&mut self, request: &str) -> Result<Vec<String>> {
        self.ask_by(Port::Serial, request)
    }

    /// [`Self::ask`] over another port.
    ///
    /// # Errors
    /// No complete reply arrives.
    pub fn ask_by(&mut self, port: Port, request: &str) -> Result<Vec<String>> {
        let output = self.run(&question(port, request, ANSWER))?;
        if output.status != 0 {
            bail!("no reply to {request:?}: {output:?}");
        }
        Ok(output.stdout.lines().map(str::to_owned).collect())
    }

    /// Asks repeatedly until the reply's first line begins with `begins`. There is no reply as long
    /// as nobody is connected.
    ///
    /// # Errors
    /// It never does.
    pub fn ask_until(&mut self, request: &str, begins: &str) -> Result<Vec<String>> {
        ask_until(request, begins, PATIENCE, |request| self.ask(request))
    }
}
