//! The guest's tool in KVM guests, over each way to the host.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::lab::{self, FOR_ONE_GUEST, LabGuest};
use hostinfo_tests::paths;

const VSOCK: &str = "<vsock model='virtio'><cid auto='yes'/></vsock>";

const CHANNEL: &str = "/dev/virtio-ports/org.hostinfo.0";

/// What `diagnose` may conclude: anything but that it failed.
const CONCLUSIONS: [i32; 4] = [0, 10, 11, 12];

/// Whether it is the guest or its host: in short, after a while, and of a recording.
fn tells_all_three_ways(guest: &LabGuest<'_>, device: &str) -> Result<()> {
    let tool = format!("hostinfo --device {device}");
    guest.sh(&format!("{tool} --wait get physcpus"))?;
    let brief = guest.run(&tool)?;
    let lines: Vec<&str> = brief.stdout.lines().collect();
    ensure!((2..=8).contains(&lines.len()), "{device}: {brief:?}");
    ensure!(lines.iter().any(|line| line.starts_with("cpu")), "{device}: {brief:?}");

    let long = guest.run(&format!("{tool} diagnose --for 6s"))?;
    ensure!(
        CONCLUSIONS.contains(&long.status) && long.stdout.contains("cpu"),
        "{device}: {long:?}"
    );

    guest.sh("rm -f /run/a.rec")?;
    guest.sh(&format!("{tool} record /run/a.rec --for 10s"))?;
    let report = guest.sh("hostinfo report --text /run/a.rec")?;
    ensure!(report.contains("cpu"), "{device}: {report}");
    Ok(())
}

/// The most that an answer over a channel may take on a machine like this one, program start included, in
/// milliseconds.
const ANSWER_MAX: f64 = 20.0;

/// How many times as long as here a program takes in the guest, whose CPU the lab emulates: the same shell counts in
/// both. Here, the fastest of several runs counts, since the lab itself keeps this machine busy.
fn slowness(guest: &LabGuest<'_>) -> Result<f64> {
    const COUNT: &str = "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done";
    let shell = paths::guest_cache()?.join("busybox");
    let mut fastest = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        let status = Command::new(&shell).args(["sh", "-c", COUNT]).status()?;
        ensure!(status.success(), "{status}");
        fastest = fastest.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(milliseconds(guest, &format!("sh -c '{COUNT}'"))? / fastest)
}

const RUNS: u32 = 20;

/// Milliseconds that one of many runs takes.
fn milliseconds(guest: &LabGuest<'_>, command: &str) -> Result<f64> {
    let told = guest.sh(&format!(
        "read a _ </proc/uptime; for i in $(seq {RUNS}); do {command} >/dev/null || exit 1; done; \
         read b _ </proc/uptime; echo $a $b"
    ))?;
    let (from, to) = told.trim().split_once(' ').context("two times")?;
    Ok((to.parse::<f64>()? - from.parse::<f64>()?) * 1e3 / f64::from(RUNS))
}

#[test]
fn the_tool_sums_up_diagnoses_and_records_over_serial_port_channel_vsock_and_broker() -> Result<()>
{
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.serve_over_vsock("[vsock]\nenabled = true\n")?;
        let serial = lab.domain("s").boot()?;
        tells_all_three_ways(&serial, "/dev/ttyS1")?;
        serial.end()?;

        let mut plan = lab.domain("c").without_port().devices(VSOCK);
        plan.define()?;
        lab.sh("hostinfoctl enable c --transport channel")?;
        let guest = plan.start()?;
        for device in [CHANNEL, "vsock"] {
            tells_all_three_ways(&guest, device)?;
        }
        let ask = milliseconds(&guest, &format!("hostinfo --device {CHANNEL} get loadavg.1"))?;
        let start = milliseconds(&guest, "hostinfo --version")?;
        let slowness = slowness(&guest)?;
        eprintln!(
            "get loadavg.1 over a channel: {ask:.1} ms, of which {start:.1} ms are a program's start, in a guest \
             {slowness:.1} times as slow as this machine: {:.1} ms here",
            ask / slowness
        );
        ensure!(ask / slowness < ANSWER_MAX, "{ask} ms, {slowness} times as slow");

        guest.sh("hostinfo serve --listen none >/dev/null 2>&1 & echo")?;
        tells_all_three_ways(&guest, "unix:/run/hostinfo.sock")
    })
}
