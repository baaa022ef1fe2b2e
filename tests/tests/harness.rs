//! The tests' own tools: what they say of a guest is so.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use anyhow::Result;
use hostinfo_tests::{Guest, Port};

#[test]
fn a_command_in_the_guest_gives_back_its_output_its_errors_and_its_status() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut guest = Guest::restore(&folder.path().join("qemu-a"), Port::Serial)?;
    let output = guest.run("echo out; echo err >&2; exit 7")?;
    assert_eq!((&*output.stdout, &*output.stderr, output.status), ("out\n", "err\n", 7));
    assert_eq!(guest.sh("seq 3000")?.lines().count(), 3000);
    assert!(guest.run_within("sleep 60", std::time::Duration::from_millis(100)).is_err());
    Ok(())
}

#[test]
fn either_port_of_a_guest_is_the_socket_of_its_host() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, port) in [("qemu-a", Port::Serial), ("qemu-b", Port::Channel)] {
        let socket = folder.path().join(name);
        let mut guest = Guest::restore(&socket, port)?;
        assert!(!guest.has_host()?);
        let mut host = UnixStream::connect(&socket)?;
        guest.wait_for_host()?;
        let device = guest.device();
        guest.sh(&format!("(exec 3<>{device}; echo hello >&3; head -n 1 <&3) >/run/heard & "))?;
        let mut heard = [0; 5];
        host.read_exact(&mut heard)?;
        assert_eq!(&heard, b"hello");
        host.write_all(b"200 you\n")?;
        let heard = guest.sh("until grep -q . /run/heard; do sleep 0.05; done; cat /run/heard")?;
        assert_eq!(heard, "200 you\n");
    }
    Ok(())
}

#[test]
fn a_guest_boots_again_when_it_is_reset_and_when_it_reboots() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut guest = Guest::restore(&folder.path().join("qemu-a"), Port::Serial)?;
    guest.sh("touch /tmp/before")?;
    guest.reset()?;
    assert_eq!(guest.run("ls /tmp/before")?.status, 1);
    guest.sh("touch /tmp/before")?;
    guest.reboot()?;
    assert_eq!(guest.run("ls /tmp/before")?.status, 1);
    Ok(())
}
