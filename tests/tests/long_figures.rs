//! A KVM guest's figures, held against `virsh domstats`, `numastat -p` and the kernel's files as `cat` shows
//! them.

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, Lab, LabGuest};

/// How old a sample is at the most, in seconds: what a counter can have risen by since.
const GRID: f64 = 0.1;

/// libvirt has CPU time in ticks of the kernel's, whose two parts are each rounded down: user and system.
const TICKS: f64 = 0.02;

const MIB: f64 = 1024.0 * 1024.0;

/// What `read` says before and after the guest is told `name`, which is between the two.
fn is_between(
    guest: &LabGuest,
    name: &str,
    slack: (f64, f64),
    read: impl Fn() -> Result<f64>,
) -> Result<()> {
    let before = read()?;
    let told = guest.figure(name)?;
    let after = read()?;
    let (low, high) = (before - slack.0, after + slack.1);
    ensure!((low..=high).contains(&told), "{name}: {told} is not in {low}..{high}");
    Ok(())
}

/// The number in that field of what a line of shell prints in the host.
fn field(lab: &Lab, line: &str, field: usize) -> Result<f64> {
    let text = lab.sh(line)?;
    let value = text.split_whitespace().nth(field).with_context(|| text.clone())?;
    value.parse().with_context(|| text.clone())
}

#[test]
fn cpu_time_waiting_and_pressure_are_those_of_libvirt_and_of_the_kernel() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        lab.serve(EVERYTHING)?;
        let guest = lab.domain("a").on_cpus(&[1, 2]).boot()?;
        guest.ask_until("vm.cpu.1.delay", "200 ")?;
        guest.sh("for n in 0 1; do (while :; do :; done) >/dev/null 2>&1 & done")?;
        // One that is in its way on either CPU.
        let _busy = lab.busy_on(&[1, 2], "")?;
        let pid = guest.pid()?;
        let scope = guest.scope()?;
        for vcpu in 0..2 {
            let thread = lab.sh(&format!("grep -l 'CPU {vcpu}/KVM' /proc/{pid}/task/*/comm"))?;
            let thread = thread.trim().trim_end_matches("/comm").to_owned();
            let stats = |what: &str| guest.domstats(&format!("vcpu.{vcpu}.{what}"));
            let seconds = format!("vm.cpu.{vcpu}.seconds");
            is_between(&guest, &seconds, (GRID + TICKS, TICKS), || Ok(stats("time")? / 1e9))?;
            let delay = format!("vm.cpu.{vcpu}.delay");
            is_between(&guest, &delay, (GRID, 0.0), || Ok(stats("delay")? / 1e9))?;
            // proc(5): nanoseconds on the CPU, and waiting for it.
            let kernel = |at| move || Ok(field(lab, &format!("cat {thread}/schedstat"), at)? / 1e9);
            is_between(&guest, &seconds, (GRID, 0.0), kernel.clone()(0))?;
            is_between(&guest, &delay, (GRID, 0.0), kernel(1))?;
        }
        for (resource, stall) in
            ["cpu", "memory", "io"].map(|one| [(one, "some"), (one, "full")]).concat()
        {
            // some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS
            let line = format!("sed -n 's/{stall}.*total=//p' '{scope}/'{resource}.pressure");
            let name = format!("vm.pressure.{resource}.{stall}.seconds");
            is_between(&guest, &name, (GRID, 0.0), || Ok(field(lab, &line, 0)? / 1e6))?;
        }
        ensure!(guest.figure("vm.pressure.cpu.some.seconds")? > 1.0, "the loops are in its way");
        let weight = field(lab, &format!("cat '{scope}/cpu.weight'"), 0)?;
        ensure!(guest.figure("vm.cpu.weight")? == weight, "{weight}");
        ensure!(guest.figure("vm.cpu.pinned")? == 2.0, "a CPU for each vCPU");
        for (name, what) in [("vm.cpu.seconds", "time"), ("vm.cpu.delay", "delay")] {
            is_between(&guest, name, (GRID * 2.0 + TICKS * 2.0, TICKS * 2.0), || {
                let of = |vcpu| guest.domstats(&format!("vcpu.{vcpu}.{what}"));
                Ok((of(0)? + of(1)?) / 1e9)
            })?;
        }
        // QEMU's other threads, on a CPU that is busy.
        guest.virsh("emulatorpin", "1 --live")?;
        let others = format!(
            "for task in /proc/{pid}/task/*; do grep -q '^CPU ' $task/comm || cat $task/schedstat; done |
                awk '{{ sum += $2 }} END {{ print sum }}'"
        );
        // What a thread that has ended waited counts on.
        is_between(
            &guest,
            "vm.emulator.delay",
            (GRID, GRID),
            || Ok(field(lab, &others, 0)? / 1e9),
        )?;
        ensure!(guest.figure("vm.emulator.delay")? > 0.0);
        guest.virsh("schedinfo", "--live --set vcpu_quota=20000")?;
        guest.ask_until("vm.cpu.quota", "200 vm.cpu.quota=0.4")?;
        is_between(&guest, "vm.cpu.throttled", (2.0 * GRID, 0.0), || {
            let line = format!("cat '{scope}/libvirt'/vcpu*/cpu.stat | grep throttled_usec");
            let text = lab.sh(&line)?;
            let spent = text.lines().filter_map(|line| line.split_once(' ')?.1.parse::<f64>().ok());
            Ok(spent.sum::<f64>() / 1e6)
        })
    })
}

/// A domain whose memory is on node 1 and whose vCPU is on node 0, and the other way round.
#[test]
fn memory_is_what_libvirt_and_the_kernel_say_and_lies_where_numastat_finds_it() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        lab.serve(EVERYTHING)?;
        lab.swap(512)?;
        let on_node_1 = "<numatune><memory mode='strict' nodeset='1'/></numatune>";
        for (cpu, far) in [(1, true), (2, false)] {
            let name = if far { "far" } else { "near" };
            let guest = lab.domain(name).on_cpus(&[cpu]).memory(256).with(on_node_1).boot()?;
            guest.sh("mkdir -p /mnt; mount -t tmpfs -o size=120m none /mnt; dd if=/dev/urandom of=/mnt/it bs=1M count=100")?;
            guest.ask_until("vm.memory.maximum", "200 ")?;
            memory_is_so(lab, &guest)?;
            lies_on_node_1(lab, &guest, far)?;
            is_swapped_out(lab, &guest)?;
            guest.end()?;
        }
        Ok(())
    })
}

fn memory_is_so(lab: &Lab, guest: &LabGuest) -> Result<()> {
    let (pid, scope) = (guest.pid()?, guest.cgroup()?);
    let (scope, _) = scope.split_once("/libvirt").context("libvirt's own cgroups")?;
    for what in ["current", "maximum"] {
        let kib = guest.domstats(&format!("balloon.{what}"))?;
        let told = guest.figure(&format!("vm.memory.{what}"))?;
        ensure!(told == kib * 1024.0, "{what}: {told}, not {kib} KiB");
    }
    // What QEMU itself takes and gives back meanwhile.
    is_between(guest, "vm.memory.resident", (MIB, MIB), || {
        Ok(field(lab, &format!("grep VmRSS /proc/{pid}/status"), 1)? * 1024.0)
    })?;
    is_between(guest, "vm.memory.majorfaults", (0.0, 0.0), || {
        // The 12th field; the name, which is the 2nd, has a blank here at most.
        field(lab, &format!("sed 's/.*) //' /proc/{pid}/stat"), 9)
    })?;
    guest.virsh("memtune", "--live --hard-limit 1048576")?;
    let told = guest.ask_until("vm.memory.limit", "200 vm.memory.limit=1073741824")?;
    // libvirt sets it in its own part of the scope.
    let line = format!("cat '{scope}/memory.max' '{scope}/libvirt/memory.max' | grep -v max");
    let file = field(lab, &line, 0)?;
    ensure!(file == 1024.0 * MIB, "{told:?} and {file}");
    Ok(())
}

/// At `memory.high`, which is its limit then, half of what it has written is swapped out.
fn is_swapped_out(lab: &Lab, guest: &LabGuest) -> Result<()> {
    let pid = guest.pid()?;
    guest.virsh("memtune", "--live --soft-limit 131072")?;
    guest.ask_until("vm.memory.limit", "200 vm.memory.limit=134217728")?;
    guest.sh("cat /mnt/it >/dev/null")?;
    guest.ask_until("vm.memory.swapped", "200 ")?;
    // Pages go out and come in meanwhile.
    is_between(guest, "vm.memory.swapped", (4.0 * MIB, 4.0 * MIB), || {
        Ok(field(lab, &format!("grep VmSwap /proc/{pid}/status"), 1)? * 1024.0)
    })?;
    let swapped = guest.figure("vm.memory.swapped")?;
    ensure!(swapped > 8.0 * MIB, "{swapped} of more than 100 MiB that are used");
    guest.virsh("memtune", "--live --soft-limit -1").map(drop)
}

/// The guest's memory is all on node 1: 100 MiB that it has written at the least. numastat counts as well
/// what QEMU has mapped of its program, which is no memory of the guest: at most 64 MiB.
fn lies_on_node_1(lab: &Lab, guest: &LabGuest, is_far: bool) -> Result<()> {
    const PROGRAM: f64 = 64.0 * MIB;
    // Total   NODE0   NODE1   SUM, in MiB.
    let line = format!("numastat -p {} | grep ^Total", guest.pid()?);
    let nodes = [field(lab, &line, 1)? * MIB, field(lab, &line, 2)? * MIB];
    let (local, remote) = (guest.figure("vm.numa.local")?, guest.figure("vm.numa.remote")?);
    let told = if is_far { [local, remote] } else { [remote, local] };
    for (told, there) in told.iter().zip(nodes) {
        let range = there - PROGRAM..=there + MIB;
        ensure!(range.contains(told), "{local} local, {remote} remote: {told} is not in {range:?}");
    }
    ensure!(told[1] > 100.0 * MIB && told[0] < PROGRAM, "{told:?}, and {nodes:?} by numastat");
    let resident = guest.figure("vm.memory.resident")?;
    let sum = local + remote;
    ensure!((resident - PROGRAM..=resident + MIB).contains(&sum), "{sum} of {resident}");
    Ok(())
}
