//! Other programs that have a port open, as far as they were seen.

use std::fmt;

use crate::joined::list;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Others {
    /// Programs that have the device open.
    pub(crate) holders: Vec<Holder>,
    /// Some processes could not be inspected, or there were too many.
    pub(crate) is_partial: bool,
}

/// A program that has the device open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// The kernel's name for it: proc_pid_comm(5). A copy of this program also has its command.
    pub(crate) name: String,
    /// Whether it may read from the device, and so take away what is meant for others.
    pub(crate) reads: bool,
}

/// The name of a broker in [`Holder::name`].
pub(crate) const BROKERS_NAME: &str = "hostinfo serve";

impl Others {
    /// The broker, if it is one of them.
    pub(crate) fn broker(&self) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.name == BROKERS_NAME)
    }

    /// Whether one of them reads.
    pub(crate) fn read(&self) -> bool {
        self.holders.iter().any(|holder| holder.reads)
    }

    /// Those that read.
    pub(crate) fn readers(&self) -> Self {
        let reads = |holder: &&Holder| holder.reads;
        let holders = self.holders.iter().filter(reads).cloned().collect();
        Self { holders, ..*self }
    }

    /// Those that a later look saw as well.
    pub(crate) fn still_seen_in(mut self, later: &Self) -> Self {
        self.holders.retain(|holder| later.holders.iter().any(|other| other.pid == holder.pid));
        self.is_partial |= later.is_partial;
        self
    }

    /// Also remembers those that another look saw.
    pub(crate) fn add(&mut self, seen: Self) {
        self.is_partial |= seen.is_partial;
        for holder in seen.holders {
            if !self.holders.iter().any(|known| known.pid == holder.pid) {
                self.holders.push(holder);
            }
        }
    }

    /// Their names for a sentence: `agetty (PID 412) and cat (PID 500)`.
    pub(crate) fn named(&self) -> String {
        /// More names would not help.
        const NAMED_MAX: usize = 4;
        let named: Vec<String> =
            self.holders.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        list(&named)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (PID {})", self.name, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_gone_at_the_next_look_does_not_count() {
        let seen = |pids: &[u32]| Others {
            holders: pids
                .iter()
                .map(|pid| Holder { pid: *pid, name: "cat".to_owned(), reads: true })
                .collect(),
            is_partial: false,
        };
        assert_eq!(seen(&[1, 2]).still_seen_in(&seen(&[2, 3])), seen(&[2]));
    }

    #[test]
    fn they_are_named_as_in_a_sentence() {
        let holder = |pid| Holder { pid, name: "cat".to_owned(), reads: true };
        let mut others = Others { holders: vec![holder(1)], is_partial: false };
        assert_eq!(others.named(), "cat (PID 1)");
        others.add(Others { holders: vec![holder(1), holder(2)], is_partial: true });
        assert_eq!(others.named(), "cat (PID 1) and cat (PID 2)");
        assert!(others.is_partial);
    }
}
