//! Guests started by the host's libvirt.

use anyhow::Result;

use super::guest::{How, KERNEL};
use super::payload::BOOT;
use super::{Lab, LabGuest};
use crate::guest::serial;
use crate::libvirtd::escaped;

/// A KVM domain that can be changed before it is booted: one vCPU, pinned to a CPU that no other
/// guest uses, 128 MiB, and a hostinfo port as the second serial port.
#[derive(Debug)]
#[must_use]
pub struct DomainPlan<'a> {
    lab: &'a Lab,
    name: String,
    cpus: Vec<u32>,
    vcpus: usize,
    memory: u32,
    disk: Option<u32>,
    has_iothread: bool,
    has_port: bool,
    elements: String,
    devices: String,
}

impl Lab {
    /// Plans a domain.
    pub fn domain(&self, name: &str) -> DomainPlan<'_> {
        DomainPlan {
            lab: self,
            name: name.to_owned(),
            cpus: Vec::new(),
            vcpus: 1,
            memory: 128,
            disk: None,
            has_iothread: false,
            has_port: true,
            elements: String::new(),
            devices: String::new(),
        }
    }
}

impl<'a> DomainPlan<'a> {
    /// Sets its CPUs of the host, from 1: one for each vCPU.
    pub fn on_cpus(mut self, cpus: &[u32]) -> Self {
        cpus.clone_into(&mut self.cpus);
        self.vcpus = cpus.len();
        self
    }

    /// Sets its memory in MiB.
    pub fn memory(mut self, memory: u32) -> Self {
        self.memory = memory;
        self
    }

    /// Adds a disk `vda` of that many MiB.
    pub fn disk(mut self, size: u32) -> Self {
        self.disk = Some(size);
        self
    }

    /// Its disk is served by the first iothread, which [`Self::with`] must have created.
    pub fn iothread(mut self) -> Self {
        self.has_iothread = true;
        self
    }

    /// Leaves out the hostinfo port, for `hostinfoctl enable` to create.
    pub fn without_port(mut self) -> Self {
        self.has_port = false;
        self
    }

    /// Adds elements to the domain, other than devices.
    pub fn with(mut self, elements: &str) -> Self {
        self.elements.push_str(elements);
        self
    }

    /// Adds devices.
    pub fn devices(mut self, devices: &str) -> Self {
        self.devices.push_str(devices);
        self
    }

    /// Defines it without starting it.
    ///
    /// # Errors
    /// libvirt refuses it, or no CPU is free.
    pub fn define(&mut self) -> Result<()> {
        self.cpus = self.lab.free_cpus(&self.cpus, self.vcpus)?;
        let name = &self.name;
        if let Some(size) = self.disk {
            let disk = self.disk_file();
            self.lab.sh(&format!("qemu-img create -q -f qcow2 '{disk}' {size}M"))?;
        }
        let file = format!("/run/lab/{name}.xml");
        self.lab.write(&file, &self.xml()?)?;
        self.lab.virsh(&format!("define '{file}'")).map(drop)
    }

    /// Defines it and boots it.
    ///
    /// # Errors
    /// libvirt refuses it, no CPU is free, or it does not boot.
    pub fn boot(mut self) -> Result<LabGuest<'a>> {
        self.define()?;
        self.start()
    }

    /// Boots the defined domain.
    ///
    /// # Errors
    /// libvirt refuses it, or it does not boot.
    pub fn start(&self) -> Result<LabGuest<'a>> {
        let name = &self.name;
        let known = self.lab.known(name, self.cpus.clone(), How::Libvirt)?;
        self.lab.virsh(&format!("start '{name}'"))?;
        let console = self.lab.virsh(&format!("ttyconsole '{name}'"))?;
        self.lab.booted(known, &format!("{},rawer", console.trim()))
    }

    fn disk_file(&self) -> String {
        format!("/var/lib/libvirt/images/{}.qcow2", self.name)
    }

    fn xml(&self) -> Result<String> {
        let name = &self.name;
        let port = match self.has_port {
            true => serial(format!("/var/lib/hostinfo/qemu-{name}").as_ref())?,
            false => String::new(),
        };
        let iothread = if self.has_iothread { "iothread='1'" } else { "" };
        let disk = match self.disk {
            Some(_) => format!(
                "<disk type='file' device='disk'>
                 <driver name='qemu' type='qcow2' cache='none' {iothread}/>
                 <source file='{}'/><target dev='vda' bus='virtio'/></disk>",
                escaped(&self.disk_file())
            ),
            None => String::new(),
        };
        let cpus: Vec<String> = self.cpus.iter().map(u32::to_string).collect();
        let Self { memory, vcpus, elements, devices, .. } = self;
        Ok(format!(
            "<domain type='kvm'>
              <name>{}</name>
              <memory unit='MiB'>{memory}</memory>
              <vcpu cpuset='{}'>{vcpus}</vcpu>
              <os>
                <type arch='x86_64' machine='q35'>hvm</type>
                <kernel>{BOOT}/vmlinuz</kernel>
                <initrd>{BOOT}/initramfs</initrd>
                <cmdline>{KERNEL}</cmdline>
              </os>
              <features><acpi/></features>
              {elements}
              <devices>
                {disk}
                <memballoon model='virtio'/>
                <serial type='pty'><target port='0'/></serial>
                {port}
                {devices}
              </devices>
            </domain>",
            escaped(name),
            cpus.join(","),
        ))
    }
}
