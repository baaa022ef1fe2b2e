//! Causes for which a guest waits for its disk.

use anyhow::Result;
use hostinfo_tests::lab::{self, BOOKWORM};

use crate::bench::{Bench, Cause, serve};

/// A write of 64 KiB.
const WRITE: &str = "dd if=/dev/zero of=/dev/vda bs=64k count=1 seek=$((i % 900)) oflag=direct";

#[test]
fn a_domain_is_told_whether_its_own_limit_or_the_hosts_disk_keeps_it_waiting() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        serve(lab)?;
        let guest = lab.domain("d").on_cpus(&[1]).disk(64).boot()?;
        let mut bench = Bench::new(lab, &guest, "io", "io");
        guest.sh("dd if=/dev/zero of=/dev/vda bs=1M count=60 oflag=direct; echo 0 >/work")?;
        bench.judge(Cause {
            name: "nothing: the guest leaves its disk alone",
            make: ":",
            unmake: ":",
            state: "ok",
            says: "completed no operation",
        })?;
        bench.work(WRITE)?;
        bench.judge(Cause {
            name: "nothing: the guest writes to its disk",
            make: ":",
            unmake: ":",
            state: "ok",
            says: "answered in time",
        })?;
        bench.judge(Cause {
            name: "its own limit of operations, by `virsh blkdeviotune`",
            make: "virsh -q blkdeviotune d vda --live --total-iops-sec 2",
            unmake: "virsh -q blkdeviotune d vda --live --total-iops-sec 0",
            state: "self-limited",
            says: "your disk vda was at its own limit of 2 operations a second",
        })?;
        bench.felt()?;
        bench.judge(Cause {
            name: "its own limit of bytes, by `virsh blkdeviotune`",
            make: "virsh -q blkdeviotune d vda --live --total-bytes-sec 131072",
            unmake: "virsh -q blkdeviotune d vda --live --total-bytes-sec 0",
            state: "self-limited",
            says: "your disk vda was at its own limit of 128.0 KiB a second",
        })?;
        bench.felt()?;
        // The disk of the host itself: below it, in the emulation.
        lab.slow_disk(2)?;
        bench.judge(Cause {
            name: "the host's disk is slow",
            make: ":",
            unmake: ":",
            state: "contended",
            says: "was slow on the host",
        })?;
        lab.slow_disk(0)?;
        bench.finish()
    })
}
