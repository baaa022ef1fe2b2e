//! The CPUs' energy meters, which the kernel keeps to root, and the udev rule that opens them to the daemon.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::install::run;
use hostinfo_tests::paths::{program, workspace};
use hostinfo_tests::process::{Process, tied};
use hostinfo_tests::{FakeGuest, Host};

/// The user and the group that the daemon runs as: nothing else belongs to them.
const USER: u32 = 65_534;
const GROUP: u32 = 54_321;

/// What udev would run for the device in that folder: it puts `/sys` and the device's path together.
fn rule(device: &Path) -> Result<Vec<String>> {
    let rules = fs::read_to_string(workspace().join("dist/udev.rules"))?;
    let commands: Vec<String> = rules
        .split("RUN+=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|command| command.replace("$sys$devpath", &device.display().to_string()))
        .map(|command| command.replace(" hostinfo ", &format!(" {GROUP} ")))
        .collect();
    ensure!(!commands.is_empty() && commands.iter().all(|one| !one.contains('$')), "{commands:?}");
    Ok(commands)
}

/// A thread of this program that runs as a vCPU does, until it is dropped.
struct Vcpu(Option<std::thread::JoinHandle<()>>);

static STOP: AtomicBool = AtomicBool::new(false);

impl Vcpu {
    fn start() -> Result<Self> {
        let spin = || {
            while !STOP.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        };
        Ok(Self(Some(std::thread::Builder::new().name("CPU 0/KVM".to_owned()).spawn(spin)?)))
    }
}

impl Drop for Vcpu {
    fn drop(&mut self) {
        STOP.store(true, Ordering::Relaxed);
        let _ = self.0.take().map(std::thread::JoinHandle::join);
    }
}

#[test]
fn meters_of_root_alone_are_named_with_the_rule_that_opens_them_and_it_does() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let zone = host.path().join("sys/class/powercap/intel-rapl:0");
    fs::create_dir_all(&zone)?;
    fs::write(zone.join("name"), "package-0\n")?;
    fs::write(zone.join("max_energy_range_uj"), "262143328850\n")?;
    let meter = zone.join("energy_uj");
    fs::write(&meter, "5000000\n")?;
    fs::set_permissions(&meter, Permissions::from_mode(0o400))?;
    host.write_config(&format!("[paths]\nsys_root = '{}'\n", host.path().join("sys").display()))?;
    fs::set_permissions(host.path(), Permissions::from_mode(0o711))?;
    let control = host.path().join("run");
    fs::create_dir(&control)?;
    for folder in [host.sockets(), host.state(), control.clone()] {
        chown(&folder, Some(USER), Some(GROUP))?;
    }

    let _vcpu = Vcpu::start()?;
    let mut command = tied("setpriv");
    command.args(["--reuid", &USER.to_string(), "--regid", &GROUP.to_string(), "--clear-groups"]);
    command.arg(program("hostinfod")?).arg("--config").arg(host.config());
    command.arg("--socket-dir").arg(host.sockets()).arg("--state-dir").arg(host.state());
    command.arg("--rules").arg(host.rules()).arg("--control").arg(control.join("control"));
    let log = host.path().join("daemon.log");
    let _daemon = Process::start(command.env_remove("JOURNAL_STREAM"), log.clone())?;
    wait_until("the daemon's socket", PATIENCE, || Ok(control.join("control").exists()))?;
    let path = host.socket("a");
    let listener = hostinfo_tests::FakeQemu::listen(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o777))?;
    let mut guest: FakeGuest = listener.accept()?;

    let told = guest.ask_one("vm.energy")?;
    ensure!(told == "503 vm.energy: this host's energy meter is for its root alone", "{told}");
    let log = fs::read_to_string(&log)?;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("energy_uj")).collect();
    let [line] = lines[..] else { anyhow::bail!("{log}") };
    ensure!(line.contains("70-hostinfo.rules") && line.contains("Permission denied"), "{line}");

    for command in rule(&zone)? {
        let mut words = command.split(' ');
        run(Command::new(words.next().context("no program")?).args(words))?;
    }
    wait_until("a figure", PATIENCE, || {
        fs::write(&meter, "9000000\n")?;
        Ok(guest.ask_one("vm.energy")?.starts_with("200 vm.energy="))
    })
}
