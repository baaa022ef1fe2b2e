//! What a VMM's thread does, judged by its name.

use serde::{Deserialize, Serialize};

use crate::text::number;

/// One more than the highest vCPU number that is believed: KVM has at most 4,096.
pub(crate) const VCPUS_MAX: u32 = 8192;

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// It is the vCPU of that number.
    Vcpu(u32),
    /// It serves disks that were given an iothread.
    Iothread,
    /// Everything else: emulated devices, the monitor, the kernel's helpers.
    Emulator,
}

impl Role {
    /// ```text
    /// CPU 0/KVM         QEMU with debug-threads=on; TCG and others too
    /// ALL CPUs/TCG      the same, where emulated vCPUs take turns on one thread
    /// vcpu0             cloud-hypervisor
    /// fc_vcpu 0         Firecracker
    /// crosvm_vcpu0      crosvm
    /// IO iothread1      QEMU
    /// IO mon_iothread   QEMU's monitor, for the host: no disk waits for it
    /// ```
    pub(crate) fn of(name: &[u8]) -> Self {
        if let Some(vcpu) = vcpu(name) {
            Self::Vcpu(vcpu)
        } else if name.starts_with(b"IO ") && name != b"IO mon_iothread" {
            Self::Iothread
        } else {
            Self::Emulator
        }
    }
}

fn vcpu(name: &[u8]) -> Option<u32> {
    let digits = if let Some(rest) = name.strip_prefix(b"CPU ") {
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        rest.get(..slash)?
    } else if name.starts_with(b"ALL CPUs/") {
        b"0"
    } else {
        let prefixes = [&b"vcpu"[..], b"fc_vcpu ", b"crosvm_vcpu"];
        prefixes.iter().find_map(|prefix| name.strip_prefix(*prefix))?
    };
    number(digits)?.try_into().ok().filter(|vcpu| *vcpu < VCPUS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vcpus_are_known_by_their_numbers() {
        for (name, number) in [
            ("CPU 0/KVM", 0),
            ("CPU 17/TCG", 17),
            ("CPU 4095/KVM", 4095),
            ("ALL CPUs/TCG", 0),
            ("vcpu3", 3),
            ("fc_vcpu 2", 2),
            ("crosvm_vcpu1", 1),
        ] {
            assert_eq!(Role::of(name.as_bytes()), Role::Vcpu(number), "{name}");
        }
    }

    #[test]
    fn all_else_that_is_no_iothread_is_the_emulator() {
        for name in [
            "qemu-system-x86",
            "CPU /KVM",
            "CPU 0",
            "CPU -1/KVM",
            "CPU 8192/KVM",
            "vcpu",
            "vcpux",
            "worker",
            "IO mon_iothread",
            "vhost-4242",
            "",
        ] {
            assert_eq!(Role::of(name.as_bytes()), Role::Emulator, "{name}");
        }
        assert_eq!(Role::of(b"IO iothread1"), Role::Iothread);
        assert_eq!(Role::of(b"IO disk 0"), Role::Iothread);
    }

    proptest! {
        #[test]
        fn any_name_has_a_role(name: Vec<u8>, vcpu in "CPU [0-9]{0,20}/") {
            Role::of(&name);
            prop_assert!(!matches!(Role::of(vcpu.as_bytes()), Role::Vcpu(VCPUS_MAX..)));
        }
    }
}
