//! The life of the service under a real systemd, as `make install` lays it out.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::install::run;
use hostinfo_tests::lab::{self, FILES, FOR_ONE_GUEST, Lab, PATIENCE, WITHOUT_GUESTS};
use hostinfo_tests::{FakeGuest, paths, readme};

const RULES: &str = "/etc/hostinfo/hostinfo.conf";

#[test]
fn the_service_is_started_stopped_and_enabled_by_its_name() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        let units = "hostinfo.service hostinfo-run.service hostinfo-run.socket";
        let told = lab.sh(&format!("systemd-analyze verify --man=no {units} 2>&1"))?;
        ensure!(told.is_empty(), "{told}");
        let groups = lab.sh("id -nG hostinfo")?;
        ensure!(groups == "hostinfo\n", "{groups}");

        lab.sh("service hostinfo start")?;
        ensure!(lab.property("ActiveState")? == "active");
        lab.sh("systemctl enable hostinfo 2>&1")?;
        ensure!(lab.sh("systemctl is-enabled hostinfo")? == "enabled\n");
        lab.sh("service hostinfo status")?;
        lab.sh("service hostinfo restart")?;
        lab.sh("service hostinfo reload")?;
        lab.wait_for_journal("settings read again")?;
        lab.sh("service hostinfo stop")?;
        ensure!(lab.property("ActiveState")? == "inactive");
        ensure!(lab.property("Result")? == "success");
        let journal = lab.journal()?;
        // Under emulation, on a machine that is busy, a libvirtd that starts can be that slow.
        let is_slow = |line: &&str| line.contains("libvirt did not answer within");
        let mut warnings = journal.lines().filter(|line| line.contains("WARN"));
        ensure!(warnings.all(|line| is_slow(&line)), "{journal}");
        let left = lab.sh("stat -c '%a %U' /var/lib/hostinfo /var/lib/hostinfod")?;
        ensure!(left == "711 hostinfo\n700 hostinfo\n", "{left}");
        Ok(())
    })
}

#[test]
fn the_first_answer_of_the_readme_comes_as_it_says() -> Result<()> {
    lab::run(FOR_ONE_GUEST, |lab| {
        let mut guest = lab.domain("a").without_port();
        guest.define()?;
        let mut lines = readme::example(0)?.lines();
        // What a package does is in `lab_packages`.
        for start in ["make packages", "apt install"] {
            ensure!(lines.next().is_some_and(|line| line.starts_with(start)), "{start}");
        }
        lab.sh("systemctl enable --now hostinfo")?;
        for line in lines {
            lab.sh(&line.replace("NAME", "a"))?;
        }
        let guest = guest.start()?;
        let told = guest.run(readme::ask_loadavg()?)?;
        ensure!(told.stdout.starts_with("200-loadavg.1="), "{told:?}");
        let told = guest.run("hostinfo --wait get loadavg.1 memory.total")?;
        ensure!(told.status == 0, "{told:?}");
        Ok(())
    })
}

/// The longest that a guest waits for one of ten answers.
fn longest_wait(guest: &mut FakeGuest) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        let begun = Instant::now();
        ensure!(guest.ask("ping")? == ["200 pong"]);
        longest = longest.max(begun.elapsed());
    }
    Ok(longest)
}

/// The CPU time that the daemon has used, in hundredths of a second.
fn cpu_time(lab: &Lab) -> Result<u64> {
    let pid = lab.property("MainPID")?;
    Ok(lab.sh(&format!("awk '{{ print $14 + $15 }}' /proc/{pid}/stat"))?.trim().parse()?)
}

#[test]
fn a_daemon_whose_loop_stands_still_is_started_again_and_vmms_that_send_descriptors_do_not_stop_it()
-> Result<()> {
    lab::run_with(FOR_ONE_GUEST, &[paths::program("slow-vmms")?], |lab| {
        lab.sh("systemctl start hostinfo")?;
        ensure!(lab.property("WatchdogUSec")? == "30s");
        lab.restart_with("[Service]\nWatchdogSec=4s\nTimeoutAbortSec=1s\n")?;
        // Whoever does its work is left alone: it says that it does.
        let mut neighbour = lab.fake_guest("qemu-neighbour")?;
        neighbour.ask("ping")?;
        let in_peace = longest_wait(&mut neighbour)?;
        std::thread::sleep(Duration::from_secs(8));
        ensure!(lab.property("NRestarts")? == "0", "{}", lab.journal()?);

        // More of them than there are threads that close what they send. The kernel is older than 6.16.
        let sockets: String = (0..12).map(|vmm| format!(" /var/lib/hostinfo/qemu-{vmm}")).collect();
        lab.sh(&format!("setsid {FILES}/slow-vmms{sockets} </dev/null >>/run/lab/vmms 2>&1 &"))?;
        wait_until("descriptors of all", PATIENCE, || {
            Ok(lab.journal()?.matches("its VMM has sent descriptors").count() == 12)
        })?;
        let (begun, used) = (Instant::now(), cpu_time(lab)?);
        let waited = longest_wait(&mut neighbour)?;
        std::thread::sleep(Duration::from_secs(8));
        ensure!(lab.property("NRestarts")? == "0", "{}", lab.journal()?);
        ensure!(waited < 4 * in_peace + Duration::from_millis(500), "{waited:?}, not {in_peace:?}");
        let (used, passed) = (u128::from(cpu_time(lab)? - used) * 10, begun.elapsed().as_millis());
        ensure!(used * 4 < passed, "the daemon used {used} ms of CPU time in {passed} ms");

        let pid = lab.property("MainPID")?;
        lab.sh(&format!("kill -STOP {pid}"))?;
        wait_until("another daemon", PATIENCE, || {
            Ok(lab.property("NRestarts")? != "0" && lab.property("ActiveState")? == "active")
        })?;
        ensure!(lab.property("MainPID")? != pid);
        Ok(())
    })
}

#[test]
fn the_socket_that_vmms_connect_to_stays_open_while_the_daemon_crashes() -> Result<()> {
    const SOCKET: &str = "/srv/vm/web/v.sock_4678";
    lab::run(WITHOUT_GUESTS, |lab| {
        let settings = "[[listen]]\npath = '/srv/vm/{name}/v.sock_4678'\ndriver = 'fc'\n\
             user = 'root'\nguests = ['fc-web']\n";
        lab.write("/etc/hostinfo/hostinfod.toml", settings)?;
        lab.write(RULES, EVERYTHING)?;
        lab.sh("install -d -o hostinfo /srv/vm/web")?;
        lab.restart_with("[Service]\nReadWritePaths=/srv/vm\n")?;
        let ask = format!("hostinfo --device {SOCKET} --wait get physcpus");
        lab.sh(&ask)?;
        let before = lab.sh(&format!("stat -c %i {SOCKET}"))?;

        lab.sh("systemctl kill --signal=KILL hostinfo")?;
        // The kernel holds the connection until another daemon is there.
        lab.sh(&ask)?;
        ensure!(lab.property("NRestarts")? == "1", "{}", lab.journal()?);
        ensure!(lab.sh(&format!("stat -c %i {SOCKET}"))? == before);
        lab.sh(&format!("systemctl stop hostinfo && [ ! -e {SOCKET} ]")).map(drop)
    })
}

#[test]
fn rules_with_an_error_stop_no_daemon_that_runs_and_let_none_start() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.sh("systemctl start hostinfo")?;
        lab.write(RULES, "*:\n  interval = often\n")?;
        lab.wait_for_journal("the previous rules stay in force")?;
        lab.sh("systemctl reload hostinfo")?;
        ensure!(lab.property("ActiveState")? == "active");

        ensure!(lab.sh("systemctl restart hostinfo").is_err());
        let journal = lab.journal()?;
        ensure!(journal.contains(&format!("{RULES}:2:14: error:")), "{journal}");
        ensure!(lab.property("ExecMainStatus")? == "78");
        // Nothing would be better the next time.
        std::thread::sleep(Duration::from_secs(2));
        ensure!(lab.property("NRestarts")? == "0");

        lab.write(RULES, "*:\n  interval = 5\n")?;
        lab.sh("systemctl restart hostinfo")?;
        Ok(())
    })
}

/// As much of the sources as `make uninstall` looks at, as a compressed tar in base64.
fn source() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let parts = "scripts dist docs README.md SECURITY.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT";
    for part in parts.split(' ') {
        run(Command::new("cp").arg("-r").arg(paths::workspace().join(part)).arg(folder.path()))?;
    }
    run(Command::new(paths::program("hostinfo-pages")?).arg(folder.path().join("pages")))?;
    let pack = "tar --owner=0 --group=0 -C \"$0\" -cz . | base64";
    run(Command::new("sh").args(["-c", pack]).arg(folder.path()))
}

#[test]
fn make_uninstall_leaves_no_service_behind() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.sh("systemctl enable --now --quiet hostinfo")?;
        let pid = lab.property("MainPID")?;
        lab.write("/srv/source.base64", &source()?)?;
        lab.sh("mkdir /srv/source && cd /srv/source && base64 -d ../source.base64 | tar -xz && \
             PREFIX=/usr DESTDIR= BUILT=. GUEST_TOOL=. PAGES=pages scripts/install uninstall")?;
        ensure!(lab.sh("find / -xdev -xtype l -name 'hostinfo*'")?.is_empty());
        lab.sh(&format!("[ ! -e /proc/{pid} ]"))?;
        ensure!(lab.property("LoadState")? == "not-found");
        lab.sh("[ -d /var/lib/hostinfo ]")?;
        Ok(())
    })
}

#[test]
fn a_directory_that_the_service_may_not_use_ends_it_for_good_with_the_remedy() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.sh("chown root:root /var/lib/hostinfo")?;
        ensure!(lab.sh("systemctl start hostinfo").is_err());
        ensure!(lab.property("ExecMainStatus")? == "78", "{}", lab.journal()?);
        std::thread::sleep(Duration::from_secs(2));
        ensure!(lab.property("NRestarts")? == "0");
        let journal = lab.journal()?;
        let remedy = "systemd-tmpfiles --create hostinfo.conf";
        ensure!(
            journal.contains(&format!(
                "/var/lib/hostinfo: permission denied: hostinfod's user has to own it: `{remedy}`"
            )),
            "{journal}"
        );
        lab.sh(remedy)?;
        lab.sh("systemctl start hostinfo")?;
        Ok(())
    })
}

#[test]
fn the_log_goes_to_the_journal_with_its_fields_or_to_a_file_as_the_settings_say() -> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        let log_to = |output: &str| {
            let settings = format!("[log]\noutput = '{output}'\n");
            lab.write("/etc/hostinfo/hostinfod.toml", &settings)?;
            lab.sh("systemctl restart hostinfo")
        };
        log_to("journald")?;
        let events = "journalctl _SYSTEMD_UNIT=hostinfo.service HOSTINFO_EVENT=rules-loaded";
        wait_until("the event", PATIENCE, || Ok(lab.sh(events)?.contains("in force")))?;
        log_to("file")?;
        lab.sh("grep 'in force' /var/log/hostinfo/hostinfod.log")?;
        Ok(())
    })
}

#[test]
fn the_guests_service_is_started_by_its_first_client_and_leaves_nothing_when_it_is_removed()
-> Result<()> {
    lab::run(WITHOUT_GUESTS, |lab| {
        lab.sh("systemctl start hostinfo")?;
        let told = lab.sh("sh /usr/share/hostinfo/guest/install /usr/bin/hostinfo")?;
        ensure!(told.starts_with("hostinfo serve runs"), "{told}");
        let verified = lab.sh(
            "systemd-analyze verify --man=no hostinfo-serve.service hostinfo-serve.socket 2>&1",
        )?;
        ensure!(verified.is_empty(), "{verified}");
        let modes = lab.sh("stat -c '%a %U %G' /run/hostinfo.sock")?;
        ensure!(modes == "666 hostinfo hostinfo\n", "{modes}");
        lab.sh("systemctl stop hostinfo-serve.service")?;
        // Without a host to ask, it is there all the same, and answers what it knows itself.
        let told = lab.sh("hostinfo --device /run/hostinfo.sock ping")?;
        ensure!(told.contains("answers on unix:/run/hostinfo.sock"), "{told}");
        wait_until("the service to run", PATIENCE, || {
            Ok(lab.sh("systemctl is-active hostinfo-serve.service || :")? == "active\n")
        })?;
        let scraped = lab.sh(
            "bash -c 'exec 3<>/dev/tcp/127.0.0.1/4679; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'",
        )?;
        ensure!(scraped.starts_with("HTTP/1.1 404 "), "{scraped}");
        lab.sh("sh /usr/share/hostinfo/guest/install --remove")?;
        let left = lab.sh("ls /etc/systemd/system /etc/udev/rules.d | grep hostinfo || :")?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
}
