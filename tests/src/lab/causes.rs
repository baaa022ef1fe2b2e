//! Makes a guest slow on purpose: loops that compete with it, and swap.

use anyhow::{Context as _, Result};

use super::{Lab, LabGuest};

/// Endless loops in the host, each in a service of its own. They end when this value is dropped.
#[derive(Debug)]
pub struct Busy<'a> {
    lab: &'a Lab,
    units: Vec<String>,
}

impl Lab {
    /// Starts a loop on each of these CPUs, as services with these options of `systemd-run`, such
    /// as `-p CPUWeight=300`.
    ///
    /// # Errors
    /// systemd refuses.
    pub fn busy_on(&self, cpus: &[u32], options: &str) -> Result<Busy<'_>> {
        let mut busy = Busy { lab: self, units: Vec::new() };
        for cpu in cpus {
            let unit = format!("busy-{}", self.next());
            self.sh(&format!(
                "systemd-run -q --collect --unit={unit} -p CPUAffinity={cpu} {options} \
                 sh -c 'while :; do :; done'"
            ))?;
            busy.units.push(unit);
        }
        Ok(busy)
    }

    /// Takes CPUs of the host offline.
    ///
    /// # Errors
    /// The kernel keeps one online.
    pub fn offline(&self, cpus: &[u32]) -> Result<()> {
        for cpu in cpus {
            self.sh(&format!("echo 0 > /sys/devices/system/cpu/cpu{cpu}/online"))?;
        }
        Ok(())
    }

    /// Adds that many MiB of swap, in a file.
    ///
    /// # Errors
    /// There is no room.
    pub fn swap(&self, size: u32) -> Result<()> {
        let file = format!("/var/swap-{}", self.next());
        self.sh(&format!(
            "fallocate -l {size}M {file} && chmod 600 {file} && mkswap -q {file} && swapon {file}"
        ))
        .map(drop)
    }

    /// Sets properties of a unit until the next boot, such as `machine.slice` to `CPUQuota=50%`.
    ///
    /// # Errors
    /// systemd refuses.
    pub fn set(&self, unit: &str, properties: &str) -> Result<()> {
        self.sh(&format!("systemctl set-property --runtime '{unit}' {properties}")).map(drop)
    }
}

impl Busy<'_> {
    /// Ends them.
    ///
    /// # Errors
    /// systemd does not answer.
    pub fn end(mut self) -> Result<()> {
        let units = std::mem::take(&mut self.units);
        self.lab.sh(&format!("systemctl stop {}", units.join(" "))).map(drop)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if !self.units.is_empty() {
            // If the host is gone, so are its loops.
            let _ = self.lab.run(&format!("systemctl stop {}", self.units.join(" ")));
        }
    }
}

impl LabGuest<'_> {
    /// The output of `virsh COMMAND` for this domain, such as `schedinfo` with `--live --set
    /// vcpu_quota=20000`.
    ///
    /// # Errors
    /// It fails, or the guest was not started by libvirt.
    pub fn virsh(&self, command: &str, arguments: &str) -> Result<String> {
        self.lab().virsh(&format!("{command} '{}' {arguments}", self.name()))
    }

    /// A figure of `virsh domstats`.
    ///
    /// # Errors
    /// libvirt does not know it.
    pub fn domstats(&self, name: &str) -> Result<f64> {
        let all = self.virsh("domstats", "")?;
        let mut lines = all.lines();
        let value = lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).with_context(|| format!("no {name} in {all}"))
    }

    /// The systemd unit of its VMM.
    ///
    /// # Errors
    /// There is none.
    pub fn unit(&self) -> Result<String> {
        let unit = self.lab().sh(&format!("ps -o unit= -p {}", self.pid()?))?;
        Ok(unit.trim().to_owned())
    }
}
