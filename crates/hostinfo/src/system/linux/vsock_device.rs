//! Whether vsock(7) leads out of this machine.

use std::fs;
use std::path::Path;

/// A socket device: section 5.10 of the Virtual I/O Device specification, as virtio's bus shows it.
const SOCKET_DEVICE: &str = "0x0013";

/// Whether this machine has a vsock device with its driver. Without one, the host's address is this machine's own as soon
/// as the module vsock_loopback is loaded, which any user's socket(2) does, and any user could answer there as the host
/// (`vsock_use_local_transport` in the kernel's net/vmw_vsock/af_vsock.c).
///
/// Where nobody has mounted `sys`, as in a guest that starts with a shell, that cannot be told, and counts as yes.
pub(super) fn is_there(sys: &Path) -> bool {
    let bus = sys.join("bus");
    match fs::read_dir(bus.join("virtio/devices")) {
        Ok(devices) => devices.flatten().any(|device| {
            let device = device.path();
            let number = fs::read_to_string(device.join("device"));
            number.is_ok_and(|number| number.trim_end() == SOCKET_DEVICE)
                && device.join("driver").exists()
        }),
        Err(_) => !bus.exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_vsock_device_with_its_driver_leads_to_the_host() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path();
        assert!(is_there(sys), "nobody has mounted it");
        fs::create_dir(sys.join("bus")).unwrap();
        assert!(!is_there(sys), "there is no virtio");
        let device = |name: &str, number: &str| {
            let device = sys.join("bus/virtio/devices").join(name);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("device"), number).unwrap();
            device
        };
        let disk = device("virtio0", "0x0002\n");
        fs::create_dir(disk.join("driver")).unwrap();
        let vsock = device("virtio1", "0x0013\n");
        assert!(!is_there(sys), "its driver is not loaded");
        fs::create_dir(vsock.join("driver")).unwrap();
        assert!(is_there(sys));
    }
}
