//! Causes for which a guest waits for its disk.

use anyhow::Result;
use hostinfo_tests::lab::{Spec, Work};

use crate::bench::{Bench, Cause, on};

const SLICE: &str = "/sys/fs/cgroup/machine.slice";

pub(crate) fn a_domain_is_told_whether_its_own_limit_or_the_hosts_disk_keeps_it_waiting(
    host: Spec,
) -> Result<()> {
    on(host, |lab| {
        let guest = lab.domain("d").on_cpus(&[1]).disk(64).boot()?;
        // What was never written is read without the host's disk.
        guest.sh("dd if=/dev/urandom of=/dev/vda bs=1M count=33 oflag=direct")?;
        let mut bench = Bench::new(lab, &guest, "io");
        let idle = Cause {
            name: "nothing: the guest leaves its disk alone",
            state: "ok",
            says: "completed no operation",
        };
        bench.judge(idle, || Ok(()), "")?;
        bench.work(Work::Disk)?;
        let busy = Cause {
            name: "nothing: the guest reads its disk",
            state: "ok",
            says: "answered in time",
        };
        bench.judge(busy, || Ok(()), "")?;
        let operations = Cause {
            name: "its own limit of operations, by `virsh blkdeviotune`",
            state: "self-limited",
            says: "your disk vda was at its own limit of 2 operations a second",
        };
        let limit = || guest.virsh("blkdeviotune", "vda --live --total-iops-sec 2");
        bench.judge(operations, limit, "virsh -q blkdeviotune d vda --live --total-iops-sec 0")?;
        bench.felt()?;
        let bytes = Cause {
            name: "its own limit of bytes, by `virsh blkdeviotune`",
            state: "self-limited",
            says: "your disk vda was at its own limit of 128.0 KiB a second",
        };
        let limit = || guest.virsh("blkdeviotune", "vda --live --total-bytes-sec 131072");
        bench.judge(bytes, limit, "virsh -q blkdeviotune d vda --live --total-bytes-sec 0")?;
        bench.felt()?;
        let cgroup = Cause {
            name: "its own limit of operations in its cgroup, by `virsh blkiotune`",
            state: "self-limited",
            says: "was held back by a limit of your own on the host's disks",
        };
        let limit = || guest.virsh("blkiotune", "--live --device-read-iops-sec /dev/vda,10");
        bench.judge(
            cgroup,
            limit,
            "virsh -q blkiotune d --live --device-read-iops-sec /dev/vda,0",
        )?;
        bench.felt()?;
        let around = Cause {
            name: "a limit of operations around it (io.max of its slice)",
            state: "contended",
            says: "was held back by a limit on the host's disks that your host sets around your guest",
        };
        let limit = |of: &str| {
            format!("echo \"$(lsblk -dno MAJ:MIN /dev/vda) riops={of}\" > {SLICE}/io.max")
        };
        bench.judge(around, || lab.sh(&limit("10")), &limit("max"))?;
        bench.felt()?;
        let slow = Cause {
            name: "the host's disk is slow",
            state: "contended",
            says: "was slow on the host",
        };
        bench.judge(slow, || lab.slow_disk(4), "")?;
        bench.felt()?;
        lab.slow_disk(0)?;
        bench.finish()
    })
}
