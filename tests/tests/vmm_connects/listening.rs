//! For which guests the daemon listens, and where.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hostinfo_control::GuestState;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{FakeGuest, Host};

use crate::{Vms, serve, wait_until_gone};

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
