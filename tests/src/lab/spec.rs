//! The host that a scenario needs.

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
    /// Debian 13's own. Under it, the emulation supports one guest at a time.
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
}

/// Unmodified Debian 12.
pub const BOOKWORM: Spec =
    Spec { suite: Suite::Bookworm, kernel: Kernel::V6_1, lsm: Lsm::AppArmor };

/// Debian 12 under SELinux.
pub const SELINUX: Spec = Spec { lsm: Lsm::Selinux, ..BOOKWORM };

/// Debian 13's libvirt and QEMU with Debian 12's kernel, under which several guests are possible.
pub const TRIXIE: Spec = Spec { suite: Suite::Trixie, ..BOOKWORM };

/// Unmodified Debian 13, for a single guest.
pub const TRIXIE_AS_IT_COMES: Spec = Spec { kernel: Kernel::V6_12, ..TRIXIE };

impl Spec {
    /// Its name in file names.
    pub(super) fn name(self) -> String {
        let lsm = match self.lsm {
            Lsm::AppArmor => "apparmor",
            Lsm::Selinux => "selinux",
        };
        format!("{}-{}-{lsm}", self.suite.name(), self.kernel.name())
    }

    /// How many guests the emulation supports at a time.
    pub(super) fn most_guests(self) -> usize {
        match self.kernel {
            Kernel::V6_1 => super::qemu::GUEST_CPUS.count(),
            Kernel::V6_12 => 1,
        }
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
