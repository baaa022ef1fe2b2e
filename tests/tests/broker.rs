//! `hostinfo serve` in a real guest, and as a service under a real systemd.

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::{Guest, Host, Machine, Port};

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
        // Nobody is told that it is too soon, but who goes past the broker is told who has the port.
        let past = guest.run(&format!("hostinfo --timeout 1 --device {} ping", port.device()))?;
        ensure!(past.status == 1 && past.stderr.contains("in use by hostinfo (PID"), "{past:?}");
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
fn the_service_is_started_by_who_asks_and_asks_with_the_rights_of_its_group() -> Result<()> {
    let machine = Machine::boot()?;
    machine.shell("systemctl start hostinfo")?;
    let told = machine.shell("sh /usr/local/share/hostinfo/guest/install")?;
    ensure!(told.starts_with("hostinfo serve runs"), "{told}");
    let verified = machine.shell(
        "systemd-analyze verify --man=no hostinfo-serve.service hostinfo-serve.socket 2>&1",
    )?;
    ensure!(verified.is_empty(), "{verified}");
    let modes = machine.shell("stat -c '%a %U %G' /run/hostinfo.sock")?;
    ensure!(modes == "666 hostinfo hostinfo\n", "{modes}");
    machine.shell("systemctl stop hostinfo-serve.service")?;
    // Without a host to ask, it is there all the same, and answers what it knows itself.
    let told = machine.shell("hostinfo --device /run/hostinfo.sock ping")?;
    ensure!(told.contains("answers on unix:/run/hostinfo.sock"), "{told}");
    wait_until("the service to run", PATIENCE, || {
        Ok(machine.shell("systemctl is-active hostinfo-serve.service || :")? == "active\n")
    })?;
    let scraped = machine.shell(

        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/4679; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'",
    )?;
    ensure!(scraped.starts_with("HTTP/1.1 404 "), "{scraped}");
    machine.shell("sh /usr/local/share/hostinfo/guest/install --remove")?;
    let left = machine.shell("ls /etc/systemd/system /etc/udev/rules.d | grep hostinfo || :")?;
    ensure!(left.is_empty(), "{left}");
    Ok(())
}
