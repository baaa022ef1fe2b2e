//! A guest with nothing but a serial port.

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_for};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::readme;
use hostinfo_tests::{Daemon, Guest, Host, Port};

/// The cores of this machine, as the answers have to name them.
fn physcpus() -> Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    Ok(format!("physcpus={count}"))
}

fn served_guest(rules: &str) -> Result<(Host, Daemon, Guest)> {
    let host = Host::new(rules)?;
    let daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    Ok((host, daemon, guest))
}

#[test]
fn a_shell_alone_is_enough_to_ask() -> Result<()> {
    let (_host, _daemon, mut guest) = served_guest(EVERYTHING)?;
    let ask = readme::ask_function()?;
    ensure!(include_str!("../../docs/protocol.md").contains(ask), "the two are not the same");
    // What nobody has read is not taken for the answer.
    let answer =
        guest.sh(&format!("{ask}\necho loadavg >&3; sleep 0.2; ask physcpus; ask loadavg"))?;
    let answer: Vec<&str> = answer.lines().collect();
    assert_eq!(answer[0], format!("200 {}", physcpus()?));
    ensure!(answer.len() == 4 && answer[1].starts_with("200-loadavg.1="), "{answer:?}");
    Ok(())
}

#[test]
fn a_shell_does_not_wait_for_ever_for_a_port_that_is_silent() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    let ask = readme::ask_function()?;
    assert_eq!(guest.sh(&format!("{ask}\nask loadavg; echo $?"))?, "1\n");
    Ok(())
}

#[test]
fn a_terminal_that_echoes_gets_its_answer_and_starts_no_loop() -> Result<()> {
    let (_host, _daemon, mut guest) = served_guest(EVERYTHING)?;
    let answer = guest
        .sh("exec 3<>/dev/ttyS1; stty sane <&3; echo physcpus >&3; read -r answer <&3
        echo \"$answer\"; sleep 1000 <&3 >/dev/null 2>&1 &")?;
    assert_eq!(answer.trim_end(), format!("200 {}", physcpus()?));
    // The port is open and echoes: a loop would go on as long as it is.
    let bytes_sent =
        "sleep 0.3; grep ^1: /proc/tty/driver/serial | sed 's/.*tx:\\([0-9]*\\).*/\\1/'";
    let sent: u32 = guest.sh(bytes_sent)?.trim().parse()?;
    assert!(sent > 20, "the terminal did not echo: it sent {sent} bytes");
    assert_eq!(guest.sh(bytes_sent)?.trim(), sent.to_string());
    Ok(())
}

#[test]
fn a_program_that_comes_after_a_getty_is_answered() -> Result<()> {
    let (_host, _daemon, mut guest) = served_guest(EVERYTHING)?;
    guest.sh("for turn in 1 2 3 4 5; do
            setsid getty -L 115200 ttyS1 vt100 >/dev/null 2>&1 </dev/null &
            getty=$!; sleep 0.5; kill -9 $getty
        done")?;
    let answer = guest.sh("hostinfo get physcpus")?;
    assert_eq!(answer.trim_end(), physcpus()?);
    Ok(())
}

#[test]
fn an_old_answer_that_nobody_read_is_not_taken_for_the_next_one() -> Result<()> {
    let (_host, _daemon, mut guest) = served_guest(EVERYTHING)?;
    // The answers come while the port is closed, and what is left of them at its next opening.
    let answer = guest
        .sh("for turn in 1 2 3; do echo 'get physcpus memory' >/dev/ttyS1; sleep 0.1; done
        printf 'half a line' >/dev/ttyS1; hostinfo get vm.name")?;
    assert_eq!(answer, "vm.name=a\n");
    Ok(())
}

/// What the tool says thirty times while `noise` is made all the time, and ten times in JSON.
fn thirty_times_beside(guest: &mut Guest, noise: &str) -> Result<()> {
    let told = guest.sh(&format!(
        "(while :; do {noise}; usleep 60000; done) >/dev/null 2>&1 &
        for i in $(seq 30); do hostinfo get physcpus || echo \"exit $?\"; done | sort | uniq -c
        for i in $(seq 10); do hostinfo --json get physcpus || echo \"exit $?\"; done | sort | uniq -c
        kill $!"
    ))?;
    let told: Vec<&str> = told.lines().map(str::trim).collect();
    let json = physcpus()?.replace("physcpus=", "{\"physcpus\":") + "}";
    assert_eq!(told, [format!("30 {}", physcpus()?), format!("10 {json}")]);
    Ok(())
}

#[test]
fn answers_to_another_program_that_writes_to_the_port_all_the_time_are_not_believed() -> Result<()>
{
    let (_host, _daemon, mut guest) = served_guest(EVERYTHING)?;
    thirty_times_beside(&mut guest, "echo loadavg.1 >/dev/ttyS1")
}

#[test]
fn a_kernel_that_logs_to_the_port_does_not_get_in_the_way_of_an_answer() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Console)?;
    guest.wait_for_host()?;
    // Messages of all levels.
    guest.sh("grep -q ttyS1 /sys/class/tty/console/active; echo 8 >/proc/sys/kernel/printk")?;
    thirty_times_beside(&mut guest, "echo '<4>virtio_net: link is up' >/dev/kmsg")
}

#[test]
fn hostinfo_alone_has_at_most_eight_lines_and_with_all_more_than_twenty() -> Result<()> {
    let (_host, _daemon, mut guest) = served_guest(EVERYTHING)?;
    let brief = guest.sh("hostinfo")?;
    assert!((3..=8).contains(&brief.lines().count()), "{brief}");
    assert!(brief.starts_with("cpu ") && brief.contains("\nhost "), "{brief}");
    let all = guest.sh("hostinfo --all")?;
    assert!(all.lines().count() > 20 && all.contains("load"), "{all}");
    Ok(())
}

#[test]
fn the_exit_status_tells_answered_from_refused_and_too_soon() -> Result<()> {
    let (host, _daemon, mut guest) = served_guest("*:\n  interval = 0\n")?;
    for (command, status) in [
        ("hostinfo get physcpus", 0),
        ("hostinfo get physcpus host.name", 3),
        ("hostinfo get no.such.thing", 3),
        ("hostinfo no.such.thing", 3),
        ("hostinfo --frobnicate", 2),
        ("hostinfo ping", 0),
        ("hostinfo list", 0),
    ] {
        let output = guest.run(command)?;
        assert_eq!(output.status, status, "{command}: {output:?}");
    }
    host.write_rules("*:\n  interval = 1h\n")?;
    let soon = wait_for("the new rules", PATIENCE, || {
        let output = guest.run("hostinfo get physcpus")?;
        Ok((output.status != 0).then_some(output))
    })?;
    assert_eq!(soon.status, 4, "{soon:?}");
    assert_eq!(soon.stdout, "");
    Ok(())
}

#[test]
fn without_a_daemon_hostinfo_says_so_and_what_to_do() -> Result<()> {
    let host = Host::new("")?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    let output = guest.run("hostinfo --timeout 1 get physcpus")?;
    assert_eq!((output.status, &*output.stdout), (5, ""), "{output:?}");
    assert!(output.stderr.contains("<serial type='unix'>"), "{output:?}");
    Ok(())
}
