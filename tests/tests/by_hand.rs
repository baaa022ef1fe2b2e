//! The options that README gives for a QEMU without libvirt.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::process::tied;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// README's options, with that path instead of the socket's.
fn options(path: &str) -> Result<Vec<String>> {
    let readme = fs::read_to_string(README)?;
    let block = readme
        .split("```")
        .find(|block| block.contains("-chardev socket,id=hostinfo,"))
        .context("README has no such options")?;
    let lines = block.lines().filter_map(|line| line.split('#').next());
    let words = lines.flat_map(str::split_whitespace);
    Ok(words.map(|word| word.replace("/var/lib/hostinfo/qemu-NAME", path)).collect())
}

/// Whether what such a QEMU's guest writes to the second serial port of every PC comes out at the
/// socket.
fn is_second_serial_port(console: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("socket");
    let mut command = tied("qemu-system-x86_64");
    command
        .args(["-S", "-nodefaults", "-display", "none", "-machine", "q35", "-monitor", "stdio"])
        .args(["-chardev", "null,id=console"])
        .args(console)
        .args(options(path(&socket)?)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut qemu = command.spawn()?;
    let mut monitor = qemu.stdin.take().context("no stdin")?;
    let mut socket = wait_for("QEMU to listen", PATIENCE, || {
        ensure!(qemu.try_wait()?.is_none(), "QEMU takes no such options");
        Ok(UnixStream::connect(&socket).ok())
    })?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut byte = [0];
    wait_until("a byte of the second serial port", PATIENCE, || {
        monitor.write_all(b"o /1 0x2f8 0x41\n")?;
        Ok(socket.read(&mut byte).is_ok_and(|length| length == 1))
    })?;
    ensure!(byte == *b"A", "{byte:?}");
    monitor.write_all(b"quit\n")?;
    ensure!(qemu.wait()?.success());
    Ok(())
}

#[test]
fn hostinfo_is_the_second_serial_port_however_the_console_is_made() -> Result<()> {
    for console in ["-serial chardev:console", "-device isa-serial,chardev=console"] {
        let console: Vec<&str> = console.split(' ').collect();
        is_second_serial_port(&console).with_context(|| format!("{console:?}"))?;
    }
    Ok(())
}
