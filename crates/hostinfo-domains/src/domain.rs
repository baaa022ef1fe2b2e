//! A guest as libvirt describes it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::iotune::Limits;
use crate::names::Names;
use crate::tags::Tags;

/// What is known about a domain without asking its hypervisor. Events report changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Stays the same when the domain is renamed.
    pub uuid: Uuid,
    /// What its devices and QEMU's arguments have instead of [`Domain::uuid`]: `<hwuuid>` of libvirt
    /// 11.7 and later.
    pub hwuuid: Option<Uuid>,
    /// Any text; cut at [`NAME_MAX`](crate::limits::NAME_MAX) bytes.
    pub name: String,
    /// `qemu` for libvirt's types `kvm` and `qemu`; otherwise libvirt's type, such as `xen` or
    /// `lxc`.
    pub driver: String,
    /// Whether its vCPUs run on KVM: libvirt's type `kvm`.
    pub is_kvm: bool,
    /// libvirt's number for this run of the domain; `None` unless it is live.
    pub id: Option<u32>,
    /// Its current state.
    pub state: State,
    /// Whether it is being moved to another host.
    pub migrating: bool,
    /// vCPUs that are online.
    pub vcpus: u64,
    /// The most vCPUs it may have.
    pub vcpus_max: u64,
    /// The names in hostinfo's directories that its XML mentions.
    pub names: Names,
    /// The path of its channel for vhostmd's clients, if libvirt has chosen the path and the daemon
    /// wants to know it.
    pub channel: Option<String>,
    /// Its address on vsock(7); `None` if it has none, or libvirt has not given it one yet.
    pub cid: Option<u32>,
    /// Its tags except its UUID; for a live domain, those of its run.
    pub tags: Tags,
    /// Why its XML cannot be read. Its driver, its sockets and its tags are then unknown.
    pub unread: Option<String>,
}

impl Domain {
    /// Whether it has a process: it is running, paused, or on its way to its end.
    pub fn is_live(&self) -> bool {
        self.id.is_some()
    }

    /// The same, and that it has this `socket`'s name still: between two runs, it may be given another.
    pub fn is_live_at(&self, socket: &str) -> bool {
        self.is_live() && self.socket_name() == socket
    }

    /// The name that its socket must have: `$driver-$name`.
    pub fn socket_name(&self) -> String {
        format!("{}-{}", self.driver, self.name)
    }
}

/// The state of a domain: virDomainState, as far as the differences matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its vCPUs may run.
    Running,
    /// The host has paused it.
    Paused,
    /// It does not run yet, or no longer runs here: it is being started, restored, or moved.
    Moving,
    /// It has put itself to sleep (S3).
    Asleep,
    /// It is shutting down.
    ShuttingDown,
    /// It has crashed; its process may still exist.
    Crashed,
    /// It is off.
    Off,
}

/// Figures that only the hypervisor knows, which is asked only on request. A value that was not
/// reported, for instance because the hypervisor is busy, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Bytes of memory the balloon currently leaves it.
    pub memory_current: Option<u64>,
    /// The most bytes it may have.
    pub memory_maximum: Option<u64>,
    /// Whether a disk is being copied, merged or moved.
    pub block_job: Option<bool>,
    /// KVM's counters for each vCPU that is online: reported by libvirt 8.9 and QEMU 7.1, or later.
    pub vcpus: Vec<Vcpu>,
    /// Nanoseconds that KVM polled for all vCPUs together, if they are not reported for each.
    pub halt_poll: Option<u64>,
    /// In the order of its XML.
    pub disks: Vec<Disk>,
    /// In the order of its XML.
    pub nets: Vec<Net>,
}

/// What KVM has counted for a vCPU since it was first plugged in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vcpu {
    /// libvirt's number for it, from 0.
    pub number: u32,
    /// Exits of any kind.
    pub exits: Option<u64>,
    /// Exits for I/O ports.
    pub io_exits: Option<u64>,
    /// Exits for device memory.
    pub mmio_exits: Option<u64>,
    /// Exits because there was nothing to do.
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
    /// How often an I/O error on it has paused the domain in this run, since the helper began
    /// listening.
    pub errors: Option<u64>,
    /// Its limits.
    pub limits: Limits,
}

/// Operations on a disk since the guest was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Io {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Operations.
    pub ops: Option<u64>,
    /// Nanoseconds they took.
    pub nanos: Option<u64>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Net {
    /// Its place in the XML, from 0.
    pub number: u32,
    /// Received by the guest.
    pub rx: Traffic,
    /// Sent by the guest.
    pub tx: Traffic,
    /// Bytes a second that the guest may receive on average; 0 if unlimited.
    pub rx_limit: Option<u64>,
    /// Bytes a second that the guest may send on average; 0 if unlimited.
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
