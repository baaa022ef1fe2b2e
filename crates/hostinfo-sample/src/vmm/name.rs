//! Which processes are VMMs, judged by their names.

/// Name prefixes: QEMU, including its names on RHEL, Debian and Proxmox, cloud-hypervisor (cut to
/// 15 bytes), Firecracker and crosvm.
const VMMS: [&[u8]; 5] = [b"qemu", b"kvm", b"cloud-hyperviso", b"firecracker", b"crosvm"];

/// QEMU's and KVM's tools, cut to 15 bytes. Some of them, such as `qemu-ga` and `qemu-nbd`, run for days.
const TOOLS: [&[u8]; 11] = [
    b"qemu-bridge-hel",
    b"qemu-edid",
    b"qemu-ga",
    b"qemu-img",
    b"qemu-io",
    b"qemu-nbd",
    b"qemu-pr-helper",
    b"qemu-storage-da",
    b"qemu-vmsr-helpe",
    b"kvm-ok",
    b"kvm_stat",
];

/// Whether this name (`comm`) is a VMM's. A VMM with another name is recognized by its vCPU
/// threads.
pub(crate) fn is_vmm(name: &[u8]) -> bool {
    VMMS.iter().any(|vmm| name.starts_with(vmm)) && !TOOLS.contains(&name)
}

/// Whether this name is QEMU's. Whether QEMU names its threads depends on how it was started.
pub(crate) fn is_qemu(name: &[u8]) -> bool {
    is_vmm(name) && (name.starts_with(b"qemu") || name.starts_with(b"kvm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vmms_are_told_from_their_tools() {
        for name in ["qemu-system-x86", "qemu-kvm", "qemu:web", "kvm"] {
            assert!(is_vmm(name.as_bytes()) && is_qemu(name.as_bytes()), "{name}");
        }
        for name in ["cloud-hyperviso", "firecracker", "crosvm"] {
            assert!(is_vmm(name.as_bytes()) && !is_qemu(name.as_bytes()), "{name}");
        }
        for name in
            ["qemu-ga", "qemu-storage-da", "kvm_stat", "swtpm", "virtqemud", "virtiofsd", ""]
        {
            assert!(!is_vmm(name.as_bytes()) && !is_qemu(name.as_bytes()), "{name}");
        }
    }
}
