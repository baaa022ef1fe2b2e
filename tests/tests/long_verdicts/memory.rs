//! Causes for which a guest waits for memory.

use anyhow::Result;
use hostinfo_tests::lab::{self, BOOKWORM};

use crate::bench::{Bench, Cause, serve};

/// MiB of the guest, and what it keeps using of them.
const MEMORY: u32 = 448;
const USED: u32 = 300;

/// What the host lets it have, where it lets it have too little.
const TOO_LITTLE: &str = "300M";

#[test]
fn a_domain_is_told_whose_limit_it_has_reached_and_what_its_host_has_taken() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        serve(lab)?;
        lab.sh("dd if=/dev/zero of=/swap bs=1M count=900 status=none && chmod 600 /swap && \
             mkswap -q /swap && swapon /swap")?;
        let guest = lab.domain("m").on_cpus(&[1]).memory(MEMORY).boot()?;
        guest.sh(&format!(
            "mkdir -p /fill; mount -t tmpfs -o size=95% none /fill; \
             dd if=/dev/zero of=/fill/all bs=1M count={USED}"
        ))?;
        let cgroup = guest.cgroup()?;
        let scope = cgroup.split("/libvirt").next().unwrap_or_default();
        let slice = "/sys/fs/cgroup/machine.slice";
        let limit =
            |cgroup: &str, file: &str| format!("echo {TOO_LITTLE} > '{cgroup}/memory.{file}'");
        // All of it comes back before the next cause.
        let unlimit = |cgroup: &str, file: &str| {
            format!("echo max > '{cgroup}/memory.{file}'; swapoff /swap && swapon /swap")
        };
        let mut bench = Bench::new(lab, &guest, "memory", "memory");
        // Ten MiB after the other, again and again.
        bench.work(&format!(
            "dd if=/fill/all of=/dev/null bs=1M count=10 skip=$((i * 10 % {USED}))"
        ))?;
        bench.judge(Cause {
            name: "nothing: the guest uses most of its memory",
            make: ":",
            unmake: ":",
            state: "ok",
            says: "none of your memory is swapped out",
        })?;
        bench.judge(Cause {
            name: "its own limit, by `virsh memtune --soft-limit` (memory.high)",
            make: "virsh -q memtune m --live --soft-limit 300M",
            unmake: &unlimit(scope, "high"),
            state: "self-limited",
            says: "you reached your own memory limit",
        })?;
        bench.felt()?;
        bench.judge(Cause {
            name: "its own limit, by `virsh memtune --hard-limit` (memory.max)",
            make: "virsh -q memtune m --live --hard-limit 300M",
            unmake: &unlimit(scope, "max"),
            state: "self-limited",
            says: "you reached your own memory limit",
        })?;
        bench.felt()?;
        bench.judge(Cause {
            name: "a limit around it (memory.high of its slice)",
            make: &limit(slice, "high"),
            unmake: &unlimit(slice, "high"),
            state: "contended",
            says: "a memory limit that your host sets around your guest",
        })?;
        bench.felt()?;
        bench.judge(Cause {
            name: "the balloon has taken 48 MiB that it does not miss",
            make: "virsh -q setmem m 400M --live",
            unmake: "virsh -q setmem m 448M --live",
            state: "ok",
            says: "your host has taken back",
        })?;
        bench.rest()?;
        guest.sh("rm /fill/all; echo 0 >/work")?;
        bench.judge(Cause {
            name: "its own limit, while it uses hardly any memory",
            make: &format!("{}; sleep 10", limit(scope, "high")),
            unmake: &unlimit(scope, "high"),
            state: "ok",
            says: "hardly missed it",
        })?;
        bench.finish()
    })
}

#[test]
fn a_domain_whose_host_runs_out_of_memory_is_told_so() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        serve(lab)?;
        lab.sh("dd if=/dev/zero of=/swap bs=1M count=900 status=none && chmod 600 /swap && \
             mkswap -q /swap && swapon /swap")?;
        let guest = lab.domain("m").on_cpus(&[1]).memory(MEMORY).boot()?;
        guest.sh(&format!(
            "mkdir -p /fill; mount -t tmpfs -o size=95% none /fill; \
             dd if=/dev/zero of=/fill/all bs=1M count={USED}"
        ))?;
        let mut bench = Bench::new(lab, &guest, "memory", "memory of the host");
        bench.work(&format!(
            "dd if=/fill/all of=/dev/null bs=1M count=10 skip=$((i * 10 % {USED}))"
        ))?;
        // A neighbour that uses all that there is and 300 MiB more, and all of it again and again.
        let make = "mount -t tmpfs -o size=100% none /mnt && \
             free=$(awk '/MemAvailable/ { print int($2 / 1024) + 300 }' /proc/meminfo) && \
             dd if=/dev/zero of=/mnt/all bs=1M count=$free status=none && \
             { setsid sh -c 'while :; do dd if=/mnt/all of=/dev/null bs=1M status=none; done' \
                 >/dev/null 2>&1 </dev/null & }";
        bench.judge(Cause {
            name: "neighbours use more memory than the host has: it swaps",
            make,
            unmake: "pkill -f '^sh -c while :; do dd if=/mnt/all'; sleep 1; umount /mnt",
            state: "contended",
            says: "the host is short of memory",
        })?;
        bench.felt()?;
        bench.finish()
    })
}
