//! Where each statistic comes from.

mod figures;
mod host;
mod libvirt;
mod vmm;

pub use host::*;
pub use libvirt::*;
pub use vmm::*;

use crate::Instances;

/// A statistic's source, as fine as the figure. Those who read sources match this without a
/// wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// What the daemon itself knows of the guest and of the reply.
    Own(Own),
    /// What a host's kernel tells of the host.
    Host(Host),
    /// What a host's kernel tells of the guest's virtual machine monitor.
    Vmm(Vmm),
    /// What libvirt tells, where there is one.
    Libvirt(Libvirt),
    /// What the samples of up to the last minute say of the guest and its host.
    Verdict(Judged),
    /// The same in one word.
    State(Judged),
    /// What such samples said while the guest was watched.
    Incident,
    /// A label of the daemon's settings.
    Label,
    /// What the administrator has to say.
    Notice,
    /// What the administrator says of the host.
    HostState,
    /// A file or a command that the administrator named.
    Custom,
    /// The host's packages, shared out by CPU time.
    Energy,
}

/// What a verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Everything that there is a verdict about, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Memory, Self::Io, Self::Net];

    /// Its word in a statistic's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
            Self::Net => "net",
        }
    }
}

/// What the daemon knows without reading a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A random word for each run of the daemon and of the guest's VMM.
    Session,
    /// When the session began.
    SessionStart,
    /// The host's real-time clock.
    Time,
    /// The age of the oldest sample in the reply.
    SampleAge,
    /// The time that the reply's ratios speak of.
    Window,
    /// The guest's rule.
    Interval,
    /// HMAC of the host's secret and the guest's socket name.
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
}

impl Source {
    /// What there is a value of it for each of.
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

    /// Why neither the machines that tests run on nor the KVM hosts that they emulate have a value of it,
    /// or none but 0: they have nothing of what it counts, so it was tried on files that were written
    /// after the kernel's documentation. `None` where a test has seen a real guest told a value.
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
