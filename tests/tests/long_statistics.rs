//! Whether docs/statistics.md tells rightly which statistics were never seen on a real host: a KVM guest
//! on a host with two NUMA nodes, swap, huge pages, and pages that are merged is told all others.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_catalog::STATS;
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, Lab, LabGuest, PATIENCE};

/// The instances that the guest has of a row's.
const INSTANCES: [&str; 4] = ["0", "1", "vda", "own"];

/// What the host, or the guest, has none of: an emulation without steal, interfaces without traffic in a guest
/// that has no driver for them, nothing that fails. Of all other rows, 0 does not count as a value.
const NONE_HERE: [&str; 23] = [
    // Every rule says 0.
    "interval",
    "cpu.steal",
    "cpu.seconds.nice",
    "cpu.seconds.irq",
    "cpu.seconds.steal",
    "reclaim.stalls",
    "oom.kills",
    "net.rx.drops",
    "net.rx.errors",
    "net.tx.drops",
    "net.tx.errors",
    // `tests/tests/long_figures.rs` has a guest whose memory is far from it.
    "vm.numa.remote",
    "vm.disk.DEV.errors",
    "vm.net.N.rx.bytes",
    "vm.net.N.rx.packets",
    "vm.net.N.rx.drops",
    "vm.net.N.rx.errors",
    "vm.net.N.tx.bytes",
    "vm.net.N.tx.packets",
    "vm.net.N.tx.drops",
    "vm.net.N.tx.errors",
    "vm.migrating",
    "vm.blockjob",
];

/// What it takes half of the guest's memory swapped out and in to have.
const BY_SWAPPING: [&str; 6] = [
    "memory.ksm.saved",
    "swap.in",
    "swap.out",
    "vm.memory.swapped",
    "vm.numa.local",
    "vm.cpu.throttled",
];

/// Eight huge pages, half of them lent, for a QEMU that does not touch them; a scan for equal pages; and
/// what the administrator adds.
const HOST: &str = "echo 4 >/proc/sys/vm/nr_hugepages; echo 8 >/proc/sys/vm/nr_overcommit_hugepages
    systemd-run -q qemu-system-x86_64 -machine none -nodefaults -display none -S \
        -object memory-backend-memfd,id=m,size=16M,hugetlb=on
    cd /sys/kernel/mm/ksm && echo 5000 >pages_to_scan && echo 20 >sleep_millisecs && echo 1 >run
    sed -i \"/^\\[labels\\]/a own = 'label'\" /etc/hostinfo/hostinfod.toml
    cat >/etc/hostinfo/custom.d/own.toml <<'END'
[custom.own]
kind = 'gauge'
help = 'seven'
command = ['/bin/echo', '7']
END";

const DEVICES: &str = "<interface type='ethernet'><model type='virtio'/>\
    <bandwidth><inbound average='1000'/><outbound average='1000'/></bandwidth></interface>";

fn guest(lab: &Lab) -> Result<LabGuest<'_>> {
    lab.domain("a").memory(192).disk(64).with("<iothreads>1</iothreads>").devices(DEVICES).boot()
}

#[test]
fn every_statistic_that_is_not_listed_as_unseen_has_a_value_for_a_guest_of_kvms() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        lab.sh(HOST)?;
        lab.swap(512)?;
        lab.serve(EVERYTHING)?;
        lab.sh("hostinfoctl notice set '*' text --kind maintenance")?;
        let guest = guest(lab)?;
        guest.virsh("schedinfo", "--live --set vcpu_quota=80000")?;
        guest.virsh("blkdeviotune", "vda --live --total-bytes-sec 7000000 --total-iops-sec 500")?;
        guest.ask_until("vm.uuid", "200 ")?;

        let mut missing: BTreeSet<&str> = STATS
            .iter()
            .filter(|stat| stat.source.unseen().is_none())
            .map(|stat| stat.name)
            .collect();
        let all = missing.len();
        guest.virsh("suspend", "")?;
        sleep(Duration::from_secs(2));
        guest.virsh("resume", "")?;
        guest.virsh("setmem", "--live --size 176M")?;
        wait_until("what a pause and the balloon took", PATIENCE, || {
            strike(&mut missing, &guest.ask("*")?);
            Ok(["vm.paused.seconds", "vm.memory.balloon.taken"]
                .iter()
                .all(|name| !missing.contains(name)))
        })?;
        // Else there would be too few equal pages to be merged.
        guest.virsh("setmem", "--live --size 192M")?;
        // Half of the guest's memory goes out, and comes in again.
        guest.sh(
            "mkdir -p /mnt; mount -t tmpfs -o size=100m none /mnt && dd if=/dev/urandom of=/mnt/it bs=1M count=90",
        )?;
        guest.virsh("memtune", "--live --hard-limit 122880")?;
        wait_until("what was made", PATIENCE, || {
            guest.sh("cat /mnt/it >/dev/null")?;
            strike(&mut missing, &guest.ask("*")?);
            Ok(!missing.iter().any(|name| BY_SWAPPING.contains(name)))
        })
        .with_context(|| format!("{missing:?}"))?;
        guest.virsh("memtune", "--live --hard-limit -1")?;
        // Two samples of 10 s that its own quota holds it back in are an incident.
        guest.virsh("schedinfo", "--live --set vcpu_quota=40000")?;
        guest.sh("(while :; do :; done) >/dev/null 2>&1 &")?;
        let told = wait_until("all statistics", PATIENCE, || {
            guest.sh("dd if=/dev/zero of=/dev/vda bs=64k count=4 conv=fsync")?;
            lab.sh("ping -c 1 -W 1 10.0.2.2 >/dev/null; true")?;
            strike(&mut missing, &guest.ask("*")?);
            Ok(missing.is_empty())
        });
        ensure!(told.is_ok(), "of {all} rows {missing:?} have no value, and are not listed");
        Ok(())
    })
}

/// Takes away those rows that a reply has values of.
fn strike(missing: &mut BTreeSet<&str>, reply: &[String]) {
    let told: BTreeMap<&str, &str> = reply
        .iter()
        .filter_map(|line| line.strip_prefix("200")?.get(1..)?.split_once('='))
        .collect();
    missing.retain(|name| {
        let Some(stat) = STATS.iter().find(|stat| stat.name == *name) else { return true };
        let instances = INSTANCES.iter().map(|instance| Some(*instance)).chain([None]);
        let is_told = |instance| {
            told.get(&*stat.name_of(instance))
                .is_some_and(|value| *value != "0" || NONE_HERE.contains(name))
        };
        !instances.into_iter().any(is_told)
    });
}
