//! The service under a real systemd, with a real libvirtd beside it, as `make install` lays it out.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::guest::serial_at;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::Process;
use hostinfo_tests::{Domain, DomainGuest, FakeGuest, FakeQemu, Machine};
use serde_json::{Map, Value};

const RULES: &str = "/etc/hostinfo/hostinfo.conf";

#[test]
fn the_service_is_started_stopped_and_enabled_by_its_name() -> Result<()> {
    let machine = Machine::boot()?;
    let told = machine.shell("systemd-analyze verify --man=no hostinfo.service 2>&1")?;
    ensure!(told.is_empty(), "{told}");
    let groups = machine.shell("id -nG hostinfo")?;
    ensure!(groups == "hostinfo\n", "{groups}");

    machine.shell("service hostinfo start")?;
    ensure!(machine.property("ActiveState")? == "active");
    machine.shell("systemctl enable hostinfo 2>&1")?;
    ensure!(machine.shell("systemctl is-enabled hostinfo")? == "enabled\n");
    machine.shell("service hostinfo status")?;
    machine.shell("service hostinfo restart")?;
    machine.shell("service hostinfo reload")?;
    machine.wait_for_journal("settings read again")?;
    machine.shell("service hostinfo stop")?;
    ensure!(machine.property("ActiveState")? == "inactive");
    ensure!(machine.property("Result")? == "success");
    let left = machine.shell("stat -c '%a %U' /var/lib/hostinfo /var/lib/hostinfod")?;
    ensure!(left == "711 hostinfo\n700 hostinfo\n", "{left}");
    Ok(())
}

/// The lines of shell of the `number`th example below the README's "Use it".
fn example(number: usize) -> Result<&'static str> {
    let (_, rest) =
        include_str!("../../README.md").split_once("## Use it").context("no such part")?;
    let example = rest.split("```\n").nth(2 * number + 1);
    example.context("no such example")
}

#[test]
fn who_does_what_the_readme_says_gets_an_answer() -> Result<()> {
    let machine = Machine::boot()?;
    let domain = Domain::define(&machine, "a", "")?;
    let mut lines = example(0)?.lines();
    ensure!(lines.next().is_some_and(|line| line.starts_with("make build && sudo make install")));
    for line in lines {
        machine.shell(&line.replace("sudo ", "").replace("NAME", "a"))?;
    }
    let mut guest = domain.boot(&machine)?;
    let told = guest.run(example(1)?)?;
    ensure!(told.stdout.starts_with("200-loadavg.1="), "{told:?}");
    let told = guest.run("hostinfo --wait get loadavg.1 memory.total")?;
    ensure!(told.status == 0, "{told:?}");
    Ok(())
}

#[test]
fn a_daemon_whose_loop_stands_still_is_started_again() -> Result<()> {
    let machine = Machine::boot()?;
    machine.shell("systemctl start hostinfo")?;
    ensure!(machine.property("WatchdogUSec")? == "30s");
    machine.restart_with("[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n")?;
    // Whoever does its work is left alone: it says that it does.
    std::thread::sleep(Duration::from_secs(4));
    ensure!(machine.property("NRestarts")? == "0", "{}", machine.journal()?);

    let pid = machine.property("MainPID")?;
    machine.shell(&format!("kill -STOP {pid}"))?;
    wait_until("another daemon", PATIENCE, || {
        Ok(machine.property("NRestarts")? == "1" && machine.property("ActiveState")? == "active")
    })?;
    ensure!(machine.property("MainPID")? != pid);
    Ok(())
}

#[test]
fn rules_with_an_error_stop_no_daemon_that_runs_and_let_none_start() -> Result<()> {
    let machine = Machine::boot()?;
    machine.shell("systemctl start hostinfo")?;
    machine.write(RULES, "*:\n  interval = often\n")?;
    machine.wait_for_journal("the rules stay as they were")?;
    machine.shell("systemctl reload hostinfo")?;
    ensure!(machine.property("ActiveState")? == "active");

    ensure!(machine.shell("systemctl restart hostinfo").is_err());
    let journal = machine.journal()?;
    ensure!(journal.contains(&format!("{RULES}:2:14: error:")), "{journal}");
    ensure!(machine.property("ExecMainStatus")? == "78");
    // Nothing would be better the next time.
    std::thread::sleep(Duration::from_secs(2));
    ensure!(machine.property("NRestarts")? == "0");

    machine.write(RULES, "*:\n  interval = 5\n")?;
    machine.shell("systemctl restart hostinfo")?;
    Ok(())
}

/// What a guest is told by one of its ports, all at once.
fn all(guest: &mut DomainGuest, device: &str) -> Result<Map<String, Value>> {
    let told = guest.run(&format!("hostinfo --device {device} --json get '*'"))?;
    serde_json::from_str(&told.stdout).with_context(|| format!("{told:?}"))
}

#[test]
fn the_log_goes_to_the_journal_with_its_fields_or_to_a_file_if_it_is_to() -> Result<()> {
    let machine = Machine::boot()?;
    let log_to = |output: &str| {
        let settings = format!("[log]\noutput = '{output}'\n");
        machine.write("/etc/hostinfo/hostinfod.toml", &settings)?;
        machine.shell("systemctl restart hostinfo")
    };
    log_to("journald")?;
    let events = "journalctl _SYSTEMD_UNIT=hostinfo.service HOSTINFO_EVENT=rules-loaded";
    wait_until("the event", PATIENCE, || Ok(machine.shell(events)?.contains("in force")))?;
    log_to("file")?;
    machine.shell("grep 'in force' /var/log/hostinfo/hostinfod.log")?;
    Ok(())
}

#[test]
fn an_administrator_asks_the_service_and_so_may_a_group_and_prometheus() -> Result<()> {
    let machine = Machine::boot()?;
    // Nobody listens at a port that was free a moment ago; the machine has this one's network.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let settings = format!("[metrics]\nlisten = '{address}'\n[control]\ngroup = 'hostinfo'\n");
    machine.write("/etc/hostinfo/hostinfod.toml", &settings)?;
    machine.shell("systemctl start hostinfo && hostinfoctl stats")?;
    machine.shell("setpriv --reuid backup --regid backup --groups hostinfo hostinfoctl stats")?;
    let stranger = "setpriv --reuid backup --regid backup --clear-groups hostinfoctl stats";
    ensure!(machine.shell(stranger).is_err_and(|error| error.to_string().contains("permi")));

    let mut prometheus = TcpStream::connect(address)?;
    prometheus.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut metrics = String::new();
    prometheus.read_to_string(&mut metrics)?;
    ensure!(metrics.contains("hostinfod_build_info{"), "{metrics}");
    Ok(())
}

#[test]
fn a_guest_of_libvirts_own_user_sees_what_it_would_see_without_the_sandbox() -> Result<()> {
    let machine = Machine::boot()?;
    machine.write(
        RULES,
        &format!("qemu-a:\n  vhostmd-disk = 1\n  interval = 0\n  all = 1\n{EVERYTHING}"),
    )?;
    machine.shell("systemctl start hostinfo; mkdir /srv/outside")?;
    machine.write("/srv/hostinfod.toml", "")?;
    let _outside = Process::start(
        machine.command(&["hostinfod", "--config", "/srv/hostinfod.toml"]).args([
            "--socket-dir",
            "/srv/outside",
            "--state-dir",
            "/srv/state",
            "--control",
            "/srv/control",
        ]),
        machine.path("/srv/outside.log"),
    )?;
    let second = serial_at(2, Path::new("/srv/outside/qemu-a"))?;
    let domain = Domain::define(&machine, "a", &second)?;
    machine.shell("hostinfoctl enable a")?;
    let mut guest = domain.boot(&machine)?;
    let (inside, outside) = ("/dev/ttyS1", "/dev/ttyS2");
    // Ratios need a second, and libvirt's figures are those that the question before asked for.
    let names = |told: Map<String, Value>| told.into_iter().map(|(name, _)| name).collect();
    let mut told: [BTreeSet<String>; 2] = Default::default();
    let settled = wait_until("the same statistics", PATIENCE, || {
        told = [names(all(&mut guest, inside)?), names(all(&mut guest, outside)?)];
        let known = ["vm.disk.vda.read.ops", "vm.cpu.0.delay", "cpu.busy", "net.rx.bytes"];
        Ok(told[0] == told[1] && known.iter().all(|name| told[0].contains(*name)))
    });
    settled.with_context(|| format!("differ: {:?}", &told[0] ^ &told[1]))?;

    let [before, here, after] = [outside, inside, outside].map(|port| all(&mut guest, port));
    let (before, here, after) = (before?, here?, after?);
    // What nobody's asking changes: what falls never, and what stays. The others have no order.
    let owns = ["session", "host.id", "verdict.cpu", "verdict.memory", "verdict.io"];
    let listed = guest.run("hostinfo list")?.stdout;
    for line in listed.lines() {
        let mut words = line.split(' ');
        let (Some(name), Some(kind)) = (words.next(), words.next()) else { continue };
        let Some(value) = here.get(name) else { continue };
        let (low, high) = (&before[name], &after[name]);
        let is_same = match kind {
            "counter" if !name.starts_with("vm.emulator") => {
                (low.as_f64()..=high.as_f64()).contains(&value.as_f64())
            }
            "info" if !owns.contains(&name) => value == low,
            _ => true,
        };
        ensure!(is_same, "{name}: {low}, in the unit {value}, {high}");
    }
    for name in ["physcpus", "cpu.cores", "memory.total", "vm.vcpus.max", "vm.memory.maximum"] {
        ensure!(here[name] == before[name], "{name}");
    }

    let disk = machine.shell(
        "setpriv --reuid libvirt-qemu --regid libvirt-qemu --clear-groups \
         head -c 4 /var/lib/hostinfo/disk/qemu-a",
    )?;
    ensure!(disk == "mvbd", "{disk:?}");
    machine.shell("hostname elsewhere")?;
    ensure!(guest.ask("host.name")? == ["200 host.name=elsewhere"]);
    Ok(())
}

/// A guest of the service that is none: root's, with a socket of the mode that libvirt's have.
fn guest(machine: &Machine, name: &str) -> Result<FakeGuest> {
    let socket = machine.path(&format!("/var/lib/hostinfo/{name}"));
    let qemu = FakeQemu::listen(&socket)?;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o775))?;
    qemu.accept()
}

/// Asks for a statistic of the administrator's, which has that value.
fn expect(guest: &mut FakeGuest, name: &str, value: &str) -> Result<()> {
    let told = guest.ask_one(&format!("custom.{name}"))?;
    ensure!(told == format!("200 custom.{name}={value}"), "{told}");
    Ok(())
}

/// A statistic that a line of shell prints, in the sandbox of the service.
fn custom(name: &str, user: &str, line: &str) -> String {
    format!(
        "[custom.{name}]\nkind = 'info'\nhelp = 'a test'\nevery = '1s'\ntimeout = '20s'\n{user}\n\
         command = ['/bin/sh', '-c', '''{line}''']\n"
    )
}

#[test]
fn whoever_gets_hold_of_the_daemon_can_write_only_what_is_its_own() -> Result<()> {
    let machine = Machine::boot()?;
    machine.write(RULES, EVERYTHING)?;
    let write = "for folder in / /etc /etc/hostinfo /usr/local/sbin /var /home /root /dev \
         /var/lib /var/lib/hostinfo /var/lib/hostinfod /run /run/hostinfo /sys /proc/sys/kernel \
         /sys/fs/cgroup /usr/open; do (: >$folder/x) 2>/dev/null && printf %s, $folder; done; echo .";
    let read = "for file in /etc/shadow /home/open /tmp/open /proc/1/environ /dev/kmsg /dev/net/tun; do \
         (: <$file) 2>/dev/null && printf %s, $file; done; echo .";
    let call = "for call in \"mount -t tmpfs none /tmp\" \"unshare -U true\" \"chroot / true\" \
         \"renice -n 5 -p $$\" \"setpriv --reuid 0 true\" \"hostname x\" \"su -c true\"; do \
         $call 2>/dev/null </dev/null && printf %s, \"$call\"; done; echo .";
    let file = custom("write", "", write) + &custom("read", "", read) + &custom("call", "", call);
    machine.write("/etc/hostinfo/custom.d/test.toml", &file)?;
    // What everybody may write or read, who is not kept from it.
    machine.shell("mkdir -m 777 /usr/open; echo >/home/open; echo >/tmp/open")?;
    machine.shell("systemctl start hostinfo")?;
    let mut guest = guest(&machine, "qemu-fake")?;
    let own = "/var/lib/hostinfo,/var/lib/hostinfod,/run/hostinfo,.";
    expect(&mut guest, "write", own)?;
    expect(&mut guest, "read", ".")?;
    expect(&mut guest, "call", ".")?;
    Ok(())
}

#[test]
fn commands_run_as_other_users_where_the_service_may_and_take_nothing_of_that_along() -> Result<()>
{
    let machine = Machine::boot()?;
    machine.write(RULES, EVERYTHING)?;
    let who = "echo $(id -un) $(grep CapEff /proc/self/status | cut -f 2)";
    let others = custom("backup", "user = 'backup'", who)
        + &custom("hangs", "user = 'backup'", "sleep 77").replace("20s", "1s");
    machine.write("/etc/hostinfo/custom.d/mine.toml", &custom("mine", "", who))?;
    machine.write("/etc/hostinfo/custom.d/others.toml", &others)?;
    machine.shell("systemctl start hostinfo")?;
    machine.wait_for_journal("hostinfod may not run a command as `backup`")?;
    const NONE: &str = "0000000000000000";
    let mut fake = guest(&machine, "qemu-a")?;
    expect(&mut fake, "mine", &format!("hostinfo {NONE}"))?;

    let page = include_str!("../../docs/custom.md");
    let (_, drop_in) = page.split_once("```\n[Service]\n").context("no drop-in")?;
    let (drop_in, _) = drop_in.split_once("```").context("no end of the drop-in")?;
    machine.restart_with(&format!("[Service]\n{drop_in}"))?;
    let mut fake = guest(&machine, "qemu-b")?;
    expect(&mut fake, "mine", &format!("nobody {NONE}"))?;
    expect(&mut fake, "backup", &format!("backup {NONE}"))?;
    ensure!(fake.ask_one("custom.hangs")?.starts_with("503"));
    wait_until("the end of the command that hangs", PATIENCE, || {
        Ok(machine.shell("grep -sl ^sleep /proc/[0-9]*/comm || true")?.is_empty())
    })?;
    Ok(())
}
