//! Finds out whether the emulation failed: it sometimes makes kernels panic, and guests freeze,
//! that have nothing wrong with them.

use std::fmt;
use std::time::Duration;

use super::Lab;
use super::guest::{How, Known};

/// A shell that works answers in a second or two.
const PULSE: Duration = Duration::from_secs(60);

/// How the emulation has failed.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// QEMU has ended, or the host's kernel has panicked.
    HostDied,
    /// The host does not answer.
    HostFroze,
    /// The kernel of that guest panicked.
    GuestPanicked(String),
    /// That guest's VMM runs, but its shell does not answer.
    GuestFroze(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostDied => write!(f, "QEMU has ended, or the host's kernel has panicked"),
            Self::HostFroze => write!(f, "the host does not answer"),
            Self::GuestPanicked(name) => write!(f, "the kernel of guest {name} has panicked"),
            Self::GuestFroze(name) => write!(f, "guest {name} runs and does not answer"),
        }
    }
}

/// Whether a kernel has reported a state that should be impossible: the first such report has the
/// number 1 in `die()` of Linux's arch/x86/kernel/dumpstack.c.
pub(super) fn is_panic(said: &str) -> bool {
    said.contains("Kernel panic") || said.contains("[#1]")
}

impl Lab {
    /// The emulation's failure, if it failed.
    pub fn fault(&self) -> Option<Fault> {
        {
            let mut host = self.host.borrow_mut();
            let has_ended = host.qemu.ended().map_or(true, |status| status.is_some());
            if has_ended || is_panic(&host.serial()) {
                return Some(Fault::HostDied);
            }
        }
        if self.run_within("true", PULSE).is_err() {
            return Some(Fault::HostFroze);
        }
        let guests = self.guests.borrow().clone();
        guests.iter().find_map(|guest| self.fault_of(guest))
    }

    fn fault_of(&self, guest: &Known) -> Option<Fault> {
        let name = guest.name.clone();
        let mut console = guest.console.borrow_mut();
        // Everything it has printed since the last command.
        let answers = console.run("true", PULSE).is_ok();
        if is_panic(&console.said()) {
            return Some(Fault::GuestPanicked(name));
        }
        (!answers && self.is_running(guest)).then_some(Fault::GuestFroze(name))
    }

    /// Whether it is neither paused nor ended.
    fn is_running(&self, guest: &Known) -> bool {
        let line = match guest.how {
            How::Libvirt => format!("virsh domstate '{}' | grep -q running", guest.name),
            How::Hand => format!("kill -0 $(cat {})", guest.pid_file()),
        };
        self.run_within(&line, PULSE).is_ok_and(|output| output.status == 0)
    }
}
