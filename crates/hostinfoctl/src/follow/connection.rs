//! The connection to libvirt that changes domains, made again when it is lost.

use std::time::Instant;

use hostinfo_domains::{Access, FailureKind, Unanswered};

use crate::args::Options;
use crate::exit::Failure;
use crate::follow::queue::pause;
use crate::libvirt::Libvirt;

/// A connection that is there, or is made when it is needed.
pub(super) struct Connection<'a> {
    options: &'a Options,
    libvirt: Option<Libvirt>,
    /// Failures in a row since something was last done over it.
    failures: u32,
    not_before: Option<Instant>,
}

impl<'a> Connection<'a> {
    /// Connects for the first time.
    ///
    /// # Errors
    /// [`Failure::Libvirt`].
    pub(super) fn open(options: &'a Options) -> Result<Self, Failure> {
        let libvirt = Some(Libvirt::connect(options, Access::Write)?);
        Ok(Self { options, libvirt, failures: 0, not_before: None })
    }

    /// When it can be used or made again; `None` if at once.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// The connection.
    ///
    /// # Errors
    /// [`Failure::Libvirt`]: it cannot be made now.
    pub(super) fn get(&mut self, now: Instant) -> Result<&mut Libvirt, Failure> {
        let libvirt = match self.libvirt.take() {
            Some(libvirt) => libvirt,
            None => {
                Libvirt::connect(self.options, Access::Write).inspect_err(|_| self.lost(now))?
            }
        };
        Ok(self.libvirt.insert(libvirt))
    }

    /// Something was done over it.
    pub(super) fn worked(&mut self) {
        (self.failures, self.not_before) = (0, None);
    }

    /// It failed: it is made again, but not at once.
    pub(super) fn lost(&mut self, now: Instant) {
        self.libvirt = None;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + pause(self.failures));
    }

    /// It is given up, and made again when it is needed.
    pub(super) fn close(&mut self) {
        self.libvirt = None;
    }
}

/// What a failure says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nothing: it is the domain's.
    Domain,
    /// libvirt hangs over this domain, and the connection is of no more use: another domain may be
    /// better over another one.
    Both,
    /// It is lost, and the domain has nothing to do with it.
    Connection,
    /// Nothing helps but to install the programs again.
    Installation,
}

/// What to blame for a failure.
pub(super) fn blame(failure: &Failure) -> Blame {
    match failure {
        Failure::Libvirt { why, .. } => match why {
            Unanswered::Missing | Unanswered::Unlinked | Unanswered::OtherRelease => {
                Blame::Installation
            }
            // The helper may have crashed over this domain.
            Unanswered::Silent(_) | Unanswered::Broken(_) => Blame::Both,
            Unanswered::Failed(failure) => match failure.kind {
                FailureKind::Unreachable => Blame::Connection,
                FailureKind::Denied
                | FailureKind::NoDomain
                | FailureKind::Unsupported
                | FailureKind::Busy
                | FailureKind::Other => Blame::Domain,
            },
        },
        Failure::Doubtful(_) => Blame::Both,
        _ => Blame::Domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::limits::CHANGE_DEADLINE;

    fn of(why: Unanswered) -> Blame {
        blame(&Failure::Libvirt { uri: "qemu:///system".to_owned(), why })
    }

    fn failed(kind: FailureKind) -> Blame {
        of(Unanswered::Failed(hostinfo_domains::Failure { kind, words: "x".to_owned() }))
    }

    #[test]
    fn a_domain_is_not_blamed_for_a_libvirt_that_is_away() {
        assert_eq!(failed(FailureKind::Unreachable), Blame::Connection);
        assert_eq!(of(Unanswered::Missing), Blame::Installation);
        for kind in [FailureKind::NoDomain, FailureKind::Busy, FailureKind::Other] {
            assert_eq!(failed(kind), Blame::Domain, "{kind:?}");
        }
        assert_eq!(blame(&Failure::Refused("no controller".to_owned())), Blame::Domain);
    }

    #[test]
    fn a_domain_over_which_libvirt_hangs_or_the_helper_ends_waits_like_one_that_fails() {
        assert_eq!(of(Unanswered::Broken(std::io::ErrorKind::BrokenPipe.into())), Blame::Both);
        assert_eq!(of(Unanswered::Silent(CHANGE_DEADLINE)), Blame::Both);
        assert_eq!(blame(&Failure::Doubtful("x".to_owned())), Blame::Both);
    }
}
