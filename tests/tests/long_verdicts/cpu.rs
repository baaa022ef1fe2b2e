//! Causes for which a guest waits for a CPU.

use anyhow::Result;
use hostinfo_tests::lab::{Lab, Place, Spec, Work};

use crate::bench::{Bench, Cause, on};

/// QEMU's own threads apart from the vCPU, which libvirt would have on its CPU: they serve the console
/// and the port by which it is asked.
const APART: &str = "<cputune><emulatorpin cpuset='3'/></cputune>";

const SLICE: &str = "/sys/fs/cgroup/machine.slice";

const IDLE: Cause =
    Cause { name: "nothing: the guest idles", state: "ok", says: "your vCPUs ran " };

const BUSY: Cause = Cause {
    name: "nothing: the guest is busy with its own work",
    state: "ok",
    says: "your own work kept your vCPUs busy",
};

const SCHEDINFO: Cause = Cause {
    name: "its own quota, by `virsh schedinfo`",
    state: "self-limited",
    says: "your own CPU quota",
};

const NEIGHBOUR: Cause = Cause {
    name: "a neighbour on the CPU that it is pinned to, while the others idle",
    state: "contended",
    says: "your host keeps them on some of its CPUs",
};

/// Lets a cgroup have 0.4 CPUs.
fn limit(lab: &Lab, cgroup: &str) -> Result<String> {
    lab.sh(&format!("echo '40000 100000' > '{cgroup}/cpu.max'"))
}

fn unlimit(cgroup: &str) -> String {
    format!("echo max > '{cgroup}/cpu.max'")
}

/// The same for a unit of systemd's, whose cgroup need not have the controller before.
fn limit_unit(lab: &Lab, unit: &str) -> Result<()> {
    lab.set(unit, "CPUQuota=40%")
}

fn unlimit_unit(unit: &str) -> String {
    format!("systemctl set-property --runtime {unit} CPUQuota=")
}

pub(crate) fn a_domain_is_told_whether_neighbours_or_limits_keep_it_waiting(
    host: Spec,
) -> Result<()> {
    on(host, |lab| {
        let guest = lab.domain("a").on_cpus(&[1]).with(APART).boot()?;
        let scope = guest.scope()?;
        let mut bench = Bench::new(lab, &guest, "cpu");
        bench.judge(IDLE, || Ok(()), "")?;
        bench.work(Work::Cpu)?;
        bench.judge(BUSY, || Ok(()), "")?;
        let quota = || guest.virsh("schedinfo", "--live --set vcpu_quota=40000");
        bench.judge(SCHEDINFO, quota, "virsh -q schedinfo a --live --set vcpu_quota=-1")?;
        bench.felt()?;
        let own = Cause {
            name: "its own quota, of its scope",
            state: "self-limited",
            says: "your own CPU quota of 0.40 CPUs",
        };
        bench.judge(own, || limit(lab, &scope), &unlimit(&scope))?;
        bench.felt()?;
        let around = Cause {
            name: "a quota around it, and nobody else under that",
            state: "contended",
            says: "that your host sets around your guest",
        };
        bench.judge(around, || limit(lab, SLICE), &unlimit(SLICE))?;
        bench.felt()?;
        bench.judge(NEIGHBOUR, || lab.busy_on(&[1], ""), "")?;
        bench.felt()?;
        let burst = Cause {
            name: "a neighbour on its CPU for a third of the time",
            state: "contended",
            says: "waited",
        };
        bench.judge_burst(burst, || lab.busy_on(&[1], ""))?;
        bench.felt()?;

        let _second = lab.domain("b").on_cpus(&[2]).boot()?;
        let shared = Cause {
            name: "a quota around it and another guest",
            state: "contended",
            says: "that your host sets for several guests",
        };
        bench.judge(shared, || limit(lab, SLICE), &unlimit(SLICE))?;
        bench.felt()?;
        bench.finish()
    })
}

/// On two CPUs: four emulated ones that are all busy lose ticks on a machine that has two, and with them the
/// time that the kernel counts as busy.
pub(crate) fn a_domain_on_a_host_whose_cpus_are_all_busy_is_told_so(host: Spec) -> Result<()> {
    on(host, |lab| {
        lab.offline(&[2, 3])?;
        let apart = "<cputune><emulatorpin cpuset='0'/></cputune>";
        let guest = lab.domain("a").on_cpus(&[1]).with(apart).boot()?;
        let mut bench = Bench::new(lab, &guest, "cpu");
        bench.work(Work::Cpu)?;
        let everywhere = Cause {
            name: "neighbours on all CPUs of a host that has two",
            state: "contended",
            says: "for a host CPU; the host's CPUs were",
        };
        bench.judge(everywhere, || lab.busy_on(&[0, 1], ""), "")?;
        bench.felt()?;
        bench.finish()
    })
}

pub(crate) fn a_domain_is_told_whether_its_disks_threads_wait_and_for_whom(
    host: Spec,
) -> Result<()> {
    on(host, |lab| {
        let guest = lab.domain("a").on_cpus(&[1]).disk(64).with(APART).boot()?;
        let mut bench = Bench::new(lab, &guest, "cpu");
        guest.sh(
            "(while :; do dd if=/dev/vda of=/dev/null bs=64k iflag=direct; done) >/dev/null 2>&1 &
             echo $! >/run/loop",
        )?;
        bench.work(Work::Cpu)?;
        let own = Cause {
            name: "its own disk threads on the CPU that it is pinned to",
            state: "self-limited",
            says: "the threads that serve your devices",
        };
        let together = || guest.virsh("emulatorpin", "1 --live");
        bench.judge(own, together, "virsh -q emulatorpin a 3 --live")?;
        bench.felt()?;
        guest.sh("kill $(cat /run/loop)")?;
        bench.work(Work::Disk)?;
        let others = Cause {
            name: "its disk threads on a CPU that a neighbour uses",
            state: "contended",
            says: "the threads that serve your devices",
        };
        bench.judge(others, || lab.busy_on(&[3], ""), "")?;
        bench.finish()
    })
}

pub(crate) fn a_domain_is_told_whether_its_iothread_waits_and_for_whom(host: Spec) -> Result<()> {
    on(host, |lab| {
        let apart = "<iothreads>1</iothreads><cputune><emulatorpin cpuset='3'/>\
            <iothreadpin iothread='1' cpuset='2'/></cputune>";
        let guest = lab.domain("i").on_cpus(&[1]).disk(64).iothread().with(apart).boot()?;
        let mut bench = Bench::new(lab, &guest, "cpu");
        bench.work(Work::Disk)?;
        let iothread = Cause {
            name: "its iothread on a CPU that a neighbour uses",
            state: "contended",
            says: "the threads that serve your devices",
        };
        bench.judge(iothread, || lab.busy_on(&[2], ""), "")?;
        bench.felt()?;
        bench.finish()
    })
}

pub(crate) fn a_guest_that_was_started_by_hand_is_told_its_own_quota_from_one_around_it(
    host: Spec,
) -> Result<()> {
    on(host, |lab| {
        let guest = lab.by_hand("h", Place::Service(String::new())).on_cpu(1).boot()?;
        let service = "qemu-h.service";
        let mut bench = Bench::new(lab, &guest, "cpu");
        bench.work(Work::Cpu)?;
        let own = Cause {
            name: "by hand, in a service: its own quota of 0.4 CPUs",
            state: "self-limited",
            says: "your own CPU quota of 0.40 CPUs",
        };
        bench.judge(own, || limit_unit(lab, service), &unlimit_unit(service))?;
        bench.felt()?;
        let neighbour = Cause {
            name: "by hand, in a service: a neighbour on the CPU that it is pinned to",
            ..NEIGHBOUR
        };
        bench.judge(neighbour, || lab.busy_on(&[1], ""), "")?;
        bench.felt()?;
        bench.finish()?;
        guest.end()
    })
}

pub(crate) fn a_guest_of_a_login_session_is_told_the_sessions_quota_from_one_around_it(
    host: Spec,
) -> Result<()> {
    on(host, |lab| {
        let guest = lab.by_hand("s", Place::Session).on_cpu(1).boot()?;
        let (session, user) = ("session-lab.scope", "user.slice");
        let mut bench = Bench::new(lab, &guest, "cpu");
        bench.work(Work::Cpu)?;
        let own = Cause {
            name: "by hand, in a login session: the session's quota",
            state: "self-limited",
            says: "your own CPU quota of 0.40 CPUs",
        };
        bench.judge(own, || limit_unit(lab, session), &unlimit_unit(session))?;
        bench.felt()?;
        let around = Cause {
            name: "by hand, in a login session: a quota of user.slice",
            state: "contended",
            says: "that your host sets around your guest",
        };
        bench.judge(around, || limit_unit(lab, user), &unlimit_unit(user))?;
        bench.felt()?;
        bench.finish()
    })
}

pub(crate) fn a_guest_with_more_vcpus_than_cpus_is_told_that_they_wait_for_each_other(
    host: Spec,
) -> Result<()> {
    on(host, |lab| {
        let guest = lab.domain("two").on_cpus(&[1, 2]).with(APART).boot()?;
        let mut bench = Bench::new(lab, &guest, "cpu");
        guest.sh("(while :; do :; done) >/dev/null 2>&1 &")?;
        bench.work(Work::Cpu)?;
        let each_other = Cause {
            name: "two busy vCPUs on one CPU",
            state: "self-limited",
            says: "for each other",
        };
        let together = || {
            guest.virsh("vcpupin", "0 1 --live")?;
            guest.virsh("vcpupin", "1 1 --live")
        };
        let apart = "virsh -q vcpupin two 0 1-2 --live; virsh -q vcpupin two 1 1-2 --live";
        bench.judge(each_other, together, apart)?;
        bench.felt()?;
        bench.finish()
    })
}
