//! Guests started by hand in the host, without libvirt, as `docs/qemu.md` shows.

use anyhow::Result;

use super::guest::{How, KERNEL};
use super::payload::BOOT;
use super::{Lab, LabGuest};

/// Where QEMU is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a service of its own, with these options of `systemd-run`, such as `-p CPUQuota=40%`.
    Service(String),
    /// In a user's login session: a scope that contains everything started there.
    Session,
}

/// A guest started with QEMU's own command line: one vCPU, pinned with all of QEMU to a CPU that no
/// other guest uses, 128 MiB, and a hostinfo port as the second serial port.
#[derive(Debug)]
#[must_use]
pub struct HandPlan<'a> {
    lab: &'a Lab,
    name: String,
    place: Place,
    cpus: Vec<u32>,
    memory: u32,
    options: String,
}

/// The scope of a login session, if there is none yet: systemd creates it for its first process.
const SESSION: &str = "/sys/fs/cgroup/user.slice/session-lab.scope";

impl Lab {
    /// Plans a guest.
    pub fn by_hand(&self, name: &str, place: Place) -> HandPlan<'_> {
        let (name, cpus, options) = (name.to_owned(), Vec::new(), String::new());
        HandPlan { lab: self, name, place, cpus, memory: 128, options }
    }
}

impl<'a> HandPlan<'a> {
    /// Sets its CPU of the host, from 1.
    pub fn on_cpu(mut self, cpu: u32) -> Self {
        self.cpus = vec![cpu];
        self
    }

    /// Sets its memory in MiB.
    pub fn memory(mut self, memory: u32) -> Self {
        self.memory = memory;
        self
    }

    /// Adds options for QEMU.
    pub fn options(mut self, options: &str) -> Self {
        self.options = options.to_owned();
        self
    }

    /// Boots it.
    ///
    /// # Errors
    /// No CPU is free, or it does not boot.
    pub fn boot(self) -> Result<LabGuest<'a>> {
        let cpus = self.lab.free_cpus(&self.cpus, 1)?;
        let Self { lab, name, memory, options, .. } = self;
        let cpu = cpus.first().copied().unwrap_or_default();
        let console = format!("/run/lab/{name}.console");
        let qemu = format!(
            "taskset -c {cpu} qemu-system-x86_64 -accel kvm -machine q35 -m {memory} \
             -nodefaults -no-user-config -display none -name {name},debug-threads=on \
             -kernel {BOOT}/vmlinuz -initrd {BOOT}/initramfs -append '{KERNEL}' \
             -pidfile /run/lab/{name}.pid \
             -chardev socket,id=console,path={console},server=on,wait=off -serial chardev:console \
             -chardev socket,id=hostinfo,path=/var/lib/hostinfo/qemu-{name},server=on,wait=off \
             -device isa-serial,chardev=hostinfo,index=1 {options}"
        );
        let known = lab.known(&name, cpus, How::Hand)?;
        match self.place {
            Place::Service(properties) => lab.sh(&format!(
                "systemd-run -q --collect --unit=qemu-{name} -p UMask=0002 {properties} -- {qemu}"
            ))?,
            Place::Session => lab.sh(&format!(
                "[ -e {SESSION} ] || {{ systemd-run -q --scope --slice=user.slice \
                     --unit=session-lab.scope sleep infinity & }} >/dev/null 2>&1
                 until [ -e {SESSION} ]; do sleep 0.1; done
                 (echo 0 >{SESSION}/cgroup.procs; umask 002; \
                     exec setsid {qemu} </dev/null >/run/lab/{name}.log 2>&1) &"
            ))?,
        };
        lab.booted(known, &format!("UNIX-CONNECT:{console},retry=600,interval=0.1"))
    }
}
