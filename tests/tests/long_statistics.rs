//! Whether docs/statistics.md tells rightly which statistics were never seen on a real host: a KVM guest
//! on a host with two NUMA nodes, swap, huge pages, and pages that are merged is told all others.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_catalog::STATS;
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, Lab, LabGuest, PATIENCE};

/// The instances that the guest has of a row's.
const INSTANCES: [&str; 4] = ["0", "1", "vda", "own"];

/// What the host has none of by itself, and which this scenario gives it: these have to be told as more
/// than nothing.
const MADE: [&str; 14] = [
    "memory.hugepages.total",
    "memory.hugepages.free",
    "memory.hugepages.reserved",
    "memory.hugepages.surplus",
    "memory.ksm.saved",
    "swap.total",
    "swap.free",
    "swap.in",
    "swap.out",
    "vm.memory.swapped",
    "vm.numa.local",
    "vm.cpu.throttled",
    "vm.paused.seconds",
    "vm.memory.balloon.taken",
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
            Ok(!missing.iter().any(|name| MADE.contains(name)))
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
    let told: BTreeSet<&str> = reply
        .iter()
        .filter_map(|line| line.strip_prefix("200")?.get(1..)?.split_once('='))
        .filter(|(name, value)| *value != "0" || !MADE.contains(name))
        .map(|(name, _)| name)
        .collect();
    let has = |instance: Option<&str>, name: &str| {
        let row = STATS.iter().find(|stat| stat.name == name);
        row.is_some_and(|stat| told.contains(&*stat.name_of(instance)))
    };
    missing.retain(|name| {
        let mut instances = INSTANCES.iter().map(|instance| Some(*instance));
        !has(None, name) && !instances.any(|instance| has(instance, name))
    });
}
