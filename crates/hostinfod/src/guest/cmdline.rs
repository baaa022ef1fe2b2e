//! The command lines of guests' VMMs.
//!
//! The kernel lets nobody read one while its process changes what memory it has mapped (mmap_lock). A process that was
//! taken over can draw that out for as long as it likes: to protect a terabyte that is mapped takes a minute. So a thread
//! reads it, for which the daemon does not wait long.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostinfo_answer::Peer;
use hostinfo_file::aside::Patience;
use serde::Deserialize;

use super::peer::read;

/// The most that is read of a command line: one of libvirt's with 100 disks has 60 KiB.
const LENGTH_MAX: usize = 256 * 1024;

/// How long after a command line could not be read soon it is tried again: until then, the wait for it counts
/// ([`Patience::is_repaid`]).
pub(crate) const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// It could not be read soon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotSoon;

/// The command line of a process that is a guest; `None` if it cannot be read. `patience` is that guest's.
///
/// # Errors
/// It may be there later: [`TRIED_AGAIN_AFTER`].
pub(crate) fn of(
    peer: Peer,
    proc: &Path,
    patience: &mut Patience,
    now: Instant,
) -> Result<Option<Vec<u8>>, NotSoon> {
    let proc = PathBuf::from(proc);
    patience.ask(move || read(peer.pid, "cmdline", LENGTH_MAX, &proc).ok(), now).ok_or(NotSoon)
}

/// The address on the command line of a QEMU, as `/proc/PID/cmdline` has it: proc(5).
///
/// `...\0-device\0vhost-vsock-pci,id=vsock0,guest-cid=3\0...`, or `{"driver":"vhost-vsock-pci","guest-cid":3}`
///
/// No other argument counts: whoever gives a guest its name may have written one that looks like this, and the addresses of
/// vhost-device-vsock are not the kernel's.
pub(crate) fn cid(cmdline: &[u8]) -> Option<u32> {
    let arguments: Vec<&[u8]> = cmdline.split(|byte| *byte == 0).collect();
    let devices = arguments.windows(2).filter_map(|pair| match pair {
        [b"-device" | b"--device", device] => Device::of(str::from_utf8(device).ok()?),
        _ => None,
    });
    let mut devices = devices.filter(|device| device.driver.starts_with("vhost-vsock"));
    match (devices.next(), devices.next()) {
        (Some(device), None) => device.cid,
        // Two devices: it is not known which one the kernel has.
        _ => None,
    }
}

/// A device that QEMU is to have.
#[derive(Deserialize)]
struct Device {
    driver: String,
    #[serde(rename = "guest-cid")]
    cid: Option<u32>,
}

impl Device {
    /// As QEMU reads it: an object of JSON, or options with commas between, of which the last of one name counts.
    fn of(text: &str) -> Option<Self> {
        if text.starts_with('{') {
            return serde_json::from_str(text).ok();
        }
        // Two commas are one in a value.
        let text = text.replace(",,", "\0");
        let (driver, options) = text.split_once(',').unwrap_or((&text, ""));
        let mut cids = options.split(',').filter_map(|option| option.strip_prefix("guest-cid="));
        let driver = driver.strip_prefix("driver=").unwrap_or(driver).to_owned();
        Some(Self { driver, cid: cids.next_back().and_then(|cid| cid.parse().ok()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    use hostinfo_file::aside;

    use proptest::prelude::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_process_that_lets_nobody_read_its_command_line_is_waited_for_once_until_it_lets_go() {
        let proc = tempfile::tempdir().unwrap();
        let process = proc.path().join("7");
        std::fs::create_dir(&process).unwrap();
        // Whoever opens it waits, as in the kernel.
        mknodat(CWD, process.join("cmdline"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let let_go = || {
            drop(File::options().write(true).open(process.join("cmdline")).unwrap());
            assert!(aside::finish(Duration::from_secs(60)));
        };
        let (mut patience, start) = (Patience::default(), Instant::now());
        let mut is_waited_for = |after: u64| {
            let (before, now) = (format!("{patience:?}"), start + Duration::from_secs(after));
            let read = of(Peer { pid: 7, start: None }, proc.path(), &mut patience, now);
            assert_eq!(read, Err(NotSoon));
            format!("{patience:?}") != before
        };
        let waited: Vec<u64> = (0..125).filter(|after| is_waited_for(*after)).collect();
        assert_eq!(waited, [0]);
        let_go();
        assert!(is_waited_for(125));
        let_go();
    }

    #[test]
    fn the_command_line_of_a_process_is_read() {
        let pid = std::process::id().cast_signed();
        let peer = Peer { pid, start: None };
        let patience = &mut Patience::default();
        let line = of(peer, Path::new("/proc"), patience, Instant::now()).unwrap().unwrap();
        assert!(line.ends_with(b"\0") && line.len() > 1);
    }

    #[test]
    fn a_command_line_has_one_address_or_none() {
        for (line, expected) in [
            ("qemu\0-device\0vhost-vsock-pci,id=v,guest-cid=42\0-m\0x\0", Some(42)),
            (
                "qemu\0-device\0{\"driver\":\"vhost-vsock-pci\",\"guest-cid\":7,\"id\":\"v\"}\0",
                Some(7),
            ),
            ("qemu\0-device\0driver=vhost-vsock-pci,id=a,,guest-cid=1,guest-cid=8", Some(8)),
            ("qemu\0-name\0guest-cid=5\0", None),
            ("qemu\0-name\0vsock-guest-cid50,debug-threads=on\0-m\0x", None),
            ("vhost-device-vsock\0--vm\0guest-cid=3,uds-path=/vm3.vsock", None),
            ("qemu\0-device\0virtio-serial,id=vhost-vsock-guest-cid=3", None),
            ("qemu\0-device", None),
            (
                "qemu\0-device\0vhost-vsock-pci,guest-cid=1\0-device\0vhost-vsock-pci,guest-cid=2",
                None,
            ),
            ("qemu\0-device\0vhost-vsock-pci,guest-cid=99999999999", None),
            ("qemu\0-device\0vhost-vsock-pci,guest-cid=", None),
            ("", None),
        ] {
            assert_eq!(cid(line.as_bytes()), expected, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_command_line_is_read(bytes: Vec<u8>, rest in "(-device\0vhost-vsock,guest-cid=|\\{)?\\PC{0,20}") {
            let _ = cid(&bytes);
            let _ = cid(rest.as_bytes());
        }
    }
}
