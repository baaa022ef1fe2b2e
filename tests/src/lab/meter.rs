//! How much a guest gets done: the ground truth that a verdict is compared with.
//!
//! A loop in the guest's shell counts its work, and this side reads the count by its own clock,
//! since a guest's clock drifts. What the guest loses to other users of the machine that runs all
//! of this is not its host's doing, and is subtracted: see [`Meter::rate`].

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::LabGuest;

/// What a guest does repeatedly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Counts: takes a whole vCPU, and nothing else.
    Cpu,
    /// Writes to that many MiB of its memory in turn; a multiple of 10.
    Memory(u32),
    /// Reads its disk `vda` in blocks of 64 KiB, bypassing its cache.
    Disk,
}

/// MiB of memory that one program writes to.
const AT_ONCE: u32 = 10;

/// A working guest. It continues until [`Meter::end`].
#[derive(Debug)]
pub struct Meter<'a> {
    guest: &'a LabGuest<'a>,
}

impl<'a> LabGuest<'a> {
    /// Starts the work in the guest.
    ///
    /// # Errors
    /// It does not start.
    pub fn work(&'a self, work: Work) -> Result<Meter<'a>> {
        let step = match work {
            Work::Cpu => "i=0; while [ $i -lt 500 ]; do i=$((i + 1)); done".to_owned(),
            Work::Memory(size) => {
                self.sh(&format!(
                    "mkdir -p /work && mount -t tmpfs -o size={}m none /work",
                    size + 1
                ))?;
                // Starting a program takes longer than its writing, and all the memory must be
                // written again before there is a verdict.
                let at = format!("$((n * {AT_ONCE} % {size}))");
                format!(
                    "dd if=/dev/zero of=/work/it bs=1M count={AT_ONCE} seek={at} conv=notrunc \
                     2>/dev/null"
                )
            }
            Work::Disk => "dd if=/dev/vda of=/dev/null bs=64k count=1 iflag=direct \
                           skip=$((n % 512)) 2>/dev/null"
                .to_owned(),
        };
        self.sh(&format!(
            "(n=0; while :; do {step}; n=$((n + 1)); echo $n >/run/work; done) >/dev/null 2>&1 &
             echo $! >/run/worker; until [ -s /run/work ]; do sleep 0.1; done"
        ))?;
        Ok(Meter { guest: self })
    }
}

impl Meter<'_> {
    /// Work done per second, over that time. The seconds are those in which the machine below ran
    /// the host CPU that this guest has: the time that CPU waited is subtracted.
    ///
    /// # Errors
    /// The guest does not answer.
    pub fn rate(&self, over: Duration) -> Result<f64> {
        let (before, count) = (self.guest.lab().time_below(self.guest.cpu())?, self.count()?);
        let start = Instant::now();
        sleep(over);
        let done = self.count()? - count;
        let passed = start.elapsed().as_secs_f64();
        let after = self.guest.lab().time_below(self.guest.cpu())?;
        let (ran, waited) = (after.0 - before.0, after.1 - before.1);
        // If it never wanted to run, it did not wait either.
        let granted = if ran + waited > 0.0 { ran / (ran + waited) } else { 1.0 };
        ensure!(granted > 0.05, "the machine below is too busy: the host got {granted} of its CPU");
        Ok(done / passed / granted)
    }

    fn count(&self) -> Result<f64> {
        // The loop truncates the file each time before it writes.
        let text =
            self.guest.sh("until n=$(cat /run/work) && [ -n \"$n\" ]; do :; done; echo $n")?;
        text.trim().parse().with_context(|| text.clone())
    }

    /// Ends the work.
    ///
    /// # Errors
    /// The guest does not answer.
    pub fn end(self) -> Result<()> {
        self.guest.sh(
            "kill $(cat /run/worker); rm -f /run/work /work/it; umount /work 2>/dev/null; true",
        )?;
        Ok(())
    }
}

impl super::Lab {
    /// For how many seconds a CPU of the host ran on the machine below, and for how many it waited
    /// to run: the first two fields of its thread's schedstat, in nanoseconds
    /// (Documentation/scheduler/sched-stats.rst).
    fn time_below(&self, cpu: u32) -> Result<(f64, f64)> {
        let mut host = self.host.borrow_mut();
        let thread = host.thread_of_cpu(cpu)?;
        let file = format!("/proc/{}/task/{thread}/schedstat", host.qemu.pid());
        let text = fs::read_to_string(&file).with_context(|| file.clone())?;
        let mut fields = text.split_whitespace().map(|field| field.parse::<f64>().map(|n| n / 1e9));
        let (Some(ran), Some(waited)) = (fields.next(), fields.next()) else {
            anyhow::bail!("{file}: {text}")
        };
        Ok((ran?, waited?))
    }
}
