//! The host that a scenario needs.

use std::ops::Range;

/// A release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// Debian 12: libvirt 9.0, QEMU 7.2.
    Bookworm,
    /// Debian 13: libvirt 11.3, QEMU 10.0.
    Trixie,
}

/// The host's kernel, which its guests run as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Debian 12's.
    V6_1,
    /// Debian 13's own. Under it, the emulation bears one guest at a time.
    V6_12,
}

/// The security module that confines QEMU, enforcing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lsm {
    /// With the profile that libvirt creates for each guest.
    AppArmor,
    /// With Debian's policy.
    Selinux,
}

/// A host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Its userland.
    pub suite: Suite,
    /// Its kernel.
    pub kernel: Kernel,
    /// Its security module.
    pub lsm: Lsm,
    /// How many CPUs it has: one for itself, and one for each guest, since the emulation bears no two guests on one.
    /// More than that would only make it slower: each is a thread, and those that a small machine does not run keep
    /// the others waiting.
    pub cpus: u32,
}

/// Unmodified Debian 12, for three guests.
pub const BOOKWORM: Spec =
    Spec { suite: Suite::Bookworm, kernel: Kernel::V6_1, lsm: Lsm::AppArmor, cpus: 4 };

/// The same for one guest.
pub const FOR_ONE_GUEST: Spec = Spec { cpus: 2, ..BOOKWORM };

/// The same without guests, but for fakes. Two of it can run side by side on a machine with two CPUs.
pub const WITHOUT_GUESTS: Spec = Spec { cpus: 1, ..BOOKWORM };

/// Debian 12 under SELinux, for one guest.
pub const SELINUX: Spec = Spec { lsm: Lsm::Selinux, ..FOR_ONE_GUEST };

/// Debian 13's libvirt and QEMU with Debian 12's kernel, under which several guests are possible.
pub const TRIXIE: Spec = Spec { suite: Suite::Trixie, ..BOOKWORM };

/// Unmodified Debian 13, for one guest.
pub const TRIXIE_AS_IT_COMES: Spec =
    Spec { suite: Suite::Trixie, kernel: Kernel::V6_12, ..FOR_ONE_GUEST };

impl Spec {
    /// Its name in file names.
    pub(super) fn name(self) -> String {
        let lsm = match self.lsm {
            Lsm::AppArmor => "apparmor",
            Lsm::Selinux => "selinux",
        };
        format!("{}-{}-{lsm}-{}", self.suite.name(), self.kernel.name(), self.cpus)
    }

    /// The CPUs for guests. The host itself keeps CPU 0.
    pub(super) fn guest_cpus(self) -> Range<u32> {
        1..self.cpus
    }
}

impl Suite {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

impl Kernel {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }
}

impl Lsm {
    /// The kernel's arguments for it.
    pub(super) fn arguments(self) -> &'static str {
        match self {
            Self::AppArmor => "security=apparmor",
            Self::Selinux => "security=selinux selinux=1 enforcing=1",
        }
    }
}
