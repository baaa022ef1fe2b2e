//! While a fault lasts, and until it has to be over, something may be missing.

use std::time::{Duration, Instant};

/// What faults may do to the guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Replies are late, and connections are lost.
    Waiting,
    /// What libvirt says is unavailable, and tags cannot be read.
    Libvirt,
    /// Files cannot be opened, so that the host's figures are unavailable.
    Files,
    /// A guest may not ask, since somebody else's domain claims its socket.
    Standing,
}

impl Harm {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Libvirt, Self::Files, Self::Standing];
}

/// The time for which one kind of harm is excused.
#[derive(Debug, Clone, Copy, Default)]
struct Excuse {
    /// Faults that last and do it.
    lasting: u32,
    /// When the last one that has ended has to be over.
    until: Option<Instant>,
}

/// The same for each kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Excuses([Excuse; Harm::ALL.len()]);

impl Excuses {
    /// A fault begins that does that harm.
    pub fn begin(&mut self, harm: Harm) {
        self.of(harm).lasting += 1;
    }

    /// It ends. The harm has to be over `within` that time.
    pub fn end(&mut self, harm: Harm, within: Duration, now: Instant) {
        let excuse = self.of(harm);
        excuse.lasting = excuse.lasting.saturating_sub(1);
        excuse.until = excuse.until.max(Some(now + within));
    }

    /// The harm was seen to be over, so that from `at` on it is not excused.
    pub fn is_over(&mut self, harm: Harm, at: Instant) {
        let excuse = self.of(harm);
        excuse.until = excuse.until.min(Some(at));
    }

    /// Whether the harm was excused at some time since `since`.
    pub fn covers(&self, harm: Harm, since: Instant) -> bool {
        let Self(excuses) = self;
        excuses
            .get(harm as usize)
            .is_some_and(|it| it.lasting > 0 || it.until.is_some_and(|until| until > since))
    }

    /// When the last harm that has ended has to be over; `None` while a fault lasts.
    pub fn calm_from(&self, harm: Harm) -> Option<Option<Instant>> {
        let excuse = self.0.get(harm as usize)?;
        (excuse.lasting == 0).then_some(excuse.until)
    }

    fn of(&mut self, harm: Harm) -> &mut Excuse {
        let Self([waiting, libvirt, files, standing]) = self;
        match harm {
            Harm::Waiting => waiting,
            Harm::Libvirt => libvirt,
            Harm::Files => files,
            Harm::Standing => standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_harm_is_excused_while_it_lasts_and_for_as_long_as_its_end_may_take() {
        let (mut excuses, now) = (Excuses::default(), Instant::now());
        assert!(!excuses.covers(Harm::Files, now));
        excuses.begin(Harm::Files);
        assert!(excuses.covers(Harm::Files, now + 9 * SECOND));
        excuses.end(Harm::Files, SECOND, now);
        assert!(excuses.covers(Harm::Files, now));
        assert!(!excuses.covers(Harm::Files, now + SECOND));
        assert!(!excuses.covers(Harm::Libvirt, now));
    }

    #[test]
    fn the_later_end_of_two_faults_counts() {
        let (mut excuses, now) = (Excuses::default(), Instant::now());
        excuses.begin(Harm::Waiting);
        excuses.begin(Harm::Waiting);
        excuses.end(Harm::Waiting, 9 * SECOND, now);
        assert!(excuses.covers(Harm::Waiting, now + 99 * SECOND));
        excuses.end(Harm::Waiting, SECOND, now);
        assert!(excuses.covers(Harm::Waiting, now + 8 * SECOND));
        assert!(!excuses.covers(Harm::Waiting, now + 9 * SECOND));
    }
}
