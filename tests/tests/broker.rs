//! `hostinfo serve` in a real guest.

use anyhow::{Result, ensure};
use hostinfo_tests::{Guest, Host, Port};

/// As the announcement's guests have it: everything, once a minute.
const MINUTE: &str = "*:\n  all = 1\n  interval = 60\n";

/// Starts the broker in the guest, and waits until it answers.
const SERVE: &str = "ip link set lo up; hostinfo serve >/dev/null 2>/run/broker &
    until [ -S /run/hostinfo.sock ]; do sleep 0.1; done";

#[test]
fn in_a_guest_that_may_ask_once_a_minute_everybody_gets_answers_and_the_broker_stays_small()
-> Result<()> {
    for port in [Port::Serial, Port::Channel] {
        let host = Host::new(MINUTE)?;
        let _daemon = host.start_daemon()?;
        let mut guest = Guest::restore(&host.socket("a"), port)?;
        guest.wait_for_host()?;
        guest.sh(SERVE)?;
        let told = guest.sh("for turn in 1 2 3; do hostinfo get vm.name; done; hostinfo ping")?;
        ensure!(told.starts_with("vm.name=a\nvm.name=a\nvm.name=a\n"), "{told}");
        ensure!(told.contains(" answers on unix:/run/hostinfo.sock "), "{told}");
        let scraped = guest.sh("for turn in 1 2 3; do
            wget -q -O - http://127.0.0.1:4679/metrics | grep '^hostinfo_loadavg_1 '; done")?;
        ensure!(scraped.lines().count() == 3, "{scraped}");
        // All three got values. A program that asks at the port itself learns that the broker has it.
        let past = guest.run(&format!("hostinfo --timeout 1 --device {} ping", port.device()))?;
        ensure!(
            past.status == 1 && past.stderr.contains("held by the broker, hostinfo serve (PID "),
            "{past:?}"
        );
        let size = guest.sh("grep VmHWM /proc/$(pidof hostinfo)/status | tr -dc 0-9")?;
        ensure!(size.trim().parse::<u32>()? < 6 * 1024, "{size} KiB");
    }
    Ok(())
}

#[test]
fn while_others_write_to_the_serial_port_the_broker_believes_only_its_own_answers() -> Result<()> {
    let host = Host::new("*:\n  all = 1\n  interval = 0\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    guest.sh(SERVE)?;
    let told = guest.sh(
        "(while :; do echo loadavg.1 >/dev/ttyS1; usleep 100000; done) >/dev/null 2>&1 &
        for i in $(seq 10); do hostinfo get vm.name || echo \"exit $?\"; usleep 600000; done |
            sort | uniq -c
        kill %1",
    )?;
    ensure!(told.trim() == "10 vm.name=a", "{told}");
    Ok(())
}

#[test]
fn an_answer_that_the_broker_kept_is_shown_with_its_age_and_is_no_verdict_on_the_time_since()
-> Result<()> {
    let host = Host::new("*:\n  all = 1\n  interval = 30\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Channel)?;
    guest.wait_for_host()?;
    guest.sh(SERVE)?;
    // The host begins to work on its verdicts when it is first asked.
    guest.sh("hostinfo get --wait verdict.cpu; sleep 7")?;
    let brief = guest.sh("hostinfo")?;
    let cpu = brief.lines().find(|line| line.starts_with("cpu")).unwrap_or_default();
    ensure!(cpu.contains(" s ago): ") && brief.contains(" s ago, it was "), "{brief}");
    let told = guest.run("hostinfo diagnose --for 2s cpu")?;
    let unknown = "cpu     host   unknown: the host was last asked ";
    ensure!(told.status == 12 && told.stdout.contains(unknown), "{told:?}");
    ensure!(told.stdout.contains(" s ago; ask again in "), "{told:?}");
    let told = guest.run("hostinfo diagnose --for 2s --wait cpu")?;
    ensure!(!told.stdout.contains("last asked"), "{told:?}");
    Ok(())
}
