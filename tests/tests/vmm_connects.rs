//! Guests whose VMM connects to the daemon: `[[listen]]` of the settings, and several clients of one guest.
//!
//! A VMM connects to a socket's path and passes bytes on, and that is all that it does, so here a test is one.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hostinfo_control::{GuestState, PortKind};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::{Process, tied};
use hostinfo_tests::user::{NOBODY, flood};
use hostinfo_tests::{Daemon, FakeGuest, FakeQemu, Host};
use hostinfo_wire::limits::{CONNECTION_IDLE, CONNECTIONS_MAX, LOG_BURST, REPLY_MAX};
use rustix::process::{Uid, geteuid};

/// Where a VMM connects for its guest.
struct Vms(PathBuf);

impl Vms {
    fn of(host: &Host) -> Self {
        Self(host.path().join("vm"))
    }

    fn settings(&self) -> String {
        let user = geteuid().as_raw();
        let path = self.0.display();
        format!(
            "[[listen]]\npath = '{path}/{{name}}/v_4678'\ndriver = 'fc'\nuser = '{user}'\nguests = ['fc-*']\n"
        )
    }

    /// Starts a VMM, as far as the daemon can see it.
    fn start(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(self.0.join(name))?;
        Ok(self.0.join(name).join("v_4678"))
    }
}

/// A daemon that listens for the guest `web`, and where.
fn serve(host: &Host) -> Result<(Daemon, Vms, PathBuf)> {
    let vms = Vms::of(host);
    host.write_config(&vms.settings())?;
    let daemon = host.start_daemon()?;
    let path = vms.start("web")?;
    Ok((daemon, vms, path))
}

fn eight(path: &Path) -> Result<Vec<FakeGuest>> {
    (0..CONNECTIONS_MAX).map(|_| FakeGuest::connect(path)).collect()
}

fn wait_until_gone(path: &Path) -> Result<()> {
    wait_until("the socket to go", PATIENCE, || Ok(!path.try_exists()?))
}

#[test]
fn several_clients_of_a_guest_are_served_side_by_side_with_one_allowance() -> Result<()> {
    let host = Host::new("*:\n  interval = 3600\n  all = 1\n")?;
    let (_daemon, _vms, path) = serve(&host)?;
    let mut clients = eight(&path)?;
    let [first, second, third, ..] = &mut clients[..] else { bail!("there are eight") };
    // A line that has come in part, and nonsense, are each connection's own.
    first.send("ping fi")?;
    for _ in 0..5 {
        assert!(second.ask_one("xyzzy")?.starts_with("404 "));
    }
    second.send("xyzzy\n")?;
    assert!(third.ask_one("xyzzy")?.starts_with("404 "));
    first.send("rst\n")?;
    assert_eq!(first.reply()?, ["200 pong first"]);
    assert_eq!(second.ask_one("ping second")?, "200 pong second");
    // The interval is the guest's.
    assert!(third.ask_one("physcpus")?.starts_with("200 physcpus="));
    assert!(first.ask_one("physcpus")?.starts_with("429 retry after "));

    let guests = host.client()?.list()?;
    let [guest] = &guests[..] else { bail!("{guests:?}") };
    assert_eq!((&*guest.guest, guest.state), ("fc-web", GuestState::Connected));
    assert!(guest.ports.iter().all(|port| port.kind == PortKind::Vsock));
    assert_eq!(guest.ports.len(), 1 + CONNECTIONS_MAX);
    Ok(())
}

#[test]
fn the_ninth_client_is_hung_up_on_until_another_leaves_and_the_log_says_so_once() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, _vms, path) = serve(&host)?;
    let mut clients = eight(&path)?;
    for client in &mut clients {
        assert_eq!(client.ask_one("ping a")?, "200 pong a");
    }
    for _ in 0..3 {
        assert_eq!(FakeGuest::connect(&path)?.drain()?, 0);
    }
    let full = "guest fc-web: it has 8 connections";
    assert_eq!(daemon.log().matches(full).count(), 1, "{}", daemon.log());
    clients.pop();
    wait_until("the place of the one that left", PATIENCE, || {
        Ok(FakeGuest::connect(&path)?.ask_one("ping b").is_ok())
    })
}

#[test]
fn a_client_that_says_nothing_for_a_minute_gives_way_to_a_new_one() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (_daemon, _vms, path) = serve(&host)?;
    let (mut clients, start) = (eight(&path)?, Instant::now());
    std::thread::sleep(CONNECTION_IDLE / 2);
    for client in &mut clients[1..] {
        assert_eq!(client.ask_one("ping a")?, "200 pong a");
    }
    while start.elapsed() < CONNECTION_IDLE + Duration::from_secs(1) {
        std::thread::sleep(Duration::from_secs(1));
    }
    let mut new = FakeGuest::connect(&path)?;
    assert_eq!(new.ask_one("ping new")?, "200 pong new");
    assert_eq!(clients[0].drain()?, 0);
    assert_eq!(clients[1].ask_one("ping b")?, "200 pong b");
    Ok(())
}

#[test]
fn a_guest_that_fills_all_its_connections_and_never_reads_holds_a_reply_for_each() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, vms, path) = serve(&host)?;
    let mut neighbour = FakeGuest::connect(&vms.start("neighbour")?)?;
    neighbour.ask("*")?;
    let memory = daemon.memory()?;
    let clients = eight(&path)?;
    let requests = "*\n".repeat(2000);
    for client in &clients {
        client.stream().set_nonblocking(true)?;
        // As much as the sockets take.
        while client.send(&requests).is_ok() {}
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        assert!(neighbour.ask_one("physcpus")?.starts_with("200 "));
        std::thread::sleep(Duration::from_millis(100));
    }
    let grown = daemon.memory()?.saturating_sub(memory);
    assert!(grown < (CONNECTIONS_MAX * REPLY_MAX) as u64, "the daemon grew by {grown} bytes");
    Ok(())
}

#[test]
fn the_daemon_listens_while_the_guests_directory_is_there() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, vms, path) = serve(&host)?;
    let mut client = FakeGuest::connect(&path)?;
    assert_eq!(client.ask_one("ping a")?, "200 pong a");
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o7777, 0o666);

    // A VMM that tidies up before it starts.
    let before = fs::metadata(&path)?.ino();
    fs::remove_file(&path)?;
    wait_until("another socket", PATIENCE, || {
        Ok(fs::metadata(&path).is_ok_and(|found| found.ino() != before))
    })?;
    assert_eq!(client.ask_one("ping b")?, "200 pong b");
    assert_eq!(FakeGuest::connect(&path)?.ask_one("ping c")?, "200 pong c");

    fs::rename(vms.0.join("web"), host.path().join("elsewhere"))?;
    client.drain()?;
    wait_until_gone(&host.path().join("elsewhere/v_4678"))?;
    let mut again = FakeGuest::connect(&vms.start("web")?)?;
    assert_eq!(again.ask_one("ping d")?, "200 pong d");

    assert!(daemon.stop()?.success());
    wait_until_gone(&path)
}

#[test]
fn for_a_guest_that_is_not_enabled_the_daemon_does_not_listen() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let vms = Vms::of(&host);
    let other = vms.start("other")?;
    host.write_config(&vms.settings().replace("fc-*", "fc-web*"))?;
    let _daemon = host.start_daemon()?;
    // Found later than the other.
    let mut client = FakeGuest::connect(&vms.start("web1")?)?;
    assert_eq!(client.ask_one("ping a")?, "200 pong a");
    assert!(!other.try_exists()?);
    Ok(())
}

#[test]
fn sighup_changes_only_the_guests_that_it_enables_or_no_longer_enables() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let vms = Vms::of(&host);
    let enable = |guests| host.write_config(&vms.settings().replace("fc-*", guests));
    let [kept, ended, new] = ["web", "db", "mail"].map(|name| vms.start(name));
    let (kept, ended, new) = (kept?, ended?, new?);
    enable("fc-[wd]*")?;
    let daemon = host.start_daemon()?;
    let (mut web, mut db) = (FakeGuest::connect(&kept)?, FakeGuest::connect(&ended)?);
    assert_eq!(db.ask_one("ping a")?, "200 pong a");
    let before = fs::metadata(&kept)?.ino();

    enable("fc-[wm]*")?;
    daemon.hang_up()?;
    db.drain()?;
    wait_until_gone(&ended)?;
    assert_eq!(FakeGuest::connect(&new)?.ask_one("ping b")?, "200 pong b");
    assert_eq!(web.ask_one("ping c")?, "200 pong c");
    assert_eq!(fs::metadata(&kept)?.ino(), before);
    Ok(())
}

#[test]
fn a_peer_that_is_no_vmm_gets_no_figures() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (_daemon, _vms, path) = serve(&host)?;
    let mut client = FakeGuest::connect(&path)?;
    for name in ["vm.cpu.seconds", "vm.memory.resident", "vm.cpu.delay"] {
        let said = client.ask_one(name)?;
        assert!(said.starts_with(&format!("503 {name}: ")), "{said}");
    }
    Ok(())
}

#[test]
fn the_socket_of_a_killed_daemon_is_replaced_and_that_of_another_program_is_not() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, vms, path) = serve(&host)?;
    FakeGuest::connect(&path)?.ask_one("ping a")?;
    daemon.kill()?;
    assert!(path.try_exists()?);
    let taken = vms.start("taken")?;
    let other = UnixListener::bind(&taken)?;
    let daemon = host.start_daemon()?;
    assert_eq!(FakeGuest::connect(&path)?.ask_one("ping b")?, "200 pong b");
    let why = "/{name}/v_4678: another program listens there: end it, or set another path";
    daemon.wait_for_log(why)?;
    let guests = host.client()?.list()?;
    let guest = guests.iter().find(|guest| guest.name == "taken").context("it is not told of")?;
    assert_eq!(guest.state, GuestState::Failed);
    assert!(guest.problem.as_ref().is_some_and(|problem| problem.contains(why)), "{guest:?}");

    drop(other);
    fs::remove_file(&taken)?;
    assert_eq!(FakeGuest::connect(&taken)?.ask_one("ping c")?, "200 pong c");
    Ok(())
}

#[test]
fn a_peer_that_is_not_the_vmms_user_is_hung_up_on_before_a_byte_is_read() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, _vms, path) = serve(&host)?;
    drop(FakeGuest::connect(&path)?);
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o711))?;
    let stranger = path.clone();
    let stream = std::thread::spawn(move || -> Result<UnixStream> {
        // This thread alone.
        let nobody = Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(None, nobody, None)?;
        Ok(UnixStream::connect(stranger)?)
    });
    let mut stream = stream.join().ok().context("the stranger panicked")??;
    stream.set_read_timeout(Some(PATIENCE))?;
    let _ = std::io::Write::write_all(&mut stream, b"ping a\n");
    assert_eq!(std::io::Read::read(&mut stream, &mut [0; 64]).unwrap_or(0), 0);
    daemon.wait_for_log("user 65534 connected where the VMM does, and only user 0 and root may")?;
    assert_eq!(FakeGuest::connect(&path)?.ask_one("ping b")?, "200 pong b");
    Ok(())
}

/// Where [`another_vmm`] connects.
const CONNECT_TO: &str = "HOSTINFO_TEST_CONNECT_TO";

/// Another process that connects, when a test below starts it; alone it does nothing.
#[test]
fn another_vmm() -> Result<()> {
    let Some(path) = std::env::var_os(CONNECT_TO) else { return Ok(()) };
    let mut guest = FakeGuest::connect(Path::new(&path))?;
    println!("{}", guest.ask_one("ping other").unwrap_or_default());
    guest.drain()?;
    // It was hung up on, and goes on running.
    let again = FakeGuest::connect(Path::new(&path))?.ask_one("ping again");
    println!("{}", again.unwrap_or_default());
    Ok(())
}

fn start_another_vmm(host: &Host, path: &Path) -> Result<Process> {
    let mut command: Command = tied(std::env::current_exe()?);
    command.args(["--exact", "another_vmm", "--nocapture"]).env(CONNECT_TO, path);
    Process::start(&mut command, host.path().join("another.log"))
}

#[test]
fn two_processes_are_never_one_guest() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, _vms, path) = serve(&host)?;
    let mut first = FakeGuest::connect(&path)?;
    assert_eq!(first.ask_one("ping a")?, "200 pong a");
    let mut second = start_another_vmm(&host, &path)?;
    assert_eq!(first.drain()?, 0);
    assert!(second.wait(PATIENCE)?.success());
    assert!(!second.log().contains("200 pong"), "{}", second.log());
    daemon.wait_for_log("claim to be this guest, and only one of them can be")?;

    // One after the other is a VMM that was started again.
    let mut third = start_another_vmm(&host, &path)?;
    wait_until("the other one", PATIENCE, || Ok(third.log().contains("200 pong other")))?;
    third.kill()?;
    wait_until("the next one", PATIENCE, || {
        Ok(FakeGuest::connect(&path)?.ask_one("ping b").is_ok_and(|said| said == "200 pong b"))
    })
}

#[test]
fn a_vmm_and_another_process_with_the_guests_socket_are_not_one_guest_until_one_of_them_ends()
-> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, _vms, path) = serve(&host)?;
    let socket = FakeQemu::listen(&host.sockets().join("fc-web"))?;
    let mut own = socket.accept()?;
    // One process may be both.
    let mut client = FakeGuest::connect(&path)?;
    for guest in [&mut own, &mut client] {
        assert_eq!(guest.ask_one("ping a")?, "200 pong a");
    }
    let mut other = start_another_vmm(&host, &path)?;
    for guest in [&mut own, &mut client] {
        assert_eq!(guest.drain()?, 0, "hung up on");
    }
    assert!(other.wait(PATIENCE)?.success());
    assert!(!other.log().contains("200 pong"), "{}", other.log());
    daemon.wait_for_log("claim to be this guest, and only one of them can be")?;
    // It has ended: the one that is left is served again, without anybody doing anything.
    let mut own = socket.accept()?;
    assert_eq!(own.ask_one("ping b")?, "200 pong b");

    // The other way round.
    fs::remove_file(host.sockets().join("fc-web"))?;
    drop((socket, own));
    let mut other = start_another_vmm(&host, &path)?;
    wait_until("the VMM", PATIENCE, || Ok(other.log().contains("200 pong other")))?;
    let socket = FakeQemu::listen(&host.sockets().join("fc-web"))?;
    assert!(socket.accept()?.ask_one("ping").is_err(), "neither is served");
    assert!(other.wait(PATIENCE)?.success());
    assert!(!other.log().contains("200 pong again"), "{}", other.log());
    assert_eq!(socket.accept()?.ask_one("ping c")?, "200 pong c");
    Ok(())
}

#[test]
fn a_guests_directory_that_comes_and_goes_all_the_time_fills_no_log_and_is_served_in_the_end()
-> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, vms, web) = serve(&host)?;
    let mut other = FakeGuest::connect(&web)?;
    // Not a socket, where the daemon would listen.
    let (bad, aside) = (vms.0.join("bad"), host.path().join("aside"));
    fs::create_dir(&aside)?;
    fs::write(aside.join("v_4678"), "")?;
    let (begun, mut changes) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(3) {
        fs::rename(&aside, &bad)?;
        std::thread::sleep(Duration::from_millis(1));
        fs::rename(&bad, &aside)?;
        changes += 1;
    }
    assert_eq!(other.ask_one("ping a")?, "200 pong a");
    let lines = daemon.log().lines().filter(|line| line.contains("vm/bad")).count();
    assert!((1..=12).contains(&lines), "{lines} lines for {changes} changes");
    let mut client = FakeGuest::connect(&vms.start("bad")?)?;
    assert_eq!(client.ask_one("ping b")?, "200 pong b");
    Ok(())
}

#[test]
fn places_to_listen_come_and_go_with_sighup() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let vms = Vms::of(&host);
    let path = vms.start("web")?;
    host.write_config(&vms.settings())?;
    daemon.hang_up()?;
    let mut client = FakeGuest::connect(&path)?;
    assert_eq!(client.ask_one("ping a")?, "200 pong a");
    daemon.wait_for_log("one user runs the VMMs of all these guests")?;

    host.write_config("[[listen]]\npath = '/srv/vm/v_4678'\ndriver = 'fc'\nuser = '1'\n")?;
    daemon.hang_up()?;
    daemon.wait_for_log("has no {name}: write {name} where")?;
    assert_eq!(client.ask_one("ping b")?, "200 pong b");

    host.write_config("")?;
    daemon.hang_up()?;
    client.drain()?;
    wait_until_gone(&path)
}

#[test]
fn users_who_connect_in_place_of_vmms_again_and_again_have_one_bound_and_keep_nobody_out()
-> Result<()> {
    let host = Host::new(EVERYTHING)?;
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o711))?;
    let (daemon, vms, quiet) = serve(&host)?;
    let flooded = ["a", "b", "c", "d"].map(|name| vms.start(name));
    let flooded = flooded.into_iter().collect::<Result<Vec<PathBuf>>>()?;
    let mut connected = [&quiet, &flooded[0]].into_iter().cycle();
    let mut vmm = FakeGuest::connect(&quiet)?;
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| flooded[index].as_path());
    flooded.iter().try_for_each(|path| FakeGuest::connect(path).map(drop))?;
    flood(&[a, b, c, d], (NOBODY, NOBODY), Duration::from_secs(3), || {
        anyhow::ensure!(vmm.ask_one("ping")? == "200 pong");
        let path = connected.next().context("they go on without end")?;
        anyhow::ensure!(FakeGuest::connect(path)?.ask_one("ping")? == "200 pong");
        // Each of its connections counts as a line.
        std::thread::sleep(Duration::from_millis(200));
        Ok(())
    })?;
    let lines = daemon.log().matches("user 65534 connected where the VMM does").count();
    let allowed = usize::try_from(LOG_BURST)?;
    anyhow::ensure!(lines == allowed, "{lines} lines instead of {allowed}");
    Ok(())
}
