//! The machine as QEMU's arguments: the same for booting and for restoring.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::image::Image;
use crate::process::tied;

/// How a guest reaches its host. Every machine has its console on the first serial port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// The second serial port, `/dev/ttyS1`.
    Serial,
    /// The same, to which the kernel writes its messages (`console=ttyS1`).
    Console,
    /// The virtio channel `/dev/virtio-ports/org.hostinfo.0`.
    Channel,
}

impl Port {
    /// The device name in the guest.
    pub fn device(self) -> &'static str {
        match self {
            Self::Serial | Self::Console => "/dev/ttyS1",
            Self::Channel => "/dev/virtio-ports/org.hostinfo.0",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Console => "console",
            Self::Channel => "channel",
        }
    }
}

/// What executes the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// The host's CPU.
    Kvm,
    /// QEMU itself; works everywhere.
    Tcg,
}

/// The names of QEMU's character devices, and of their sockets in a guest's folder.
pub(super) const CONSOLE: &str = "console";
pub(super) const MONITOR: &str = "monitor";
pub(super) const HOSTINFO: &str = "hostinfo";

/// The guest's kernel command line.
pub(super) const KERNEL: &str = "console=ttyS0 quiet loglevel=0 init_on_free=1";

/// The command that starts the machine. `folder` contains the sockets that the harness listens on;
/// on `socket`, QEMU itself listens for the daemon.
pub(super) fn command(
    image: &Image,
    folder: &Path,
    socket: &Path,
    port: Port,
    accel: Accel,
) -> Command {
    let mut command = tied("qemu-system-x86_64");
    command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
    command.args(["-machine", "q35", "-m", "128", "-smp", "1"]);
    match accel {
        Accel::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
        Accel::Tcg => command.args(["-accel", "tcg"]),
    };
    // libvirt makes QEMU name its threads, too.
    command.args(["-name", "guest,debug-threads=on"]);
    command.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&image.initramfs);
    let console = if port == Port::Console { "ttyS1" } else { "ttyS0" };
    command.arg("-append").arg(KERNEL.replace("ttyS0", console));
    for name in [CONSOLE, MONITOR] {
        command.arg("-chardev").arg(chardev(name, &folder.join(name), ""));
    }
    command.arg("-chardev").arg(chardev(HOSTINFO, socket, ",server=on,wait=off"));
    command.args(["-mon", "chardev=monitor,mode=control", "-serial", "chardev:console"]);
    match port {
        Port::Serial | Port::Console => command.args(["-serial", "chardev:hostinfo"]),
        Port::Channel => command.args([
            "-device",
            "virtio-serial-pci",
            "-device",
            "virtserialport,chardev=hostinfo,name=org.hostinfo.0",
        ]),
    };
    command
}

fn chardev(name: &str, path: &Path, rest: &str) -> String {
    // In QEMU's options, a comma in a value is doubled.
    let path = path.to_string_lossy().replace(',', ",,");
    format!("socket,id={name},path={path}{rest}")
}

/// The output of `qemu-system-x86_64 --version`: a saved state only fits the QEMU that made it.
pub(crate) fn qemu_version() -> Result<String> {
    let output = Command::new("qemu-system-x86_64")
        .arg("--version")
        .output()
        .context("there is no qemu-system-x86_64: `scripts/setup test` installs it")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
