//! A real guest as a domain of a libvirtd.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::console::Console;
use super::machine::KERNEL;
use super::saved::Cached;
use super::{Port, question};
use crate::deadline::{PATIENCE, wait_for};
use crate::libvirtd::Libvirtd;

/// A domain of 128 MiB with one of two vCPUs, a disk `vda`, an interface, and its hostinfo port
/// as the second serial port. It ends with its libvirtd.
#[derive(Debug)]
pub struct DomainGuest {
    console: Console,
    _image: Cached,
}

impl DomainGuest {
    /// Defines the domain, whose hostinfo socket is at `socket`, and boots it.
    ///
    /// # Errors
    /// libvirt refuses it, or it does not boot.
    pub fn boot(libvirtd: &Libvirtd, name: &str, socket: &Path) -> Result<Self> {
        let image = Cached::find()?;
        let console = libvirtd.folder().join(format!("{name}.console"));
        let disk = libvirtd.folder().join(format!("{name}.disk"));
        fs::write(&disk, vec![1; 4 << 20])?;
        let listener = UnixListener::bind(&console)?;
        listener.set_nonblocking(true)?;
        libvirtd.define_xml(&format!(
            "<domain type='qemu'>
              <name>{name}</name>
              <memory unit='MiB'>128</memory>
              <vcpu current='1'>2</vcpu>
              <os>
                <type arch='x86_64' machine='q35'>hvm</type>
                <kernel>{}</kernel>
                <initrd>{}</initrd>
                <cmdline>{KERNEL}</cmdline>
              </os>
              <features><acpi/></features>
              <devices>
                <disk type='file' device='disk'>
                  <driver name='qemu' type='raw'/>
                  <source file='{}'/>
                  <target dev='vda' bus='virtio'/>
                  <iotune><total_bytes_sec>7000000</total_bytes_sec></iotune>
                </disk>
                <interface type='ethernet'><model type='virtio'/></interface>
                <memballoon model='virtio'/>
                <serial type='unix'><source mode='connect' path='{}'/><target port='0'/></serial>
                <serial type='unix'><source mode='bind' path='{}'/><target port='1'/></serial>
              </devices>
            </domain>",
            image.image.kernel.display(),
            image.image.initramfs.display(),
            disk.display(),
            console.display(),
            socket.display(),
        ))?;
        libvirtd.virsh(&["start", name])?;
        let accepted = || Ok(listener.accept().ok().map(|(stream, _)| stream));
        let stream = wait_for("QEMU to connect", PATIENCE, accepted)?;
        stream.set_nonblocking(false)?;
        let mut console = Console::new(stream);
        let booted = console.wait_for_boot(PATIENCE);
        booted.with_context(|| format!("the guest said:\n{}", console.said()))?;
        Ok(Self { console, _image: image })
    }

    /// Asks the host, as [`Guest::ask`](super::Guest::ask) does.
    ///
    /// # Errors
    /// No whole reply comes.
    pub fn ask(&mut self, request: &str) -> Result<Vec<String>> {
        let output = self.console.run(&question(Port::Serial, request), PATIENCE)?;
        if output.status != 0 {
            bail!("no reply to {request:?}: {output:?}");
        }
        Ok(output.stdout.lines().map(str::to_owned).collect())
    }

    /// Asks again and again until the reply's first line begins so.
    ///
    /// # Errors
    /// It never does.
    pub fn ask_until(&mut self, request: &str, begins: &str) -> Result<Vec<String>> {
        let mut last = Vec::new();
        let reply = wait_for(begins, PATIENCE, || {
            last = self.ask(request)?;
            let is_it = last.first().is_some_and(|line| line.starts_with(begins));
            Ok(is_it.then(|| last.clone()))
        });
        reply.with_context(|| format!("the last reply to {request:?} was {last:?}"))
    }
}
