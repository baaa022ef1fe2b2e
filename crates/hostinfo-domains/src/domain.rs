//! A guest as libvirt describes it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::iotune::Limits;
use crate::names::Names;

/// What is known of a domain without asking its hypervisor. Changes are told by events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Stays when the domain is renamed.
    pub uuid: Uuid,
    /// Any text; cut at [`NAME_MAX`](crate::limits::NAME_MAX) bytes.
    pub name: String,
    /// `qemu` for libvirt's types `kvm` and `qemu`; else libvirt's type, such as `xen` or `lxc`.
    pub driver: String,
    /// Its vCPUs run on KVM: libvirt's type `kvm`.
    pub is_kvm: bool,
    /// libvirt's number for this run of the domain; `None` while it is not live.
    pub id: Option<u32>,
    /// What it does.
    pub state: State,
    /// It is being moved to another host.
    pub migrating: bool,
    /// vCPUs that are online.
    pub vcpus: u64,
    /// vCPUs that it may have.
    pub vcpus_max: u64,
    /// The names that its XML has in hostinfo's directories.
    pub names: Names,
    /// Where its channel for vhostmd's clients is, if libvirt has chosen the place and the daemon
    /// wants to know.
    pub channel: Option<String>,
    /// Why its XML cannot be read: then nobody knows which sockets are its own, nor its driver.
    pub unread: Option<String>,
}

impl Domain {
    /// Whether it has a process: running, paused, and what is between these and its end.
    pub fn is_live(&self) -> bool {
        self.id.is_some()
    }

    /// The name that its socket must have: `$driver-$name`.
    pub fn socket_name(&self) -> String {
        format!("{}-{}", self.driver, self.name)
    }
}

/// What a domain does: virDomainState, as fine as matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its vCPUs may run.
    Running,
    /// Its host has paused it.
    Paused,
    /// It does not run yet, or here no more: it is being started, restored, or moved.
    Moving,
    /// It has put itself to sleep (S3).
    Asleep,
    /// It shuts down.
    ShuttingDown,
    /// It has crashed, and its process may be there still.
    Crashed,
    /// It is off.
    Off,
}

/// What its hypervisor has to be asked for, and is only asked for on request. What was not told,
/// as by a hypervisor that is busy, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Bytes that it has by its balloon.
    pub memory_current: Option<u64>,
    /// Bytes that it may have.
    pub memory_maximum: Option<u64>,
    /// A disk is being copied, merged or moved.
    pub block_job: Option<bool>,
    /// What KVM counts of each vCPU that is online: libvirt 8.9 and QEMU 7.1 tell it, or later ones.
    pub vcpus: Vec<Vcpu>,
    /// Nanoseconds that KVM polled for all vCPUs, where it is not told of each.
    pub halt_poll: Option<u64>,
    /// In the order of its XML.
    pub disks: Vec<Disk>,
    /// In the order of its XML.
    pub nets: Vec<Net>,
}

/// What KVM has counted of a vCPU since it was plugged in for the first time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vcpu {
    /// libvirt's number of it, from 0.
    pub number: u32,
    /// Exits of any kind.
    pub exits: Option<u64>,
    /// Exits for I/O ports.
    pub io_exits: Option<u64>,
    /// Exits for memory of devices.
    pub mmio_exits: Option<u64>,
    /// Exits for want of work.
    pub halt_exits: Option<u64>,
    /// Interrupts injected.
    pub irqs: Option<u64>,
    /// Nanoseconds polled before it was put to sleep.
    pub halt_poll: Option<u64>,
}

/// A disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its name in the XML's `<target dev=...>`, such as `vda`.
    pub dev: String,
    /// Reads.
    pub read: Io,
    /// Writes.
    pub write: Io,
    /// Flushes; they have no bytes.
    pub flush: Io,
    /// I/O errors that its hypervisor has reported in this run of the domain, since the helper began
    /// to listen.
    pub errors: Option<u64>,
    /// What it is limited to.
    pub limits: Limits,
}

/// Operations on a disk since the guest was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Io {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Operations.
    pub ops: Option<u64>,
    /// Nanoseconds that they took.
    pub nanos: Option<u64>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Net {
    /// Its place in the XML, from 0.
    pub number: u32,
    /// What came to the guest.
    pub rx: Traffic,
    /// What the guest sent.
    pub tx: Traffic,
    /// Bytes a second that may come to the guest, on average; 0 where it is not limited.
    pub rx_limit: Option<u64>,
    /// Bytes a second that the guest may send, on average; 0 where it is not limited.
    pub tx_limit: Option<u64>,
}

/// Traffic in one direction since the guest was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Packets.
    pub packets: Option<u64>,
    /// Packets that were dropped.
    pub drops: Option<u64>,
    /// Packets that had errors.
    pub errors: Option<u64>,
}
