//! Why disks were slow, in words.

use super::cause::{Cause, HeldUp, host_latency};
use super::cgroup::Whose;
use super::disk::{SLOW, uses};
use super::hang::Hang;
use crate::interval::Span;
use crate::sample::stats::{
    DISK_ERRORS, DISK_LATENCY, HOST_DISK_OPS, HOST_DISK_SECONDS, IO_PRESSURE, OWN_IO_PRESSURE,
};
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::{Words, millis};
use crate::{Interval, Permits, WAITED};

pub(super) fn held_up(held_up: &HeldUp<'_>, words: Words<'_>) -> Verdict {
    let HeldUp { disk, kind, cause } = held_up;
    let (name, took, window) =
        (words.device("disk", disk.name, DISK_LATENCY), disk.took(*kind, words), words.window());
    let reason = match cause {
        Cause::Failed => {
            let errors = match words.may_name_of(DISK_ERRORS, disk.name) {
                true if disk.errors > 1 => format!("{} I/O errors", disk.errors),
                true => "an I/O error".to_owned(),
                false => "I/O errors".to_owned(),
            };
            format!("the host saw {errors} on {name} in {window}")
        }
        Cause::Limit => format!("{name} was at its own limit{}{took}", disk.at_limit(*kind, words)),
        Cause::Cgroup(Whose::Own) => {
            format!("{name} was held back by a limit of your own on the host's disks{took}")
        }
        Cause::Cgroup(Whose::Hosts) => format!(
            "{name} was held back by a limit on the host's disks that your host sets around your \
             guest{took}"
        ),
        Cause::Host => {
            let stall = disk.span.time(|s| s.io.host_stall);
            let pressure = words.pressure(stall, "I/O", IO_PRESSURE);
            format!("{name} was slow on the host{took}{}{pressure}", host_took(&disk.span, words))
        }
        Cause::OwnQueue => {
            let queue = match disk.may_be_named(words) {
                true => (disk.queue() / 1000).to_string(),
                false => "many".to_owned(),
            };
            format!(
                "{name} was slow{took}; {queue} of your operations waited at a time, probably for \
                 each other: others hardly seem to use the host's disks"
            )
        }
        Cause::UnclearLimit => format!(
            "{name} was slow{took}; it has a limit of your own, but several disks may share that \
             limit, or a large operation may count as several, so it cannot be told whether it \
             was reached"
        ),
        Cause::Slowed => {
            let pressure = words.pressure(disk.span.time(|s| s.io.host_stall), "I/O", IO_PRESSURE);
            format!(
                "{name} was slower than a healthy disk{took}{pressure}; it cannot be told whether \
                 others slowed it down"
            )
        }
        Cause::Unexplained => format!(
            "{name} was slow{took}; neither its own limits nor the host's disks and pressure \
             explain it"
        ),
    };
    words.verdict(cause.state(), reason)
}

/// `; one on the host's own disks took 44.1 ms`, if that is informative and the guest may know it.
fn host_took(span: &Span<'_>, words: Words<'_>) -> String {
    let may_name = words.may_name(&HOST_DISK_OPS) && words.may_name(&HOST_DISK_SECONDS);
    match host_latency(span) {
        Some(latency) if may_name && latency >= SLOW => {
            format!("; one on the host's own disks took {}", millis(latency))
        }
        _ => String::new(),
    }
}

/// For disks that completed nothing in that part of the window while others or the guest waited for
/// I/O.
pub(super) fn hang(hang: Hang, span: &Span<'_>, words: Words<'_>) -> Verdict {
    let is_told = words.may_name(&[OWN_IO_PRESSURE]);
    let words = match span.length < words.length() {
        true => words.of_burst(span.length, is_told),
        false => words,
    };
    let reason = match hang {
        Hang::Own => {
            let stall = span.time(|s| s.io.stall).unwrap_or_default();
            let share = words.share(Share::of(stall, span.length), &[OWN_IO_PRESSURE]);
            let disks = uses(span);
            let idle: Vec<_> = disks.iter().filter(|disk| disk.is_idle()).collect();
            let why = match idle.as_slice() {
                all if all.len() == disks.len() => {
                    "but your disks completed no operation: one of them may hang".to_owned()
                }
                [disk] => format!(
                    "longer than for the operations that your disks completed: {}, which completed \
                     none, may hang",
                    words.device("disk", disk.name, DISK_LATENCY)
                ),
                _ => "longer than for the operations that your disks completed: one of those that \
                      completed none may hang"
                    .to_owned(),
            };
            format!("your guest's process on the host waited for I/O {share}, {why}")
        }
        Hang::Host => {
            let pressure = words.pressure(span.time(|s| s.io.host_stall), "I/O", IO_PRESSURE);
            format!(
                "your disks completed no operation in {}{pressure}; it cannot be told whether your \
                 guest asked for none or waits as well",
                words.window()
            )
        }
    };
    words.verdict(State::Unknown, reason)
}

/// The reason if no sample in the interval has figures of the disks.
pub(super) fn untold(interval: &Interval<'_>, permits: Permits<'_>) -> String {
    let words = Words::new(permits, interval.length);
    let stall = interval.time(|s| s.io.stall).map(|stall| Share::of(stall, interval.length));
    let untold = words.untold("disks", interval);
    match stall {
        Some(share) if share >= WAITED => {
            let share = words.share(share, &[OWN_IO_PRESSURE]);
            // What is not known comes first: the guest's tool takes a reason that begins with `this host` for a
            // lasting one.
            format!("{untold}; your guest's process on the host waited for I/O {share}")
        }
        _ => untold,
    }
}
