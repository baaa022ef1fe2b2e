//! Memory: whether the guest waited for memory that was not there, and who took it.
//!
//! A guest that reaches its own limit is reclaimed from by its own cgroup, whatever the host has:
//! the limit is looked at first. The host's pressure counts such stalls too, of any guest, so it
//! is reason enough only for a guest that is not at its limit.

use std::time::Duration;

use crate::sample::stats::{FAULTS, LIMIT, MEMORY_PRESSURE, OWN_PRESSURE, SWAPPED};
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::{Words, bytes};
use crate::{Interval, Permits, WAITED};

/// Major faults a second that are felt: at the 5 to 10 ms that a disk takes, as much of a vCPU's
/// time as [`WAITED`]. Where the kernel tells how long the guest waited, that counts as well.
const FAULTS_PER_SECOND: u64 = 10;

/// The share of its limit at which a VMM is at it. The cgroup counts page tables and caches, which
/// are in the limit and not in the resident memory.
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
    if let (Some(resident), Some(limit)) = (now.resident, now.limit)
        && Share::ratio(resident.into(), limit.into()) >= AT_LIMIT
    {
        let limit = match words.may_name(&[LIMIT]) {
            true => format!(" of {}", bytes(limit)),
            false => String::new(),
        };
        let reason = format!("you are at your own memory limit{limit}: {missed}");
        return Verdict::new(State::SelfLimited, reason);
    }
    let host = interval.time(|s| s.memory.host_stall);
    if is_host_short(interval, host) {
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

fn is_host_short(interval: &Interval<'_>, stall: Option<Duration>) -> bool {
    let swaps_yours = interval.after.memory.swapped.is_some_and(|swapped| swapped > 0)
        && interval.rise(|s| s.memory.host_swapping) != Some(0);
    let reclaims = interval.rise(|s| s.memory.host_reclaims);
    swaps_yours
        || stall.is_some_and(|stall| Share::of(stall, interval.length) >= WAITED)
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
