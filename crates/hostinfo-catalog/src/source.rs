//! Where each statistic comes from.

mod figures;
mod host;
mod libvirt;
mod vmm;

pub use host::*;
pub use libvirt::*;
pub use vmm::*;

use strum::{EnumString, IntoStaticStr};

use crate::Instances;

/// A statistic's source, down to the single figure. Code that reads sources matches this without a wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// What the daemon itself knows about the guest and the reply.
    Own(Own),
    /// The kernel's figures for the host.
    Host(Host),
    /// The kernel's figures for the guest's virtual machine monitor.
    Vmm(Vmm),
    /// Data from libvirt, if there is one.
    Libvirt(Libvirt),
    /// A verdict on the guest and its host, from the samples of up to the last minute.
    Verdict(Judged),
    /// The same in one word.
    State(Judged),
    /// Verdicts from such samples while the guest was watched.
    Incident,
    /// A label of the daemon's settings.
    Label,
    /// A notice from the administrator.
    Notice,
    /// The state of the host, set by the administrator.
    HostState,
    /// A file or a command given by the administrator.
    Custom,
    /// The guest's share, by CPU time, of the energy of the host's packages.
    Energy,
}

/// The subject of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Judged {
    /// The vCPUs' time.
    Cpu,
    /// Memory.
    Memory,
    /// Disks.
    Io,
    /// Interfaces.
    Net,
}

impl Judged {
    /// Every subject of a verdict, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Memory, Self::Io, Self::Net];

    /// Its word in a statistic's name.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// What the daemon knows without reading a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A random word for each run of the daemon and of the guest. An upgrade of the daemon keeps it.
    Session,
    /// When the session began.
    SessionStart,
    /// The host's real-time clock.
    Time,
    /// The age of the oldest sample in the reply.
    SampleAge,
    /// The time that the reply's ratios cover.
    Window,
    /// The guest's rule.
    Interval,
    /// HMAC of the guest's socket name, keyed with the host's secret and machine-id(5).
    HostId,
    /// The driver in the socket's name.
    Driver,
    /// The guest's name in the socket's name.
    GuestName,
}

impl Source {
    /// The source in the words of its kernel file, for the documentation.
    pub fn origin(self) -> &'static str {
        match self {
            Self::Own(own) => own.origin(),
            Self::Host(host) => host.origin(),
            Self::Vmm(vmm) => vmm.origin(),
            Self::Libvirt(libvirt) => libvirt.origin(),
            Self::Verdict(_) | Self::State(_) => {
                "the host's and the guest's figures, sampled since the guest asks or is watched"
            }
            Self::Incident => "verdicts on 10 s each, while this guest was watched",
            Self::Label => "hostinfod.toml, `[labels]`",
            Self::Notice | Self::HostState => "the host's administrator",
            Self::Custom => "a file or a command: custom.md",
            Self::Energy => {
                "/sys/class/powercap/intel-rapl:*/energy_uj, by vCPU threads' share of the CPUs' busy time"
            }
        }
    }

    /// The kind of instances that it has a value for.
    pub const fn instances(self) -> Instances {
        match self {
            Self::Vmm(vmm) => vmm.instances(),
            Self::Libvirt(libvirt) => libvirt.instances(),
            Self::Label => Instances::Labels,
            Self::Notice => Instances::Notices,
            Self::Incident => Instances::Incidents,
            Self::Custom => Instances::Customs,
            Self::Own(_)
            | Self::Host(_)
            | Self::Verdict(_)
            | Self::State(_)
            | Self::HostState
            | Self::Energy => Instances::None,
        }
    }

    /// Why the value is missing, or only ever 0, both on the machines that run the tests and on the KVM hosts
    /// they emulate: those have nothing of what it counts, so it was tested with files written from the
    /// kernel's documentation. `None` if a test has seen a real guest receive a value.
    pub fn unseen(self) -> Option<&'static str> {
        match self {
            Self::Host(Host::Frequency(_) | Host::Throttles) => {
                Some("an emulated CPU has neither a clock that changes nor heat")
            }
            Self::Energy => Some("an emulated CPU has no RAPL"),
            _ => None,
        }
    }
}

impl Own {
    fn origin(self) -> &'static str {
        match self {
            Self::Session => "getrandom(2)",
            Self::SessionStart | Self::Time => "clock_gettime(2), CLOCK_REALTIME",
            Self::SampleAge | Self::Window => "the reply's samples",
            Self::Interval => "hostinfo.conf(5)",
            Self::HostId => "HMAC-SHA256 of the host's secret and machine-id(5), socket name",
            Self::Driver | Self::GuestName => "socket name",
        }
    }
}
