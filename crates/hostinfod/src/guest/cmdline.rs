//! The command line of a guest's VMM: its address on vsock(7).

use std::path::Path;

use hostinfo_answer::Peer;

use super::peer::read;

/// The most that is read of a command line: one of libvirt's with 100 disks has 60 KiB.
const LENGTH_MAX: usize = 256 * 1024;

/// The address that a QEMU has.
pub(crate) fn cid(peer: Peer, proc: &Path) -> Option<u32> {
    cid_in(&read(peer.pid, "cmdline", LENGTH_MAX, proc).ok()?)
}

/// The address on the command line of a QEMU, as `/proc/PID/cmdline` has it: proc(5).
///
/// `...\0-device\0vhost-vsock-pci,id=vsock0,guest-cid=3\0...`, or `{"driver":"vhost-vsock-pci","guest-cid":3}`
fn cid_in(cmdline: &[u8]) -> Option<u32> {
    let mut found = None;
    for argument in cmdline.split(|byte| *byte == 0) {
        let Ok(argument) = std::str::from_utf8(argument) else { continue };
        if !argument.contains("vsock") {
            continue;
        }
        let Some((_, value)) = argument.split_once("guest-cid") else { continue };
        let digits = value.trim_start_matches(['"', ':', '=', ' ']);
        let digits = digits.split(|c: char| !c.is_ascii_digit()).next()?;
        // Two devices: it is not known which one the kernel has.
        if found.replace(digits.parse().ok()?).is_some() {
            return None;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_line_has_one_address_or_none() {
        for (line, cid) in [
            ("qemu\0-device\0vhost-vsock-pci,id=v,guest-cid=42\0-m\0x\0", Some(42)),
            (
                "qemu\0-device\0{\"driver\":\"vhost-vsock-pci\",\"guest-cid\":7,\"id\":\"v\"}\0",
                Some(7),
            ),
            ("qemu\0-name\0guest-cid=5\0", None),
            (
                "qemu\0-device\0vhost-vsock-pci,guest-cid=1\0-device\0vhost-vsock-pci,guest-cid=2",
                None,
            ),
            ("qemu\0-device\0vhost-vsock-pci,guest-cid=99999999999", None),
            ("qemu\0-device\0vhost-vsock-pci,guest-cid=", None),
            ("", None),
        ] {
            assert_eq!(cid_in(line.as_bytes()), cid, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_command_line_is_read(bytes: Vec<u8>, rest in "(vsock,guest-cid=)?\\PC{0,20}") {
            let _ = cid_in(&bytes);
            let _ = cid_in(rest.as_bytes());
        }
    }
}
