//! vhostmd's clients: the channel and the metrics disk.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::fake::FakeGuest;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Guest, Host, Port};

/// Everything up to the empty line at a document's end.
fn document(channel: &mut FakeGuest) -> Result<String> {
    let mut text = String::new();
    loop {
        let line = channel.line()?;
        if line.is_empty() {
            return Ok(text);
        }
        ensure!(line.starts_with('<') || line.starts_with("INVALID"), "{line:?}");
        text += &(line + "\n");
    }
}

#[test]
fn the_channel_speaks_as_vhostmd_does_under_the_guests_own_rule_and_interval() -> Result<()> {
    let host = Host::new("qemu-a:\n  interval = 60\n  vhostmd = 1\n")?;
    let _daemon = host.start_daemon()?;
    let mut channel = FakeGuest::join(&host.sockets().join("vhostmd/qemu-a"))?;
    let mut port = FakeGuest::join(&host.socket("a"))?;
    channel.send("GET /metrics/XML\r\n\r\n")?;
    let first = document(&mut channel)?;
    for name in ["HostName", "Time", "NumberOfPhysicalCPUs", "TotalCPUTime", "UsedVirtualMemory"] {
        ensure!(first.contains(&format!("<name>{name}</name>")), "no {name}: {first}");
    }
    // The interval is the guest's, whichever way it asks.
    ensure!(port.ask_one("loadavg.1")?.starts_with("429 retry after "));
    channel.send("GET /metrics/XML\n\n")?;
    ensure!(document(&mut channel)? == first, "who asks too soon gets the same document");
    channel.send("GET /\n\n")?;
    ensure!(document(&mut channel)? == "INVALID REQUEST\n");
    Ok(())
}

#[test]
fn a_real_guest_gets_the_document_over_its_serial_port() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let shown = guest
        .sh("exec 3<>/dev/ttyS1; stty raw -echo <&3; echo 'GET /metrics/XML' >&3; echo >&3
         while read -r line <&3; do echo \"$line\"; [ \"$line\" = '</metrics>' ] && break; done")?;
    ensure!(shown.starts_with("<metrics>\n") && shown.contains("context='vm'"), "{shown}");
    Ok(())
}

/// The document on a metrics disk, read as vhostmd's clients do.
fn on_disk(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file)?;
    let number = |at: usize| -> Result<u32> {
        Ok(u32::from_be_bytes(bytes.get(at..at + 4).context("too short")?.try_into()?))
    };
    ensure!(number(0)? == 0x6d76_6264 && number(4)? == 0, "no signature, or busy");
    let length = usize::try_from(number(12)?)?;
    let content = bytes.get(16..16 + length).context("too long")?;
    let sum = content.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    ensure!(sum == number(8)?, "the sum is another");
    Ok(String::from_utf8(content.to_vec())?)
}

#[test]
fn a_disk_is_there_before_its_guest_and_follows_the_rules() -> Result<()> {
    let host = Host::new("qemu-a:\n  interval = 0\n  vhostmd-disk = 1\n  vhostmd = 1\n*:\n")?;
    let _daemon = host.start_daemon()?;
    let file = host.sockets().join("disk/qemu-a");
    let shows = |name: &str| {
        let file = file.clone();
        let name = format!("<name>{name}</name>");
        move || Ok(on_disk(&file).is_ok_and(|text| text.contains(&name)))
    };
    wait_until("the disk", PATIENCE, shows("FreePhysicalMemory"))?;
    let first = on_disk(&file)?;
    let until = Duration::from_secs(6) + PATIENCE;
    wait_until("another time", until, || Ok(on_disk(&file).is_ok_and(|text| text != first)))?;
    ensure!(!host.sockets().join("disk/qemu-b").exists());

    host.write_rules("*:\n  interval = 0\n")?;
    let hides = shows("Time");
    wait_until("an empty disk", PATIENCE, || Ok(on_disk(&file).is_ok() && !hides()?))?;
    Ok(())
}
