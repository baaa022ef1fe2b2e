//! AF_VSOCK on this machine, whose kernel may have no guests to connect: that the daemon listens, or says why not.
//! Guests are in `lab_vsock.rs`.

use anyhow::Result;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{FakeGuest, Host};

fn host(port: u32) -> Result<Host> {
    let host = Host::new(EVERYTHING)?;
    host.write_config(&format!("[vsock]\nenabled = true\nport = {port}\n"))?;
    Ok(host)
}

#[test]
fn a_port_that_is_taken_is_named_and_everybody_else_is_served() -> Result<()> {
    // Nobody else's: this process's own number.
    let port = 1_000_000 + std::process::id();
    let first = host(port)?;
    let daemon = first.start_daemon()?;
    // It also says so where the kernel has no AF_VSOCK: modprobe vsock.
    assert!(!daemon.log().contains("[vsock]"), "{}", daemon.log());
    let second = host(port)?;
    let other = second.start_daemon()?;
    other.wait_for_log(&format!("[vsock] port {port}: "))?;
    other.wait_for_log("end the program that has the port (ss --vsock -l), then send SIGHUP")?;
    let mut guest = FakeGuest::join(&second.socket("a"))?;
    assert_eq!(guest.ask_one("ping a")?, "200 pong a");

    assert!(daemon.stop()?.success());
    other.hang_up()?;
    other.wait_for_log("settings read again")?;
    let third = host(port)?;
    let last = third.start_daemon()?;
    last.wait_for_log(&format!("[vsock] port {port}: "))?;
    Ok(())
}

#[test]
fn settings_that_wait_for_a_restart_are_named() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    host.write_config("[vsock]\nenabled = true\nguests = ['qemu-*']\n")?;
    daemon.hang_up()?;
    daemon.wait_for_log("when hostinfod is restarted: enabled and port of [vsock]")
}
