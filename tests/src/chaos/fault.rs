//! The table of faults: how each begins and ends, what it may do to guests, and how soon that has to be over.

use std::time::Duration;

use anyhow::Result;

use super::excuse::Harm;
use super::lie::Lie;
use super::world::World;
use super::{clock, daemon_faults, file_faults, helper_faults, host_faults, libvirt_faults};

/// A row of the table. There is no default for any of it, so that a new fault does not compile until it is said how it
/// ends.
#[derive(Debug)]
pub struct Fault {
    /// What happens.
    pub name: &'static str,
    /// Where it can happen.
    pub needs: Needs,
    /// What it breaks: two faults that break the same are not tried together.
    pub breaks: &'static [Part],
    /// How long it lasts: the least and the most, in milliseconds.
    pub lasts: (u64, u64),
    /// What it may do to guests while it lasts, and how soon after its end that has to be over.
    pub harms: &'static [(Harm, Duration)],
    /// Begins it.
    pub begin: fn(&mut World) -> Result<()>,
    /// Ends it.
    pub end: fn(&mut World) -> Result<()>,
}

/// Which libvirt a fault is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The fake helper, which speaks for all guests.
    FakeHelper,
    /// A real libvirtd.
    Libvirtd,
    /// Either.
    Nothing,
}

/// What a fault breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The daemon's process.
    Daemon,
    /// The helper, or libvirt itself.
    Helper,
    /// The rules file.
    Rules,
    /// The socket directory.
    Directory,
    /// The state directory.
    State,
}

/// The bound on all that the daemon does at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A new socket, as every socket is to a daemon that has just started, and one whose connection has ended waits up to 2 s
/// for a libvirt that has answered before to say whose it is. libvirt may hang, by another fault.
const NEW_SOCKET: Duration = Duration::from_secs(3);

/// A socket that could not be connected to is tried again after at most 1 s (`RETRY_LONGEST`).
const RETRIED: Duration = Duration::from_secs(2);

/// A helper is started again after at most 10 s (`RESTART_LONGEST`); one that hangs is found out after 5 s before that.
const KNOWN_AGAIN: Duration = Duration::from_secs(16);

/// What a helper's fault may do.
const UNKNOWN: &[(Harm, Duration)] = &[(Harm::Libvirt, KNOWN_AGAIN)];

/// A row for a lie.
macro_rules! lie {
    ($lie:expr, $name:literal, $harms:expr) => {
        Fault {
            name: concat!("the helper lies: ", $name),
            needs: Needs::FakeHelper,
            breaks: &[Part::Helper],
            lasts: (300, 2000),
            harms: $harms,
            begin: |world| world.lie(Some($lie)),
            end: |world| world.lie(None),
        }
    };
}

/// All faults.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: "the daemon is killed and started again",
        needs: Needs::FakeHelper,
        breaks: &[Part::Daemon],
        lasts: (0, 1500),
        harms: &[(Harm::Waiting, NEW_SOCKET), (Harm::Libvirt, KNOWN_AGAIN), (Harm::Files, AT_ONCE)],
        begin: daemon_faults::kill,
        end: daemon_faults::start,
    },
    Fault {
        name: "the daemon is killed while it starts, three times",
        needs: Needs::FakeHelper,
        breaks: &[Part::Daemon],
        lasts: (0, 0),
        harms: &[(Harm::Waiting, NEW_SOCKET), (Harm::Libvirt, KNOWN_AGAIN), (Harm::Files, AT_ONCE)],
        begin: daemon_faults::kill_while_it_starts,
        end: daemon_faults::start,
    },
    Fault {
        name: "the daemon is stopped (SIGSTOP) and goes on",
        needs: Needs::FakeHelper,
        breaks: &[Part::Daemon],
        lasts: (200, 3000),
        harms: &[(Harm::Waiting, AT_ONCE), (Harm::Files, AT_ONCE)],
        begin: daemon_faults::stop,
        end: daemon_faults::go_on,
    },
    Fault {
        name: "the daemon is stopped for longer than a helper may be silent",
        needs: Needs::FakeHelper,
        breaks: &[Part::Daemon],
        lasts: (5500, 6500),
        harms: &[(Harm::Waiting, AT_ONCE), (Harm::Libvirt, KNOWN_AGAIN), (Harm::Files, AT_ONCE)],
        begin: daemon_faults::stop,
        end: daemon_faults::go_on,
    },
    Fault {
        name: "the daemon has no descriptors left (EMFILE)",
        needs: Needs::FakeHelper,
        breaks: &[Part::Daemon],
        lasts: (1000, 6000),
        harms: &[(Harm::Waiting, RETRIED), (Harm::Files, AT_ONCE), (Harm::Libvirt, KNOWN_AGAIN)],
        begin: daemon_faults::take_descriptors,
        end: daemon_faults::give_descriptors,
    },
    Fault {
        name: "the daemon's clocks leap ahead by up to an hour",
        needs: Needs::FakeHelper,
        breaks: &[Part::Daemon],
        lasts: (0, 500),
        harms: &[(Harm::Waiting, AT_ONCE), (Harm::Libvirt, KNOWN_AGAIN)],
        begin: clock::leap,
        end: |_| Ok(()),
    },
    Fault {
        name: "the helper is killed",
        needs: Needs::FakeHelper,
        breaks: &[Part::Helper],
        lasts: (0, 1000),
        harms: UNKNOWN,
        begin: helper_faults::kill,
        end: |_| Ok(()),
    },
    Fault {
        name: "the helper is stopped (SIGSTOP) for a moment",
        needs: Needs::FakeHelper,
        breaks: &[Part::Helper],
        lasts: (500, 4000),
        harms: UNKNOWN,
        begin: helper_faults::stop,
        end: helper_faults::go_on,
    },
    Fault {
        name: "the helper hangs for good",
        needs: Needs::FakeHelper,
        breaks: &[Part::Helper],
        lasts: (6000, 7000),
        harms: UNKNOWN,
        begin: helper_faults::stop,
        end: helper_faults::go_on,
    },
    lie!(Lie::Garbage, "no message", UNKNOWN),
    lie!(Lie::OtherVersion, "another version", UNKNOWN),
    lie!(Lie::TooLong, "a line without end", UNKNOWN),
    lie!(Lie::WithoutEnd, "an answer without end", UNKNOWN),
    lie!(Lie::UnaskedAnswers, "answers that nobody has asked for", UNKNOWN),
    lie!(Lie::NobodyIsThere, "all domains are gone", UNKNOWN),
    lie!(
        Lie::TwoHaveOneSocket,
        "two domains have one socket",
        &[(Harm::Libvirt, KNOWN_AGAIN), (Harm::Standing, KNOWN_AGAIN)]
    ),
    lie!(Lie::FiguresOfNobody, "figures of a domain that does not exist", UNKNOWN),
    Fault {
        name: "libvirtd is killed and started again",
        needs: Needs::Libvirtd,
        breaks: &[Part::Helper],
        lasts: (500, 4000),
        harms: UNKNOWN,
        begin: libvirt_faults::kill,
        end: libvirt_faults::start,
    },
    Fault {
        name: "libvirtd hangs (SIGSTOP)",
        needs: Needs::Libvirtd,
        breaks: &[Part::Helper],
        lasts: (1000, 8000),
        harms: UNKNOWN,
        begin: libvirt_faults::stop,
        end: libvirt_faults::go_on,
    },
    Fault {
        name: "the disk is full",
        needs: Needs::FakeHelper,
        breaks: &[Part::State],
        lasts: (500, 3000),
        harms: &[],
        begin: host_faults::fill_disk,
        end: host_faults::empty_disk,
    },
    Fault {
        name: "the socket directory is made anew",
        needs: Needs::Nothing,
        breaks: &[Part::Directory, Part::Daemon],
        lasts: (0, 1500),
        harms: &[(Harm::Waiting, NEW_SOCKET), (Harm::Libvirt, AT_ONCE)],
        begin: file_faults::remove_directory,
        end: file_faults::make_directory,
    },
    Fault {
        name: "all VMMs are started again, each with a new socket",
        needs: Needs::Nothing,
        breaks: &[Part::Directory],
        lasts: (0, 0),
        harms: &[(Harm::Waiting, NEW_SOCKET), (Harm::Libvirt, AT_ONCE)],
        begin: file_faults::start_guests_anew,
        end: |_| Ok(()),
    },
    Fault {
        name: "a third of the guests hangs up",
        needs: Needs::Nothing,
        breaks: &[Part::Directory],
        lasts: (0, 0),
        harms: &[(Harm::Waiting, NEW_SOCKET), (Harm::Libvirt, AT_ONCE)],
        begin: file_faults::hang_up,
        end: |_| Ok(()),
    },
    Fault {
        name: "the rules are written in place",
        needs: Needs::Nothing,
        breaks: &[Part::Rules],
        lasts: (0, 500),
        harms: &[],
        begin: file_faults::write_rules,
        end: |_| Ok(()),
    },
    Fault {
        name: "the rules are flipped ten times, each by a rename",
        needs: Needs::Nothing,
        breaks: &[Part::Rules],
        lasts: (0, 500),
        harms: &[],
        begin: file_faults::flip_rules,
        end: |_| Ok(()),
    },
    Fault {
        name: "the rules have an error, and then others are right",
        needs: Needs::Nothing,
        breaks: &[Part::Rules, Part::Daemon],
        lasts: (300, 1500),
        harms: &[],
        begin: file_faults::break_rules,
        end: file_faults::write_rules,
    },
    Fault {
        name: "the rules are gone, and come back as others",
        needs: Needs::Nothing,
        breaks: &[Part::Rules, Part::Daemon],
        lasts: (300, 1500),
        harms: &[],
        begin: file_faults::remove_rules,
        end: file_faults::write_rules,
    },
];

impl Fault {
    /// Whether both can be tried at the same time.
    pub fn goes_with(&self, other: &Self) -> bool {
        !self.breaks.iter().any(|part| other.breaks.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_names_of_their_own_and_break_something() {
        for (number, fault) in FAULTS.iter().enumerate() {
            assert!(!fault.breaks.is_empty(), "{}", fault.name);
            assert!(fault.lasts.0 <= fault.lasts.1, "{}", fault.name);
            assert!(!fault.goes_with(fault), "{}", fault.name);
            assert!(FAULTS.iter().skip(number + 1).all(|other| other.name != fault.name));
        }
    }
}
