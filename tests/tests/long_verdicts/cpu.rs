//! Causes for which a guest waits for a CPU.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use hostinfo_tests::lab::{self, BOOKWORM, Lab, LabGuest, Place, Spec, TRIXIE};

use crate::bench::{Bench, Cause, serve};

/// A few milliseconds of arithmetic.
const SUM: &str = "j=0; while [ $j -lt 300 ]; do j=$((j + 1)); done";

/// A write of 64 KiB to a disk.
const WRITE: &str = "dd if=/dev/zero of=/dev/vda bs=64k count=1 seek=$((i % 900)) oflag=direct";

/// QEMU's own threads apart from the vCPU, which libvirt would have on its CPU: they serve the console
/// and the port by which it is asked.
const APART: &str = "<cputune><emulatorpin cpuset='3'/></cputune>";

/// Ends what [`busy`] has started.
const QUIET: &str = "pkill -f '^sh -c while :; do :; done' || :";

/// Keeps these CPUs of the host busy.
fn busy(cpus: &[u32]) -> String {
    let each = |cpu: &u32| {
        format!("setsid taskset -c {cpu} sh -c 'while :; do :; done' >/dev/null 2>&1 </dev/null & ")
    };
    cpus.iter().map(each).collect()
}

/// The cgroup that libvirt has made for the guest.
fn scope(guest: &LabGuest<'_>) -> Result<String> {
    let cgroup = guest.cgroup()?;
    Ok(cgroup.split("/libvirt").next().unwrap_or_default().to_owned())
}

fn limit(cgroup: &str) -> String {
    format!("echo '40000 100000' > '{cgroup}/cpu.max'")
}

fn unlimit(cgroup: &str) -> String {
    format!("echo max > '{cgroup}/cpu.max'")
}

#[test]
fn a_domain_is_told_whether_neighbours_or_limits_keep_it_waiting() -> Result<()> {
    lab::run(BOOKWORM, |lab| domain(lab, "cpu"))
}

#[test]
fn a_domain_of_debian_13s_libvirt_is_told_the_same() -> Result<()> {
    lab::run(TRIXIE, |lab| short(lab, TRIXIE))
}

fn domain(lab: &Lab, section: &'static str) -> Result<()> {
    serve(lab)?;
    let guest = lab.domain("a").on_cpus(&[1]).disk(64).with(APART).boot()?;
    let scope = scope(&guest)?;
    let slice = "/sys/fs/cgroup/machine.slice";
    let mut bench = Bench::new(lab, &guest, "cpu", section);

    bench.rest()?;
    bench.judge(Cause {
        name: "nothing: the guest idles",
        make: ":",
        unmake: ":",
        state: "ok",
        says: "got the time that they asked for",
    })?;
    bench.work(SUM)?;
    bench.judge(Cause {
        name: "nothing: the guest is busy with its own work",
        make: ":",
        unmake: ":",
        state: "ok",
        says: "got the time that they asked for",
    })?;
    bench.judge(Cause {
        name: "its own quota, by `virsh schedinfo`",
        make: "virsh -q schedinfo a --live vcpu_quota=40000 >/dev/null",
        unmake: "virsh -q schedinfo a --live vcpu_quota=-1 >/dev/null",
        state: "self-limited",
        says: "your own CPU quota",
    })?;
    bench.felt()?;
    bench.judge(Cause {
        name: "its own quota, of its scope",
        make: &limit(&scope),
        unmake: &unlimit(&scope),
        state: "self-limited",
        says: "your own CPU quota of 0.40 CPUs",
    })?;
    bench.felt()?;
    bench.judge(Cause {
        name: "a quota around it, and nobody else under that",
        make: &limit(slice),
        unmake: &unlimit(slice),
        state: "contended",
        says: "a CPU limit that your host sets around your guest",
    })?;
    bench.felt()?;
    bench.judge(Cause {
        name: "a neighbour on the CPU that it is pinned to, while the others idle",
        make: &busy(&[1]),
        unmake: QUIET,
        state: "contended",
        says: "your host keeps them on some of its CPUs",
    })?;
    bench.felt()?;
    bench.judge(Cause {
        name: "neighbours on all CPUs",
        make: &busy(&[0, 1, 2, 3]),
        unmake: QUIET,
        state: "contended",
        says: "for a host CPU",
    })?;
    bench.felt()?;
    bench.judge_burst(
        Cause {
            name: "a neighbour on its CPU for 15 s of 40 s",
            make: ":",
            unmake: ":",
            state: "contended",
            says: "waited",
        },
        |bench| {
            sleep(Duration::from_secs(12));
            bench.lab.sh(&busy(&[1]))?;
            sleep(Duration::from_secs(15));
            bench.lab.sh(QUIET)?;
            sleep(Duration::from_secs(13));
            Ok(())
        },
    )?;
    bench.work(WRITE)?;
    bench.judge(Cause {
        name: "its own disk threads on the CPU that it is pinned to",
        make: "virsh -q emulatorpin a 1 --live >/dev/null",
        unmake: "virsh -q emulatorpin a 3 --live >/dev/null",
        state: "self-limited",
        says: "the threads that serve your disks and network",
    })?;
    bench.judge(Cause {
        name: "its disk threads on a CPU that a neighbour uses",
        make: &busy(&[3]),
        unmake: QUIET,
        state: "contended",
        says: "the threads that serve your disks and network",
    })?;

    let second = lab.domain("b").on_cpus(&[2]).boot()?;
    bench.work(SUM)?;
    bench.judge(Cause {
        name: "a quota around it and another guest",
        make: &limit(slice),
        unmake: &unlimit(slice),
        state: "contended",
        says: "a CPU limit that your host sets for several guests",
    })?;
    bench.felt()?;
    second.end()?;
    bench.finish()
}

/// The two causes that most hosts have, on another one.
fn short(lab: &Lab, _: Spec) -> Result<()> {
    serve(lab)?;
    let guest = lab.domain("a").on_cpus(&[1]).with(APART).boot()?;
    let mut bench = Bench::new(lab, &guest, "cpu", "cpu on Debian 13");
    bench.work(SUM)?;
    bench.judge(Cause {
        name: "its own quota, by `virsh schedinfo`",
        make: "virsh -q schedinfo a --live vcpu_quota=40000 >/dev/null",
        unmake: "virsh -q schedinfo a --live vcpu_quota=-1 >/dev/null",
        state: "self-limited",
        says: "your own CPU quota",
    })?;
    bench.felt()?;
    bench.judge(Cause {
        name: "a neighbour on the CPU that it is pinned to, while the others idle",
        make: &busy(&[1]),
        unmake: QUIET,
        state: "contended",
        says: "your host keeps them on some of its CPUs",
    })?;
    bench.felt()?;
    bench.finish()
}

#[test]
fn a_guest_that_was_started_by_hand_is_told_its_own_quota_from_one_around_it() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        serve(lab)?;
        let guest = lab.by_hand("h", Place::Service(String::new())).on_cpu(1).boot()?;
        let service = "/sys/fs/cgroup/system.slice/qemu-h.service";
        let mut bench = Bench::new(lab, &guest, "cpu", "cpu by hand");
        bench.work(SUM)?;
        bench.judge(Cause {
            name: "by hand, in a service: its own quota of 0.4 CPUs",
            make: &limit(service),
            unmake: &unlimit(service),
            state: "self-limited",
            says: "your own CPU quota of 0.40 CPUs",
        })?;
        bench.felt()?;
        bench.judge(Cause {
            name: "by hand, in a service: a neighbour on its CPU",
            make: &busy(&[1]),
            unmake: QUIET,
            state: "contended",
            says: "your host keeps them on some of its CPUs",
        })?;
        bench.felt()?;
        bench.finish()?;
        guest.end()?;

        let guest = lab.by_hand("s", Place::Session).on_cpu(1).boot()?;
        let mut bench = Bench::new(lab, &guest, "cpu", "cpu in a session");
        bench.work(SUM)?;
        let session = "/sys/fs/cgroup/user.slice/session-lab.scope";
        bench.judge(Cause {
            name: "by hand, in a login session: the session's quota",
            make: &limit(session),
            unmake: &unlimit(session),
            state: "self-limited",
            says: "your own CPU quota of 0.40 CPUs",
        })?;
        bench.felt()?;
        bench.judge(Cause {
            name: "by hand, in a login session: a quota of user.slice",
            make: &limit("/sys/fs/cgroup/user.slice"),
            unmake: &unlimit("/sys/fs/cgroup/user.slice"),
            state: "contended",
            says: "a CPU limit that your host sets around your guest",
        })?;
        bench.felt()?;
        bench.finish()
    })
}

#[test]
fn a_guest_with_more_vcpus_than_cpus_is_told_that_they_wait_for_each_other() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        serve(lab)?;
        let guest = lab.domain("two").on_cpus(&[1, 2]).boot()?;
        let mut bench = Bench::new(lab, &guest, "cpu", "cpu of two vCPUs");
        guest.sh("(while :; do :; done) >/dev/null 2>&1 &")?;
        bench.work(SUM)?;
        bench.judge(Cause {
            name: "two busy vCPUs on one CPU",
            make: "virsh -q vcpupin two 0 1 --live; virsh -q vcpupin two 1 1 --live",
            unmake: "virsh -q vcpupin two 0 1-2 --live; virsh -q vcpupin two 1 1-2 --live",
            state: "self-limited",
            says: "for each other",
        })?;
        bench.finish()
    })
}
