//! The host as QEMU's arguments: the same for booting and for restoring.

use std::path::Path;
use std::process::Command;

use super::spec::Spec;
use crate::process::tied;

/// NUMA nodes, each with a socket of its own if there are CPUs for that.
const NODES: u32 = 2;

/// MiB, in equal parts on the nodes.
const MEMORY: u32 = 4096;

/// The most guests that can have a console while the host runs.
pub(super) const CONSOLES: usize = 12;

/// The names of QEMU's character devices, of their sockets in the folder and, with the prefix
/// `lab.`, of the ports in the host.
pub(super) const SHELL: &str = "shell";
pub(super) const MONITOR: &str = "monitor";

/// The same for the console with that number.
pub(super) fn console(number: usize) -> String {
    format!("console.{number}")
}

/// QEMU's name for the first disk.
pub(super) const DISK: &str = "virtio0";

/// The log of the host's kernel, in the folder.
pub(super) const SERIAL: &str = "serial.log";

/// The command that starts the host. `made` is the output of scripts/lab-root, `disk` a layer above
/// its disk, and `payload` the host's second disk. `folder` contains the sockets that the harness
/// listens on.
pub(super) fn command(
    spec: Spec,
    made: &Path,
    disk: &Path,
    payload: &Path,
    folder: &Path,
) -> Command {
    let mut command = tied("qemu-system-x86_64");
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    // With AMD's virtualization, which gives the host a /dev/kvm.
    command.args(["-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm"]);
    let sockets = spec.cpus.min(NODES);
    command.args(["-smp", &format!("{},sockets={sockets}", spec.cpus)]);
    command.args(["-m", &MEMORY.to_string()]);
    let first = |node: u32| (node * spec.cpus).div_ceil(NODES);
    for node in 0..NODES {
        let memory = MEMORY / NODES;
        command.args(["-object", &format!("memory-backend-ram,id=m{node},size={memory}M")]);
        // None if there is one CPU and this is the second node.
        let cpus: String =
            (first(node)..first(node + 1)).map(|cpu| format!(",cpus={cpu}")).collect();
        command.args(["-numa", &format!("node,nodeid={node},memdev=m{node}{cpus}")]);
    }
    let kernel = spec.kernel.name();
    command.arg("-kernel").arg(made.join(format!("vmlinuz-{kernel}")));
    command.arg("-initrd").arg(made.join(format!("initrd-{kernel}")));
    let lsm = spec.lsm.arguments();
    // With panic=-1 and -no-reboot, a panic of the host ends QEMU.
    let line = "root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.show_status=0 psi=1";
    command.args(["-append", &format!("{line} {lsm}")]);
    command.args(["-serial", &format!("file:{}", value(&folder.join(SERIAL)))]);
    // No data needs to survive a crash of this machine.
    let drive = |format: &str, path: &Path, rest: &str| {
        format!("if=virtio,cache=unsafe,format={format},file={}{rest}", value(path))
    };
    command.args(["-drive", &drive("qcow2", disk, "")]);
    command.args(["-drive", &drive("raw", payload, ",readonly=on")]);

    // A separate network with nothing but QEMU on it.
    command.args(["-nic", "user,restrict=on,model=virtio-net-pci"]);

    command.args(["-device", "virtio-serial-pci,max_ports=31"]);
    command.args(["-mon", "chardev=monitor,mode=control"]);
    for name in chardevs() {
        let path = value(&folder.join(&name));
        command.args(["-chardev", &format!("socket,id={name},path={path}")]);
        if name != MONITOR {
            command.args(["-device", &format!("virtserialport,chardev={name},name=lab.{name}")]);
        }
    }
    command
}

/// All character devices. QEMU connects to them in this order.
pub(super) fn chardevs() -> Vec<String> {
    let named = [MONITOR, SHELL].map(str::to_owned);
    named.into_iter().chain((0..CONSOLES).map(console)).collect()
}

/// A path in QEMU's options, where a comma in a value is doubled.
fn value(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}
