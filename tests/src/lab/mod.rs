//! A real KVM host in a box: a Debian with systemd, libvirt, QEMU and hostinfo as installed by `make install`.
//! An emulation boots it that also emulates AMD's virtualization, so that its guests run on KVM. The machine
//! that runs this needs no /dev/kvm.
//!
//! A scenario is a function that receives a [`Lab`], and [`run`] runs it, once more if the emulation rather
//! than hostinfo has failed. The limits of the emulation are explained where they apply: one lab with guests
//! at a time (`saved.rs`), each guest on a CPU of its own (`guest.rs`), one guest under newer kernels (`spec.rs`). Clocks
//! in guests drift: ask for shares and counters, and measure time on this side.

mod attempt;
mod by_hand;
mod causes;
mod domain;
mod fault;
mod guest;
mod meter;
mod payload;
mod policy;
mod qemu;
mod remains;
mod saved;
mod service;
mod spec;
mod started;
mod verdict;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

pub use attempt::{run, run_with};
pub use by_hand::{HandPlan, Place};
pub use causes::Busy;
pub use domain::DomainPlan;
pub use fault::Fault;
pub use guest::LabGuest;
pub use meter::{Meter, Work};
pub use payload::{FILES, SOURCE};
pub use policy::METRICS_DISK;
pub use spec::{
    BOOKWORM, FOR_ONE_GUEST, Kernel, Lsm, SELINUX, Spec, Suite, TRIXIE, TRIXIE_AS_IT_COMES,
    WITHOUT_GUESTS,
};
pub use started::PATIENCE;
pub use verdict::Verdict;

use crate::deadline::wait_until;
use crate::guest::Output;
use guest::Known;
use payload::Payload;
use saved::{Folder, Saved};
use started::Started;

/// A running host with hostinfo installed, but its service not started. It ends when this value is dropped.
#[derive(Debug)]
pub struct Lab {
    spec: Spec,
    host: RefCell<Started>,
    guests: RefCell<Vec<Known>>,
    /// How many numbers have been given out.
    names: Cell<u32>,
    folder: Folder,
}

impl Lab {
    /// Restores a host with the current build, or makes one.
    fn start(spec: Spec, files: &[PathBuf]) -> Result<Self> {
        let folder = Folder::open(spec)?;
        let saved = Saved::find(&folder, spec)?;
        let run = folder.for_a_run()?;
        let payload = Payload::files(&run, files)?;
        let host = saved.restore(run, &payload)?;
        let lab = Self {
            spec,
            host: RefCell::new(host),
            guests: RefCell::default(),
            names: Cell::default(),
            folder,
        };
        lab.sh(&saved::set_clock()?)?;
        if !files.is_empty() {
            lab.sh("tar --no-overwrite-dir -xf /dev/vdb -C /")?;
        }
        Ok(lab)
    }

    /// Its specification.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// A number that is used for nothing else here.
    fn next(&self) -> u32 {
        self.names.replace(self.names.get() + 1)
    }

    /// The result of a shell command, run by root.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn run(&self, line: &str) -> Result<Output> {
        self.run_within(line, PATIENCE)
    }

    fn run_within(&self, line: &str, within: Duration) -> Result<Output> {
        let output = self.host.borrow_mut().shell.run(line, within);
        output.with_context(|| format!("run in the host: {line}"))
    }

    /// The output of a shell command that must succeed.
    ///
    /// # Errors
    /// It fails.
    pub fn sh(&self, line: &str) -> Result<String> {
        let output = self.run(line)?;
        if output.status != 0 {
            bail!("in the host {line:?} fails: {output:?}");
        }
        Ok(output.stdout)
    }

    /// The output of `virsh`.
    ///
    /// # Errors
    /// It fails.
    pub fn virsh(&self, arguments: &str) -> Result<String> {
        self.sh(&format!("virsh -q -c qemu:///system {arguments}"))
    }

    /// Writes a file, and creates its folders.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        const END: &str = "end of the file that a test writes";
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.sh(&format!(
            "mkdir -p '{path}' && rmdir '{path}'; cat >'{path}' <<'{END}'\n{text}{end}{END}"
        ))
        .map(drop)
    }

    /// Starts hostinfo with these rules, or makes it read them.
    ///
    /// # Errors
    /// The service does not start.
    pub fn serve(&self, rules: &str) -> Result<()> {
        self.write("/etc/hostinfo/hostinfo.conf", rules)?;
        self.sh("systemctl start hostinfo")
            .map(drop)
            .with_context(|| self.journal().unwrap_or_default())
    }

    /// The log of the service, and systemd's log about it.
    ///
    /// # Errors
    /// There is no journal.
    pub fn journal(&self) -> Result<String> {
        self.sh("journalctl --no-pager --output=cat --unit=hostinfo")
    }

    /// Limits the host's own disk to that many operations a second; 0 for no limit.
    ///
    /// # Errors
    /// The emulation refuses.
    pub fn slow_disk(&self, operations: u32) -> Result<()> {
        let limit = json!({
            "device": qemu::DISK, "iops": operations, "iops_rd": 0, "iops_wr": 0,
            "bps": 0, "bps_rd": 0, "bps_wr": 0,
        });
        self.host.borrow_mut().qmp.call("block_set_io_throttle", limit).map(drop)
    }

    /// Waits until a shell command succeeds.
    ///
    /// # Errors
    /// It never does.
    pub fn wait_until(&self, line: &str) -> Result<()> {
        wait_until(line, PATIENCE, || {
            std::thread::sleep(Duration::from_millis(200));
            Ok(self.run(line)?.status == 0)
        })
    }
}
