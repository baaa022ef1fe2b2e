//! Causes for which a guest waits for memory.

use anyhow::Result;
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::lab::{PATIENCE, Spec, Work};

use crate::bench::{Bench, Cause, on};

/// MiB of the guest, what it keeps using of them, and of swap in the host.
const MEMORY: u32 = 448;
const USED: u32 = 300;
const SWAP: u32 = 900;

/// KiB that the host lets it have where it lets it have too little.
const TOO_LITTLE: &str = "307200";

const SLICE: &str = "/sys/fs/cgroup/machine.slice";

/// All that is swapped out comes back before the next cause.
const BRING_BACK: &str =
    "file=$(awk 'NR == 2 { print $1 }' /proc/swaps); swapoff $file; swapon $file";

pub(crate) fn a_domain_is_told_whose_limit_it_has_reached_and_what_its_host_has_taken(
    host: Spec,
) -> Result<()> {
    on(host, |lab| {
        lab.swap(SWAP)?;
        let guest = lab.domain("m").on_cpus(&[1]).memory(MEMORY).boot()?;
        let mut bench = Bench::new(lab, &guest, "memory");
        bench.work(Work::Memory(USED))?;
        let nothing = Cause {
            name: "nothing: the guest uses most of its memory",
            state: "ok",
            says: "none of your memory is swapped out",
        };
        bench.judge(nothing, || Ok(()), "")?;
        let soft = Cause {
            name: "its own limit, by `virsh memtune --soft-limit` (memory.high)",
            state: "self-limited",
            says: "you reached your own memory limit",
        };
        let limit = || guest.virsh("memtune", &format!("--live --soft-limit {TOO_LITTLE}"));
        bench.judge(
            soft,
            limit,
            &format!("virsh -q memtune m --live --soft-limit -1; {BRING_BACK}"),
        )?;
        bench.felt()?;
        let hard = Cause {
            name: "its own limit, by `virsh memtune --hard-limit` (memory.max)",
            state: "self-limited",
            says: "you reached your own memory limit",
        };
        let limit = || guest.virsh("memtune", &format!("--live --hard-limit {TOO_LITTLE}"));
        bench.judge(
            hard,
            limit,
            &format!("virsh -q memtune m --live --hard-limit -1; {BRING_BACK}"),
        )?;
        bench.felt()?;
        let around = Cause {
            name: "a limit around it (memory.high of its slice)",
            state: "contended",
            says: "that your host sets around your guest",
        };
        let limit = || lab.sh(&format!("echo {TOO_LITTLE}K > {SLICE}/memory.high"));
        bench.judge(around, limit, &format!("echo max > {SLICE}/memory.high; {BRING_BACK}"))?;
        bench.felt()?;
        // Work that needs hardly any memory.
        bench.work(Work::Cpu)?;
        let unused = Cause {
            name: "its own limit, while it uses hardly any memory",
            state: "ok",
            says: "hardly missed it",
        };
        let limit = || guest.virsh("memtune", "--live --soft-limit 204800");
        bench.judge(
            unused,
            limit,
            &format!("virsh -q memtune m --live --soft-limit -1; {BRING_BACK}"),
        )?;
        // Whether a guest misses it is seen nowhere but in the guest.
        let balloon = Cause {
            name: "its balloon holds almost half of its memory, by `virsh setmem`",
            state: "unknown",
            says: "your host has taken back 192.0 MiB of your memory by its balloon",
        };
        let inflate = || {
            guest.virsh("setmem", "--live --size 256M")?;
            wait_until("the balloon", PATIENCE, || {
                Ok(guest.domstats("balloon.current")? <= f64::from(256 << 10))
            })
        };
        bench.judge(balloon, inflate, &format!("virsh -q setmem m --live --size {MEMORY}M"))?;
        bench.finish()
    })
}

pub(crate) fn a_domain_is_told_of_a_limit_around_it_and_another_guest(host: Spec) -> Result<()> {
    on(host, |lab| {
        lab.swap(SWAP)?;
        let guest = lab.domain("m").on_cpus(&[1]).memory(MEMORY).boot()?;
        let _second = lab.domain("n").on_cpus(&[2]).boot()?;
        let mut bench = Bench::new(lab, &guest, "memory");
        bench.work(Work::Memory(USED))?;
        let shared = Cause {
            name: "a limit around it and another guest (memory.high of their slice)",
            state: "contended",
            says: "that your host sets for several guests",
        };
        let limit = || lab.sh(&format!("echo {TOO_LITTLE}K > {SLICE}/memory.high"));
        bench.judge(shared, limit, &format!("echo max > {SLICE}/memory.high"))?;
        bench.felt()?;
        bench.finish()
    })
}

pub(crate) fn a_domain_whose_host_runs_out_of_memory_is_told_so(host: Spec) -> Result<()> {
    on(host, |lab| {
        lab.swap(SWAP)?;
        let guest = lab.domain("m").on_cpus(&[1]).memory(MEMORY).boot()?;
        let mut bench = Bench::new(lab, &guest, "memory");
        bench.work(Work::Memory(USED))?;
        let host = Cause {
            name: "neighbours use more memory than the host has: it swaps",
            state: "contended",
            says: "swapped out",
        };
        // All that there is and 300 MiB more: the pages of a ramfs cannot be swapped out, so others' are.
        let neighbour = || {
            lab.sh("mount -t ramfs none /mnt
                 size=$(awk '/MemAvailable/ { print int($2 / 1024) + 300 }' /proc/meminfo)
                 dd if=/dev/zero of=/mnt/all bs=1M count=$size status=none")
        };
        bench.judge(host, neighbour, "umount /mnt")?;
        bench.felt()?;
        // Where all was swapped out before the window began.
        bench.may_be_unknown();
        bench.finish()
    })
}
