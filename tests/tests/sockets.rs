//! Guests whose VMM makes its sockets elsewhere than in the socket directory: `[[sockets]]`.

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_control::{Guest as Listed, GuestState};
use hostinfo_open::ANSWER_WITHIN;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::tied;
use hostinfo_tests::{
    Cgroup, Daemon, FakeGuest, FakeQemu, Guest, Host, Libvirtd, Port, ctl, paths,
};
use hostinfo_wire::limits::LOG_BURST;
use rustix::fs::Mode;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use rustix::process::umask;
use tempfile::TempDir;

/// A user to whom nothing belongs.
const USER: u32 = 65_534;

/// How long nobody connects to what is not to be connected to.
const ALONE: Duration = Duration::from_millis(300);

/// A directory as Proxmox VE has it: root's, below /run, where nobody else may write.
struct Elsewhere(TempDir);

impl Elsewhere {
    fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hostinfo-test-").tempdir_in("/run")?;
        let elsewhere = Self(folder);
        fs::create_dir(elsewhere.path(""))?;
        for path in [elsewhere.0.path(), &elsewhere.path("")] {
            fs::set_permissions(path, Permissions::from_mode(0o755))?;
        }
        Ok(elsewhere)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("qemu-server").join(name)
    }

    /// The settings that serve the guests that match `guests`.
    fn settings(&self, guests: &str) -> String {
        format!(
            "[paths]\nopener = '{}'\n[[sockets]]\npath = '{}'\ndriver = 'qemu'\nguests = [{guests}]\n",
            self.opener().display(),
            self.path("{name}.serial1").display()
        )
    }

    fn opener(&self) -> PathBuf {
        self.0.path().join("open.sock")
    }

    /// Starts the opener as systemd does, for the daemon that is the main process of `unit`.
    fn start_opener(&self, host: &Host, unit: &str) -> Result<Opener> {
        let listener = listening(&self.opener())?;
        let mut command = tied(paths::program("hostinfo-open")?);
        command.arg("--config").arg(host.config()).args(["--unit", unit]).stdin(listener);
        Ok(Opener(command.spawn()?))
    }
}

struct Opener(Child);

impl Drop for Opener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A socket for the daemon's user alone, as hostinfo-open.socket makes it.
fn listening(path: &Path) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&listener, &SocketAddrUnix::new(path)?)?;
    listen(&listener, 8)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    chown(path, Some(USER), Some(USER))?;
    Ok(listener)
}

fn entry(host: &Host, id: &str) -> Result<Option<Listed>> {
    Ok(host.client()?.list()?.into_iter().find(|guest| guest.guest == id))
}

fn wait_for_state(host: &Host, id: &str, state: GuestState) -> Result<Listed> {
    wait_until(&format!("{id} to be {state:?}"), PATIENCE, || {
        Ok(entry(host, id)?.is_some_and(|guest| guest.state == state))
    })?;
    entry(host, id)?.context("it went")
}

fn reload(daemon: &Daemon) -> Result<()> {
    let before = daemon.log().matches("settings read again").count();
    daemon.hang_up()?;
    wait_until("the settings to be read again", PATIENCE, || {
        Ok(daemon.log().matches("settings read again").count() > before)
    })
}

#[test]
fn a_guest_of_proxmox_asks_through_the_opener_and_no_other_socket_is_touched() -> Result<()> {
    // As Proxmox VE starts QEMU.
    umask(Mode::RWXG | Mode::RWXO);
    let (elsewhere, host) = (Elsewhere::make()?, Host::new(EVERYTHING)?);
    let decoys = ["100.serial0", "100.qmp", "100.qga", "100.vnc", "100.serial10", "200.serial1"];
    let decoys = decoys.map(|name| FakeQemu::listen(&elsewhere.path(name)));
    host.write_config(&elsewhere.settings("'qemu-100'"))?;
    let daemon = host.start_daemon_as(USER)?;
    let mut guest = Guest::restore(&elsewhere.path("100.serial1"), Port::Serial)?;
    ensure!(fs::metadata(elsewhere.path("100.serial1"))?.mode() & 0o077 == 0);

    let refused = wait_for_state(&host, "qemu-100", GuestState::Failed)?;
    let remedy = "systemctl enable --now hostinfo-open.socket";
    ensure!(refused.problem.as_deref().is_some_and(|why| why.contains(remedy)), "{refused:?}");
    let path = elsewhere.path("100.serial1").display().to_string();
    let log = daemon.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(remedy)).collect();
    ensure!(lines.len() == 1 && lines.concat().contains(&path), "{lines:?}");

    // The opener runs, and the daemon is not the main process of its unit.
    let unit = format!("hostinfo-test-{}.service", daemon.pid());
    let opener = elsewhere.start_opener(&host, &unit)?;
    reload(&daemon)?;
    daemon.wait_for_log(&format!("is not in {unit}"))?;
    ensure!(!guest.has_host()?);

    let _cgroup = Cgroup::of_unit(daemon.pid(), &unit)?;
    reload(&daemon)?;
    guest.wait_for_host()?;
    ensure!(guest.ask("ping")?.concat().starts_with("200 "));
    ensure!(guest.ask("vm.vcpus")? == ["200 vm.vcpus=1"], "its VMM is known");
    let connected = wait_for_state(&host, "qemu-100", GuestState::Connected)?;
    ensure!(connected.ports.iter().any(|port| port.path.as_deref() == Some(&*path)));
    let listed = ctl::alone(&host, &["list", "--wide"])?.stdout;
    ensure!(listed.contains("SOCKET") && listed.contains(&path), "{listed}");
    let status = ctl::alone(&host, &["status"])?.stdout;
    ensure!(status.contains(" or ") && status.contains("{name}.serial1, 1 connected"), "{status}");

    for decoy in decoys {
        ensure!(decoy?.stays_alone(Duration::ZERO)?, "a socket that is none of the guest's");
    }
    ensure!(entry(&host, "qemu-200")?.is_none(), "it is not enabled");
    drop(opener);
    // What is connected goes on without it.
    ensure!(guest.ask("ping")?.concat().starts_with("200 "));
    guest.kill()?;
    wait_for_state(&host, "qemu-100", GuestState::Failed)?;
    Ok(())
}

#[test]
fn a_new_directory_and_new_settings_are_in_force_without_a_restart() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let place = host.path().join("vm");
    let settings = |guests: &str| {
        let path = place.join("{name}/h").display().to_string();
        format!("[[sockets]]\npath = '{path}'\ndriver = 'lkvm'\nguests = [{guests}]\n")
    };
    host.write_config("")?;
    let daemon = host.start_daemon()?;
    host.write_config(&settings("'lkvm-a'"))?;
    reload(&daemon)?;
    fs::create_dir(&place)?;
    fs::create_dir(place.join("a"))?;
    fs::create_dir(place.join("b"))?;
    let mut a = FakeGuest::join(&place.join("a/h"))?;
    ensure!(a.ask("ping")?.concat().starts_with("200 "));
    let b = FakeQemu::listen(&place.join("b/h"))?;
    ensure!(b.stays_alone(ALONE)?);

    host.write_config(&settings("'lkvm-b'"))?;
    reload(&daemon)?;
    let mut b = b.accept()?;
    ensure!(b.ask("ping")?.concat().starts_with("200 "));
    ensure!(a.line().is_err(), "it is not enabled any more");

    host.write_config("[[sockets]]\npath = '/proc/{name}'\ndriver = 'x'\n")?;
    daemon.hang_up()?;
    daemon.wait_for_log("is below /proc")?;
    ensure!(b.ask("ping")?.concat().starts_with("200 "), "the old settings stay");
    host.write_config("")?;
    reload(&daemon)?;
    ensure!(b.line().is_err());
    ensure!(fs::read_dir(&place)?.count() == 2, "nothing is made or removed there");
    Ok(())
}

/// A directory beside the socket directory, in which all guests are served.
fn serve_everybody_in(host: &Host) -> Result<PathBuf> {
    let place = host.path().join("vm");
    fs::create_dir(&place)?;
    host.write_config(&format!(
        "[[sockets]]\npath = '{}'\ndriver = 'qemu'\nguests = ['*']\n",
        place.join("{name}.s").display()
    ))?;
    Ok(place)
}

#[test]
fn whoever_puts_a_link_where_their_guests_are_has_no_other_guest_served_as_theirs() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let place = host.path().join("vm");
    let path = place.join("{name}").display().to_string();
    host.write_config(&format!("[[sockets]]\npath = '{path}'\ndriver = 'bob'\nguests = ['*']\n"))?;
    symlink(host.sockets(), &place)?;
    lchown(&place, Some(USER), None)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    ensure!(guest.ask("ping")?.concat().starts_with("200 "));
    ensure!(entry(&host, "bob-qemu-a")?.is_none());
    let words = "vm is a symbolic link that others than root";
    ensure!(daemon.log().contains(words), "{}", daemon.log());
    let status = ctl::alone(&host, &["status"])?;
    ensure!(status.stdout.contains(words), "{status:?}");

    fs::remove_file(&place)?;
    fs::create_dir(&place)?;
    let mut theirs = FakeGuest::join(&place.join("b"))?;
    ensure!(theirs.ask("ping")?.concat().starts_with("200 "));
    Ok(())
}

#[test]
fn a_program_that_holds_a_port_elsewhere_is_named_by_status() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let place = serve_everybody_in(&host)?;
    let mut guest = Guest::restore(&place.join("a.s"), Port::Serial)?;
    let holder = UnixStream::connect(place.join("a.s"))?;
    let _daemon = host.start_daemon()?;
    let words = format!("process {}, is connected to its port", std::process::id());
    wait_until("the holder to be named", PATIENCE, || {
        Ok(ctl::alone(&host, &["status"])?.stdout.contains(&words))
    })?;
    drop(holder);
    guest.wait_for_host()?;
    ensure!(!ctl::alone(&host, &["status"])?.stdout.contains("held"));
    Ok(())
}

#[test]
fn a_place_that_is_changed_all_the_time_fills_no_log_and_keeps_nobody_busy() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let place = serve_everybody_in(&host)?;
    let daemon = host.start_daemon()?;
    let mut other = FakeGuest::join(&place.join("other.s"))?;
    let busy_before = daemon.cpu_time()?;
    let (begun, mut changes) = (Instant::now(), 0u32);
    while begun.elapsed() < Duration::from_secs(3) {
        symlink("other.s", place.join("bad.s"))?;
        std::thread::sleep(Duration::from_millis(1));
        fs::remove_file(place.join("bad.s"))?;
        changes += 1;
    }
    let busy = daemon.cpu_time()? - busy_before;
    ensure!(other.ask("ping")?.concat().starts_with("200 "));
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains("bad.s")).count();
    ensure!((1..=12).contains(&lines), "{lines} lines for {changes} changes");
    ensure!(busy < Duration::from_secs(1), "{busy:?} for {changes} changes");
    // What is there in the end is found.
    let mut bad = FakeGuest::join(&place.join("bad.s"))?;
    ensure!(bad.ask("ping")?.concat().starts_with("200 "));
    Ok(())
}

#[test]
fn two_processes_with_sockets_of_one_name_are_both_refused_and_one_process_is_not() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let place = serve_everybody_in(&host)?;
    let daemon = host.start_daemon()?;
    // Both are of the process that runs this test.
    let mut one = FakeGuest::join(&host.socket("a"))?;
    let mut two = FakeGuest::join(&place.join("a.s"))?;
    for guest in [&mut one, &mut two] {
        ensure!(guest.ask("ping")?.concat().starts_with("200 "));
    }
    let ours = FakeQemu::listen(&host.socket("b"))?;
    let mut ours_connected = ours.accept()?;
    let theirs = Guest::restore(&place.join("b.s"), Port::Serial)?;
    let refused = wait_for_state(&host, "qemu-b", GuestState::Failed)?;
    let why = refused.problem.context("no reason")?;
    for pid in [std::process::id(), theirs.pid()] {
        ensure!(why.contains(&format!("process {pid}")), "{why}");
    }
    ensure!(daemon.log().contains("until then neither is served"), "{}", daemon.log());
    ensure!(ours_connected.line().is_err(), "it was hung up on");
    ensure!(ours.stays_alone(ALONE)?);

    theirs.kill()?;
    fs::remove_file(place.join("b.s"))?;
    ensure!(ours.accept()?.ask("ping")?.concat().starts_with("200 "));
    ensure!(one.ask("ping")?.concat().starts_with("200 "));
    Ok(())
}

/// What the daemon is told that this process is called.
fn call_myself(name: &str) -> Result<()> {
    fs::write("/proc/self/comm", name).context("this process's name")
}

#[test]
fn the_process_that_libvirt_left_its_socket_to_is_found_through_the_opener_too() -> Result<()> {
    let (elsewhere, host) = (Elsewhere::make()?, Host::new(EVERYTHING)?);
    host.write_config(&elsewhere.settings("'*'"))?;
    call_myself("libvirtd")?;
    let listener = FakeQemu::listen(&elsewhere.path("100.serial1"))?;
    fs::set_permissions(elsewhere.path("100.serial1"), Permissions::from_mode(0o600))?;
    let daemon = host.start_daemon_as(USER)?;
    let unit = format!("hostinfo-test-{}.service", daemon.pid());
    let _opener = elsewhere.start_opener(&host, &unit)?;
    let _cgroup = Cgroup::of_unit(daemon.pid(), &unit)?;
    reload(&daemon)?;
    let mut guest = listener.accept()?;
    let unknown = "only when the guest has spoken on its port";
    let first = guest.ask("vm.cpu.seconds")?.concat();
    ensure!(first.contains(unknown), "{first}");
    call_myself("kvm")?;
    wait_until("its process to be known", PATIENCE, || {
        Ok(!guest.ask("vm.cpu.seconds")?.concat().contains(unknown))
    })
}

#[test]
fn a_vmm_that_closes_and_opens_its_own_directory_without_end_does_not_fill_the_log() -> Result<()> {
    let (elsewhere, host) = (Elsewhere::make()?, Host::new(EVERYTHING)?);
    host.write_config(&format!(
        "[[sockets]]\npath = '{}'\ndriver = 'ch'\nguests = ['*']\n",
        elsewhere.path("{name}/s").display()
    ))?;
    let own = elsewhere.path("web");
    fs::create_dir(&own)?;
    let daemon = host.start_daemon_as(USER)?;
    // It cannot be watched, and is looked at four times a second.
    for mode in [0o711, 0o731].repeat(LOG_BURST as usize) {
        fs::set_permissions(&own, Permissions::from_mode(mode))?;
        std::thread::sleep(Duration::from_millis(250));
    }
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains("cannot be watched")).count();
    ensure!((1..=LOG_BURST as usize).contains(&lines), "{log}");
    Ok(())
}

#[test]
fn an_opener_that_hangs_holds_up_nobody_and_is_named() -> Result<()> {
    let (elsewhere, host) = (Elsewhere::make()?, Host::new(EVERYTHING)?);
    host.write_config(&elsewhere.settings("'*'"))?;
    // It lets everybody in, and says nothing.
    let _opener = listening(&elsewhere.opener())?;
    let denied = elsewhere.path("100.serial1");
    let _denied = FakeQemu::listen(&denied)?;
    fs::set_permissions(&denied, Permissions::from_mode(0o600))?;
    let _daemon = host.start_daemon_as(USER)?;
    let other = FakeQemu::listen(&elsewhere.path("101.serial1"))?;
    fs::set_permissions(elsewhere.path("101.serial1"), Permissions::from_mode(0o777))?;
    let mut other = other.accept()?;
    let begun = Instant::now();
    for _ in 0..10 {
        ensure!(other.ask("ping")?.concat().starts_with("200 "));
    }
    ensure!(begun.elapsed() < ANSWER_WITHIN, "they waited for the opener");
    let refused = wait_for_state(&host, "qemu-100", GuestState::Failed)?;
    let why = refused.problem.context("no reason")?;
    ensure!(why.contains("hostinfo-open does not answer"), "{why}");
    Ok(())
}

#[test]
fn a_socket_that_is_called_as_a_domain_is_and_is_not_its_own_is_not_served_as_the_domain()
-> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let place = serve_everybody_in(&host)?;
    libvirtd.define("a", host.socket("a").to_str().context("no text")?)?;
    libvirtd.virsh(&["start", "a"])?;
    fs::remove_file(host.socket("a"))?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let mut other = FakeGuest::join(&place.join("a.s"))?;
    ensure!(other.line().is_err(), "it is hung up on");
    daemon.wait_for_log("libvirt has a domain of that name")?;
    let refused = wait_for_state(&host, "qemu-a", GuestState::Failed)?;
    ensure!(refused.problem.is_some_and(|why| why.contains("libvirt has a domain")));
    let mut other = FakeGuest::join(&place.join("b.s"))?;
    ensure!(other.ask("ping")?.concat().starts_with("200 "));
    Ok(())
}
