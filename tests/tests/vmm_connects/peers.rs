//! Who connects in place of a guest's VMM: one process, of the user that the settings name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hostinfo_peer::examples::Slow;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::{Process, tied};
use hostinfo_tests::upgrading::upgrade;
use hostinfo_tests::user::{NOBODY, become_one, flood};
use hostinfo_tests::{FakeGuest, FakeQemu, Host};
use hostinfo_wire::limits::LOG_BURST;
use rustix::net::SendFlags;
use rustix::process::{Uid, geteuid};

use crate::{Vms, serve};

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
fn a_peer_that_is_not_the_vmms_user_is_hung_up_on_before_a_byte_is_read() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, _vms, path) = serve(&host)?;
    drop(FakeGuest::connect(&path)?);
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o711))?;
    let others = path.clone();
    let stream = std::thread::spawn(move || -> Result<UnixStream> {
        // This thread alone.
        let nobody = Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(None, nobody, None)?;
        Ok(UnixStream::connect(others)?)
    });
    let mut stream = stream.join().ok().context("the other user panicked")??;
    stream.set_read_timeout(Some(PATIENCE))?;
    let _ = std::io::Write::write_all(&mut stream, b"ping a\n");
    assert_eq!(std::io::Read::read(&mut stream, &mut [0; 64]).unwrap_or(0), 0);
    daemon.wait_for_log("user 65534 connected where the VMM does, and only user 0 may")?;
    assert_eq!(FakeGuest::connect(&path)?.ask_one("ping b")?, "200 pong b");
    Ok(())
}

#[test]
fn root_is_hung_up_on_where_another_user_runs_the_vmm() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o711))?;
    let vms = Vms::of(&host);
    let (own, others) = (format!("user = '{}'", geteuid().as_raw()), format!("user = '{NOBODY}'"));
    host.write_config(&vms.settings().replace(&own, &others))?;
    let (daemon, path) = (host.start_daemon()?, vms.start("web")?);
    let by_root = FakeGuest::connect(&path)?.ask_one("ping a");
    anyhow::ensure!(by_root.is_err(), "{by_root:?}");
    daemon.wait_for_log("user 0 connected where the VMM does, and only user 65534 may")?;
    let by_vmm = become_one(NOBODY, NOBODY, || FakeGuest::connect(&path)?.ask_one("ping b"))?;
    anyhow::ensure!(by_vmm == "200 pong b", "{by_vmm}");
    Ok(())
}

#[test]
fn an_upgrade_ends_the_connections_of_a_vmm_whose_place_has_another_user_or_driver_since()
-> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (_daemon, vms, path) = serve(&host)?;
    let settings = vms.settings();
    let own = format!("user = '{}'", geteuid().as_raw());
    let others = [
        (settings.replace(&own, "user = '65534'"), false),
        (settings.replace("driver = 'fc'", "driver = 'ch'").replace("fc-*", "ch-*"), false),
        (settings.clone(), true),
    ];
    for (changed, goes_on) in others {
        host.write_config(&settings)?;
        upgrade(&host)?;
        let mut vmm = FakeGuest::connect(&path)?;
        anyhow::ensure!(vmm.ask_one("ping a")? == "200 pong a");
        host.write_config(&changed)?;
        upgrade(&host)?;
        let answer = vmm.ask_one("ping b");
        anyhow::ensure!(answer.is_ok() == goes_on, "{answer:?} under {changed}");
    }
    Ok(())
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

#[test]
fn a_refused_peer_that_sends_descriptors_which_take_long_to_close_keeps_nobody_waiting()
-> Result<()> {
    let host = Host::new(EVERYTHING)?;
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o711))?;
    let (_daemon, vms, quiet) = serve(&host)?;
    let path = vms.start("a")?;
    let mut vmm = FakeGuest::connect(&quiet)?;
    let mut own = FakeGuest::connect(&path)?;
    let sent = become_one(NOBODY, NOBODY, || {
        let slow = (0..8).map(|_| Ok(Slow::new()?)).collect::<Result<Vec<_>>>()?;
        // Past these, it pauses: who comes then can send before he is hung up on.
        let before =
            (0..80).map(|_| Ok(UnixStream::connect(&path)?)).collect::<Result<Vec<_>>>()?;
        let sent = slow.into_iter().map(|slow| {
            let stream = UnixStream::connect(&path)?;
            // From Linux 6.16 on, none can be sent.
            Ok(slow.send(&stream, SendFlags::empty()).ok())
        });
        let sent = sent.collect::<Result<Vec<_>>>()?;
        drop(before);
        Ok(sent)
    })?;
    for guest in [&mut vmm, &mut own] {
        assert_eq!(guest.ask_one("ping a")?, "200 pong a");
    }
    drop(sent);
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
    command.args(["--exact", "peers::another_vmm", "--nocapture"]).env(CONNECT_TO, path);
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
