//! What the sandbox of the service keeps from the daemon, and what it does not: a real systemd, with
//! a real libvirtd beside the service.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::FakeGuest;
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::guest::serial_at;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, FOR_ONE_GUEST, LabGuest, PATIENCE, WITHOUT_GUESTS};
use serde_json::{Map, Value};

const RULES: &str = "/etc/hostinfo/hostinfo.conf";

/// What a guest is told by one of its ports, all at once.
fn all(guest: &LabGuest, device: &str) -> Result<Map<String, Value>> {
    let told = guest.run(&format!("hostinfo --device {device} --json get '*'"))?;
    serde_json::from_str(&told.stdout).with_context(|| format!("{told:?}"))
}

#[test]
fn an_administrator_asks_the_service_and_so_may_a_group_and_prometheus() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        let settings = "[metrics]\nlisten = '127.0.0.1:9177'\n[control]\ngroup = 'hostinfo'\n";
        lab.write("/etc/hostinfo/hostinfod.toml", settings)?;
        let scrape = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/9177
            printf \"GET /metrics HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'";
        // Without it the service has no network, and the log says what gives it some.
        lab.sh("systemctl start hostinfo && hostinfoctl stats")?;
        let log = lab.sh("journalctl -u hostinfo --no-pager")?;
        ensure!(
            log.contains("add RestrictAddressFamilies=AF_INET AF_INET6 under [Service]"),
            "{log}"
        );
        ensure!(lab.sh(scrape).is_err());
        lab.sh("mkdir -p /etc/systemd/system/hostinfo.service.d")?;
        let network = "[Service]\nRestrictAddressFamilies=AF_INET AF_INET6\n";
        lab.write("/etc/systemd/system/hostinfo.service.d/metrics.conf", network)?;
        lab.sh("systemctl daemon-reload && systemctl restart hostinfo && hostinfoctl stats")?;
        lab.sh("setpriv --reuid backup --regid backup --groups hostinfo hostinfoctl stats")?;
        let outsider = "setpriv --reuid backup --regid backup --clear-groups hostinfoctl stats";
        ensure!(lab.sh(outsider).is_err_and(|error| error.to_string().contains("may not connect")));

        let metrics = lab.sh(scrape)?;
        ensure!(metrics.contains("hostinfod_build_info{"), "{metrics}");
        Ok(())
    })
}

#[test]
fn no_part_of_hostinfo_may_have_a_service_manager_that_starts_programs_for_its_user() -> Result<()>
{
    lab::run(WITHOUT_GUESTS, |lab| {
        let linger = |user: &str| {
            lab.sh(&format!("runuser -u {user} -- loginctl enable-linger {user} 2>&1"))
        };
        linger("backup").context("other users may, so the rule is needed")?;
        for user in ["hostinfo", "hostinfo-custom"] {
            let denied = linger(user).err().with_context(|| format!("{user} may"))?;
            ensure!(denied.to_string().contains("denied"), "{denied}");
        }
        ensure!(lab.sh("ls /var/lib/systemd/linger")? == "backup\n");
        Ok(())
    })
}

#[test]
fn a_guest_of_libvirts_own_user_sees_what_it_would_see_without_the_sandbox() -> Result<()> {
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.write(
            RULES,
            &format!("qemu-a:\n  vhostmd-disk = 1\n  interval = 0\n  all = 1\n{EVERYTHING}"),
        )?;
        lab.sh("systemctl start hostinfo; mkdir /srv/outside")?;
        lab.write("/srv/hostinfod.toml", "[security]\nlandlock = false\nseccomp = false\n")?;
        lab.sh("systemd-run -q hostinfod --config /srv/hostinfod.toml --socket-dir /srv/outside \
             --state-dir /srv/state --control /srv/control")?;
        let second = serial_at(2, Path::new("/srv/outside/qemu-a"))?;
        let interface = "<interface type='ethernet'><model type='virtio'/></interface>";
        let mut guest = lab.domain("a").without_port().disk(64).devices(&(second + interface));
        guest.define()?;
        lab.sh("hostinfoctl enable a")?;
        let guest = guest.start()?;
        let (inside, outside) = ("/dev/ttyS1", "/dev/ttyS2");
        // Ratios need a second, and libvirt's figures are those that the question before asked for.
        let names = |told: &Map<String, Value>| told.keys().cloned().collect::<BTreeSet<_>>();
        let known = ["vm.disk.vda.read.ops", "vm.cpu.0.delay", "cpu.busy", "net.rx.bytes"];
        let mut told: [Map<String, Value>; 3] = Default::default();
        let settled = wait_until("the same statistics", PATIENCE, || {
            for (told, port) in told.iter_mut().zip([outside, inside, outside]) {
                *told = all(&guest, port)?;
            }
            let [before, here, after] = told.each_ref().map(names);
            Ok(before == here && here == after && known.iter().all(|name| here.contains(*name)))
        });
        let [before, here, after] = &told;
        settled.with_context(|| format!("differ: {:?}", &names(before) ^ &names(here)))?;
        // What nobody's asking changes: what falls never, and what stays. The others have no order.
        let owns =
            |name: &str| ["session", "host.id"].contains(&name) || name.starts_with("verdict.");
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
                "info" if !owns(name) => value == low,
                _ => true,
            };
            ensure!(is_same, "{name}: {low}, in the unit {value}, {high}");
        }
        for name in ["physcpus", "cpu.cores", "memory.total", "vm.vcpus.max", "vm.memory.maximum"] {
            ensure!(here[name] == before[name], "{name}");
        }

        let disk = lab.sh("setpriv --reuid libvirt-qemu --regid libvirt-qemu --clear-groups \
             head -c 4 /var/lib/hostinfo/disk/qemu-a")?;
        ensure!(disk == "mvbd", "{disk:?}");
        lab.sh("hostname elsewhere")?;
        ensure!(guest.ask("host.name")? == ["200 host.name=elsewhere"]);
        Ok(())
    })
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

/// Directories in which it can make a file, of some that everybody may write to or that are somebody's.
const WRITE: &str = "for folder in / /etc /etc/hostinfo /usr/local/sbin /var /home /root /dev \
     /var/lib /var/lib/hostinfo /var/lib/hostinfod /run /run/hostinfo /sys /proc/sys/kernel \
     /sys/fs/cgroup /usr/open; do (: >$folder/x) 2>/dev/null && printf %s, $folder; done; echo .";

/// Files that it can read, of some that everybody may read or that are somebody's.
const READ: &str = "for file in /etc/shadow /home/open /tmp/open /proc/1/environ /dev/kmsg /dev/net/tun; do \
     (: <$file) 2>/dev/null && printf %s, $file; done; echo .";

/// What it can do of what a service never does.
const CALL: &str = "for call in \"mount -t tmpfs none /tmp\" \"unshare -U true\" \"chroot / true\" \
     \"renice -n 5 -p $$\" \"setpriv --reuid 0 true\" \"hostname x\" \"su -c true\"; do \
     $call 2>/dev/null </dev/null && printf %s, \"$call\"; done; echo .";

/// What the daemon tries once it has confined itself, and what becomes of it. The sandbox of the unit alone would permit
/// the first five, and forks without end.
const ATTEMPTS: [(&str, &str); 9] = [
    ("write /tmp/attempt", "Permission denied"),
    ("mkdir /var/tmp/attempt", "Permission denied"),
    ("start /bin/true", "Permission denied"),
    ("execute /bin/true", "Permission denied"),
    ("fork /usr/sbin/hostinfod", "Operation not permitted"),
    ("connect 127.0.0.1:1", "Operation not permitted"),
    ("start-many /usr/sbin/hostinfod", "Resource temporarily unavailable"),
    ("start /usr/sbin/hostinfod", "done"),
    ("write /var/lib/hostinfod/attempt", "done"),
];

/// Makes what anybody may write or read, so that only the sandbox can keep the daemon from it.
const OPEN: &str = "mkdir -m 777 /usr/open; echo >/home/open; echo >/tmp/open";

#[test]
fn a_hijacked_daemon_in_its_service_can_write_only_its_own_files() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.write(RULES, EVERYTHING)?;
        lab.sh(OPEN)?;
        let lines = [("write", WRITE), ("read", READ), ("call", CALL)];
        let probe: String =
            lines.map(|(name, line)| format!("echo \"{name}: $({line})\"\n")).concat();
        lab.write("/usr/local/lib/probe", &probe)?;
        // In the sandbox of the service, as its user; and in the daemon itself, which confines itself beyond that.
        let attempts: Vec<&str> = ATTEMPTS.map(|(attempt, _)| attempt).into();
        lab.restart_with(&format!(
            "[Service]\nExecStartPre=/bin/sh /usr/local/lib/probe\nEnvironment=\"HOSTINFOD_ATTEMPTS={}\"\n",
            attempts.join(";")
        ))?;
        lab.wait_for_journal("write: /var/lib/hostinfo,/var/lib/hostinfod,/run/hostinfo,.")?;
        lab.wait_for_journal("read: .")?;
        lab.wait_for_journal("call: .")?;
        for (attempt, outcome) in ATTEMPTS {
            lab.wait_for_journal(&format!("attempt {attempt}: {outcome}"))?;
        }
        // It goes on, and so does its helper.
        lab.wait_for_journal("libvirt answers")?;
        lab.sh("hostinfoctl status").map(drop)
    })
}

#[test]
fn a_command_reaches_nothing_of_the_daemons_and_writes_nowhere() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.write(RULES, EVERYTHING)?;
        lab.sh(OPEN)?;
        lab.sh("systemctl start hostinfo hostinfo-open.socket")?;
        let daemon = lab.property("MainPID")?;
        let reach = format!(
            "kill -0 {daemon} 2>/dev/null && printf signal,; \
             for socket in /run/hostinfo-open.sock /run/hostinfo-run.sock /run/hostinfo/control.sock; \
             do [ -w $socket ] && printf %s, $socket; done; \
             (: </var/lib/hostinfod/secret) 2>/dev/null && printf secret,; echo ."
        );
        // Whoever is the daemon's user can do all of it, so the test would notice.
        let as_daemon = "setpriv --reuid hostinfo --regid hostinfo --clear-groups sh -s";
        let told = lab.sh(&format!("{as_daemon} <<'END'\n{reach}\nEND"))?;
        let all = "signal,/run/hostinfo-open.sock,/run/hostinfo-run.sock,/run/hostinfo/control.sock,secret,.\n";
        ensure!(told == all, "{told}");

        let definitions = custom("reach", "", &reach)
            + &custom("write", "", WRITE)
            + &custom("read", "", READ)
            + &custom("call", "", CALL)
            + &custom("who", "", "id -un");
        lab.write("/etc/hostinfo/custom.d/test.toml", &definitions)?;
        lab.sh("systemctl reload hostinfo")?;
        lab.wait_for_journal("settings read again")?;
        let mut guest = lab.fake_guest("qemu-fake")?;
        expect(&mut guest, "who", "hostinfo-custom")?;
        for name in ["reach", "write", "read", "call"] {
            expect(&mut guest, name, ".")?;
        }
        // Its own service lets it keep commands apart.
        let told = lab.sh("journalctl --no-pager --output=cat --unit=hostinfo-run")?;
        ensure!(!told.contains("commands of the same user can"), "{told}");
        // What it may: see the host as any user does, and a /tmp of its own.
        let see = custom(
            "see",
            "",
            &format!("[ -r /proc/{daemon}/stat ] && ls /sys/class/net | grep -c lo"),
        );
        let scratch = custom("scratch", "", "echo 7 >/tmp/x && cat /tmp/x");
        let closed = custom("closed", "", "[ -x /run/hostinfo ] || echo closed");
        lab.write("/etc/hostinfo/custom.d/test.toml", &(see + &scratch + &closed))?;
        lab.sh("systemctl reload hostinfo")?;
        wait_until("the new definitions", PATIENCE, || {
            Ok(guest.ask_one("custom.scratch")? == "200 custom.scratch=7")
        })?;
        expect(&mut guest, "see", "1")?;
        expect(&mut guest, "closed", "closed")?;
        // The daemon's directory is another one then.
        lab.sh("systemctl restart hostinfo")?;
        let mut guest = lab.fake_guest("qemu-next")?;
        expect(&mut guest, "closed", "closed")
    })
}

#[test]
fn commands_are_unavailable_while_their_service_is_and_come_back_with_it() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.write(RULES, EVERYTHING)?;
        lab.write("/etc/hostinfo/custom.d/test.toml", &custom("seven", "", "echo 7"))?;
        lab.sh("systemctl start hostinfo")?;
        lab.wait_for_journal("libvirt answers")?;
        lab.sh("hostinfoctl status")?;
        let mut guest = lab.fake_guest("qemu-fake")?;
        expect(&mut guest, "seven", "7")?;
        // It is started again by the socket.
        lab.sh("systemctl kill --signal=KILL hostinfo-run.service")?;
        wait_until("a new hostinfo-run", PATIENCE, || {
            Ok(guest.ask_one("custom.seven")? == "200 custom.seven=7")
        })?;
        lab.sh("systemctl stop hostinfo-run.socket")?;
        wait_until("the failure", PATIENCE, || {
            Ok(guest.ask_one("custom.seven")? == "503 custom.seven: could not be read on this host")
        })?;
        let told = lab.sh("! hostinfoctl status")?;
        ensure!(told.contains("systemctl start hostinfo-run.socket"), "{told}");
        lab.sh("systemctl start hostinfo-run.socket")?;
        wait_until("the value", PATIENCE, || {
            Ok(guest.ask_one("custom.seven")? == "200 custom.seven=7")
        })?;
        lab.sh("hostinfoctl status").map(drop)
    })
}

#[test]
fn commands_run_as_other_users_where_the_service_may_and_take_nothing_of_that_along() -> Result<()>
{
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.write(RULES, EVERYTHING)?;
        let who = "echo $(id -un) $(id -Gn) $(grep CapEff /proc/self/status | cut -f 2)";
        let read =
            "[custom.read]\nkind = 'info'\nhelp = 'a test'\nfile = '/srv/read'\nuser = 'backup'\n";
        lab.sh("echo 7 >/srv/read; chown backup /srv/read; chmod 400 /srv/read")?;
        let others = custom("backup", "user = 'backup'", who)
            + &custom("daemon", "user = 'hostinfo'", who)
            + &custom("hangs", "user = 'backup'", "sleep 77").replace("20s", "1s");
        lab.write("/etc/hostinfo/custom.d/mine.toml", &custom("mine", "", who))?;
        lab.write("/etc/hostinfo/custom.d/others.toml", &others)?;
        lab.write("/etc/hostinfo/custom.d/file.toml", read)?;
        lab.sh("systemctl start hostinfo")?;
        lab.wait_for_journal("custom.read: the service may not act as user `backup`")?;
        const NONE: &str = "0000000000000000";
        let mut fake = lab.fake_guest("qemu-a")?;
        expect(&mut fake, "mine", &format!("hostinfo-custom hostinfo-custom {NONE}"))?;
        ensure!(fake.ask_one("custom.backup")?.starts_with("503"));
        lab.wait_for_journal("does not run its command: the service may not act as user `backup`")?;

        let page = include_str!("../../docs/custom.md");
        let (_, drop_in) =
            page.split_once("```\n[Service]\nAmbientCapabilities").context("no drop-in")?;
        let (drop_in, _) = drop_in.split_once("```").context("no end of the drop-in")?;
        let drop_in = format!("[Service]\nAmbientCapabilities{drop_in}");
        lab.write("/etc/systemd/system/hostinfo-run.service.d/test.conf", &drop_in)?;
        lab.restart_with(&drop_in)?;
        lab.sh("systemctl stop hostinfo-run.service")?;
        let mut fake = lab.fake_guest("qemu-b")?;
        expect(&mut fake, "mine", &format!("nobody nogroup {NONE}"))?;
        expect(&mut fake, "backup", &format!("backup backup {NONE}"))?;
        expect(&mut fake, "read", "7")?;
        ensure!(fake.ask_one("custom.daemon")?.starts_with("503"));
        lab.wait_for_journal("its user is hostinfod's own")?;
        ensure!(fake.ask_one("custom.hangs")?.starts_with("503"));
        wait_until("the end of the command that hangs", PATIENCE, || {
            Ok(lab.sh("grep -sl ^sleep /proc/[0-9]*/comm || true")?.is_empty())
        })?;
        Ok(())
    })
}
