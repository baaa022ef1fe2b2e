//! Memory: whether the guest waited for memory that was not there, and who took it.
//!
//! A guest that reaches a limit is reclaimed from by that cgroup, whatever the host has: its own
//! limit is looked at first, and then those that it shares with others. The host's pressure counts
//! stalls of any guest, this one's too, so only what is left of it without them is reason enough.

use std::time::Duration;

use hostinfo_sample::Used;

use crate::sample::Memory;
use crate::sample::stats::{FAULTS, LIMIT, MEMORY_PRESSURE, OWN_PRESSURE, SWAPPED};
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::{Words, bytes};
use crate::{Interval, Permits, WAITED};

/// Major faults a second that are felt: at the 5 to 10 ms that a disk takes, as much of a vCPU's
/// time as [`WAITED`]. Where the kernel tells how long the guest waited, that counts as well.
const FAULTS_PER_SECOND: u64 = 10;

/// The share of a limit at which a cgroup is at it: the kernel frees memory in steps. Where it is
/// not told what the cgroup counts, resident memory stands for that, and lacks page tables and
/// caches.
const AT_LIMIT: Share = Share::percent(90);

/// Times a second that tasks of the host had to free memory before they got some: a host that has
/// enough frees it beforehand (kswapd) and counts none.
const RECLAIMS_PER_SECOND: u64 = 1;

/// Judges the guest's swapped memory and major faults against its own limit and the host's reclaim.
pub fn memory(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    let words = Words::new(permits, interval.length);
    let now = &interval.after.memory;
    let faults = interval.rise(|s| s.memory.faults);
    let stall = interval.time(|s| s.memory.stall);
    if faults.is_none() && stall.is_none() {
        return Verdict::new(
            State::Unknown,
            "this host does not tell how long you waited for memory",
        );
    }
    let stalled = stall.map(|stall| Share::of(stall, interval.length)).filter(|s| *s >= WAITED);
    let faults = faults.filter(|faults| interval.reaches(*faults, FAULTS_PER_SECOND));
    let missed = match (stalled, faults) {
        (None, None) => return Verdict::new(State::Ok, no_wait(now.swapped, words)),
        (Some(share), _) => {
            format!("you waited for memory {}", words.share(share, &[OWN_PRESSURE]))
        }
        (None, Some(faults)) => waited_for_disk(faults, interval.length, words),
    };
    if let Some(used) = own(now).filter(is_at_limit) {
        let limit = match words.may_name(&[LIMIT]) {
            true => format!(" of {}", bytes(used.limit)),
            false => String::new(),
        };
        let reason = format!("you are at your own memory limit{limit}: {missed}");
        return Verdict::new(State::SelfLimited, reason);
    }
    if now.used_around.is_some_and(|used| is_at_limit(&used)) {
        let reason =
            format!("a memory limit that your host sets for several guests is reached: {missed}");
        return Verdict::new(State::Contended, reason);
    }
    let host = interval.time(|s| s.memory.host_stall);
    if is_host_short(interval, host, stall) {
        let swapped = match now.swapped {
            None | Some(0) => String::new(),
            Some(swapped) if words.may_name(&[SWAPPED]) => {
                format!(" and has swapped out {} of yours", bytes(swapped))
            }
            Some(_) => " and has swapped out some of yours".to_owned(),
        };
        let pressure = words.pressure(host, "memory", MEMORY_PRESSURE);
        let reason = format!("the host is short of memory{swapped}: {missed}{pressure}");
        return Verdict::new(State::Contended, reason);
    }
    let reason =
        format!("{missed}, but neither for your own limit nor for a shortage of the host's");
    Verdict::new(State::Unknown, reason)
}

/// What the guest uses of its own limit.
fn own(now: &Memory) -> Option<Used> {
    let told = now.used.is_some() || now.used_around.is_some();
    let resident = || Some(Used { bytes: now.resident?, limit: now.limit? });
    if told { now.used } else { resident() }
}

fn is_at_limit(used: &Used) -> bool {
    Share::ratio(used.bytes.into(), used.limit.into()) >= AT_LIMIT
}

/// `host` is how long tasks of the host waited for memory, `own` how long the guest did so.
fn is_host_short(interval: &Interval<'_>, host: Option<Duration>, own: Option<Duration>) -> bool {
    let swaps_yours = interval.after.memory.swapped.is_some_and(|swapped| swapped > 0)
        && interval.rise(|s| s.memory.host_swapping).is_some_and(|swapped| swapped > 0);
    let others = host.map(|host| host.saturating_sub(own.unwrap_or_default()));
    let reclaims = interval.rise(|s| s.memory.host_reclaims);
    swaps_yours
        || others.is_some_and(|stall| Share::of(stall, interval.length) >= WAITED)
        || reclaims.is_some_and(|reclaims| interval.reaches(reclaims, RECLAIMS_PER_SECOND))
}

fn waited_for_disk(faults: u64, length: Duration, words: Words<'_>) -> String {
    let figure = match words.may_name(&[FAULTS]) {
        true => {
            let a_second = u128::from(faults) * 1_000_000_000 / length.as_nanos().max(1);
            format!("{a_second} of your page faults a second")
        }
        false => "your page faults".to_owned(),
    };
    format!("{figure} waited for a disk of the host in {}", words.window())
}

fn no_wait(swapped: Option<u64>, words: Words<'_>) -> String {
    let window = words.window();
    match swapped {
        Some(0) if words.may_name(&[SWAPPED]) => {
            format!("none of your memory is swapped out, and you hardly waited for any in {window}")
        }
        Some(swapped) if words.may_name(&[SWAPPED]) => format!(
            "the host has swapped out {} of your memory, but you hardly missed it in {window}",
            bytes(swapped)
        ),
        _ => format!("you hardly waited for memory in {window}"),
    }
}

#[cfg(test)]
mod tests;
