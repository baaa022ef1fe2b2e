//! Why memory was missing, or that it was not, in words.

use std::time::Duration;

use hostinfo_catalog::StatId;

use super::fault::Faults;
use super::part::{Cause, PAGE, is_at_limit, is_host_short, stall};
use crate::WAITED;
use crate::interval::Span;
use crate::lost::{Cause as _, Lost};
use crate::sample::Memory;
use crate::sample::stats::{FAULTS, LIMIT, MEMORY_PRESSURE, OWN_PRESSURE, SWAPPED, TAKEN};
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::{Words, bytes};

/// The statistics that waiting is known from.
pub(super) const WAITS: &[StatId] = &[OWN_PRESSURE, FAULTS];

/// From this share of its memory on, a guest can be expected to miss what the balloon took.
const MISSED: Share = Share::percent(5);

/// Waiting that is long enough to report, for all of the time that the sentence is about.
pub(super) struct Report<'a> {
    pub(super) span: Span<'a>,
    pub(super) words: Words<'a>,
}

impl Report<'_> {
    pub(super) fn verdict(&self, lost: &Lost<Cause>) -> Verdict {
        let cause = lost.leading().unwrap_or(Cause::Unexplained);
        let missed = self.missed();
        let reason = match cause {
            Cause::OwnLimit => {
                format!("you reached your own memory limit{}: {missed}", self.own_limit())
            }
            Cause::LimitAround => format!("{} was reached: {missed}", self.limit_around()),
            Cause::Host => {
                let stall = self.span.time(|s| s.memory.host_stall);
                let pressure = self.words.pressure(stall, "memory", MEMORY_PRESSURE);
                format!("{}: {missed}{}{pressure}", self.host(), self.balloon())
            }
            Cause::LimitOrHost => format!(
                "{missed}: you were near your own memory limit{} and the host is short of memory \
                 too; which of them you waited for is unknown",
                self.own_limit()
            ),
            Cause::Earlier => format!(
                "{missed}: {} was swapped out earlier, for a reason that is no longer known{}",
                self.swapped("of your memory"),
                self.balloon()
            ),
            Cause::Unexplained => format!(
                "{missed}, but neither because of your own limit nor because the host is short of \
                 memory{}",
                self.balloon()
            ),
        };
        self.words.verdict(cause.state(), reason)
    }

    fn missed(&self) -> String {
        let (stall, faults) = (stall(&self.span), Faults::of(&self.span));
        let share = Share::of(stall.unwrap_or_default(), self.span.length);
        let for_faults = faults.map(Faults::at_least).unwrap_or_default();
        if share >= WAITED || stall.is_some_and(|stall| stall >= for_faults) {
            return format!("you waited for memory {}", self.words.share(share, &[OWN_PRESSURE]));
        }
        format!("{} waited for a disk of the host in {}", self.faults(), self.words.window())
    }

    fn faults(&self) -> String {
        let faults = Faults::of(&self.span).map_or(0, |faults| faults.number);
        let a_second = u128::from(faults) * 1_000_000_000 / self.span.length.as_nanos().max(1);
        match self.words.may_name(&[FAULTS]) {
            true if a_second > 0 => format!("{a_second} of your page faults a second"),
            true => "some of your page faults".to_owned(),
            false => "your page faults".to_owned(),
        }
    }

    fn own_limit(&self) -> String {
        let both = [&self.span.after.memory, &self.span.before.memory];
        let mut limits = both.into_iter().filter_map(|memory| memory.used);
        match limits.find(is_at_limit) {
            Some(used) if self.words.may_name(&[LIMIT]) => format!(" of {}", bytes(used.limit)),
            _ => String::new(),
        }
    }

    /// The figure is named only if `vm.memory.limit` is the same, as for a CPU limit.
    fn limit_around(&self) -> String {
        let memory = &self.span.after.memory;
        let is_told = memory.is_limit_around_lowest && self.words.may_name(&[LIMIT]);
        let figure = memory.used_around.filter(|_| is_told);
        let figure = figure.map(|used| format!(" of {}", bytes(used.limit))).unwrap_or_default();
        let whom = match memory.is_limit_around_shared {
            true => "for several guests",
            false => "around your guest",
        };
        format!("a memory limit{figure} that your host sets {whom}")
    }

    fn host(&self) -> String {
        let swapped = self.span.after.memory.swapped > Some(0);
        match (is_host_short(&self.span), swapped) {
            (true, true) => {
                let yours = self.swapped("of yours");
                format!("the host is short of memory and has swapped out {yours}")
            }
            (true, false) => "the host is short of memory".to_owned(),
            (false, _) => format!("the host has swapped out {}", self.swapped("of your memory")),
        }
    }

    fn swapped(&self, whose: &str) -> String {
        let both = [self.span.after.memory.swapped, self.span.before.memory.swapped];
        match both.into_iter().flatten().find(|bytes| *bytes > 0) {
            Some(swapped) if self.words.may_name(&[SWAPPED]) => {
                format!("{} {whose}", bytes(swapped))
            }
            _ => format!("some {whose}"),
        }
    }

    fn balloon(&self) -> String {
        match taken(&self.span.after.memory) {
            Some(taken) => {
                format!("; your host has also taken back {}", of_memory(taken, self.words))
            }
            None => String::new(),
        }
    }
}

/// What the balloon took, if that is worth mentioning.
fn taken(now: &Memory) -> Option<u64> {
    let taken = now.taken?;
    (Share::ratio(taken.into(), now.maximum?.into()) >= MISSED).then_some(taken)
}

fn of_memory(taken: u64, words: Words<'_>) -> String {
    match words.may_name(&[TAKEN]) {
        true => format!("{} of your memory by its balloon", bytes(taken)),
        false => "some of your memory by its balloon".to_owned(),
    }
}

/// The verdict if no waiting was seen.
pub(super) fn no_wait(whole: &Span<'_>, words: Words<'_>) -> Verdict {
    let (window, now) = (words.window(), &whole.after.memory);
    if let Some(taken) = taken(now) {
        let taken = of_memory(taken, words);
        let reason = format!(
            "your host has taken back {taken}: whether you miss it can be seen only inside \
             your guest"
        );
        return words.verdict(State::Unknown, reason);
    }
    let told = Report { span: *whole, words };
    if may_have_read_back(whole) {
        let reason = format!(
            "{} is swapped out, and this host does not measure how often you waited for it in \
             {window}",
            told.swapped("of your memory")
        );
        return words.verdict(State::Unknown, reason);
    }
    if may_have_waited(whole) {
        let short = match is_host_short(whole) {
            true => format!("{}: ", told.host()),
            false => String::new(),
        };
        let reason = format!(
            "{short}{} had to wait for memory in {window}, and this host does not measure for how long",
            told.faults()
        );
        return words.verdict(State::Unknown, reason);
    }
    let reason = match now.swapped {
        Some(0) if words.may_name(&[SWAPPED]) => {
            format!("you hardly waited for any in {window}; none is swapped out")
        }
        Some(swapped) if words.may_name(&[SWAPPED]) => format!(
            "{} of your memory is swapped out, but you hardly missed it in {window}",
            bytes(swapped)
        ),
        _ => format!("you hardly waited for memory in {window}"),
    };
    words.verdict(State::Ok, reason)
}

/// Whether the guest may have waited unseen: nothing counts what KVM fetched on its behalf, and the
/// host read back enough to be felt.
fn may_have_read_back(whole: &Span<'_>) -> bool {
    let read_back = whole.rise(|s| s.memory.host_swap_in).map(|bytes| bytes / PAGE);
    let felt = |pages| is_felt(Faults::so_many(pages, whole).at_most(), whole);
    whole.rise(|s| s.memory.all_faults).is_none()
        && whole.after.memory.swapped > Some(0)
        && read_back.is_none_or(felt)
}

/// Whether the faults may have taken long enough to be felt, in addition to the VMM's known
/// waiting.
fn may_have_waited(whole: &Span<'_>) -> bool {
    let faults = Faults::of(whole).filter(|faults| faults.number > 0);
    let stall = stall(whole).unwrap_or_default();
    faults.is_some_and(|faults| is_felt(stall.saturating_add(faults.at_most()), whole))
}

fn is_felt(time: Duration, whole: &Span<'_>) -> bool {
    Share::of(time, whole.length) >= WAITED
}
