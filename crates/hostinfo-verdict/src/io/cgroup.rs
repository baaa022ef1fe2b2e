//! Whether operations reached a cgroup's limit on the host's disks (`io.max`).

use std::time::Duration;

use hostinfo_sample::{IoLimit, IoWay};

use super::disk::part_of;
use super::work::Kind;
use crate::interval::Span;
use crate::share::Share;

/// Whose limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// That of the guest's own cgroup.
    Own,
    /// That of a cgroup around it, which the host set.
    Hosts,
}

/// From this share of a limit on, the limit is the cause if nothing else explains a slow disk. If a guest sends
/// one operation after another, the kernel lets fewer through than the limit says: Linux 6.1 allowed 55 % of a
/// limit of 2 a second, and 89 % of one of 20.
pub(super) const NEAR_LIMIT: Share = Share::percent(50);

/// Whose limit operations of that kind used to at least that share. Flushes are not limited.
pub(super) fn reached(span: &Span<'_>, kind: Kind, at_least: Share) -> Option<Whose> {
    let way: fn(&IoLimit) -> IoWay = match kind {
        Kind::Read => |limit| limit.read,
        Kind::Write => |limit| limit.write,
        Kind::Flush => return None,
    };
    let mut limits = span.after.io.limits.iter();
    let reached = limits.find(|after| {
        let before = span.before.io.limits.iter().find(|before| is_same(before, after));
        before.is_some_and(|before| is_reached(way(before), way(after), span.length, at_least))
    })?;
    Some(if reached.is_own { Whose::Own } else { Whose::Hosts })
}

fn is_same(before: &IoLimit, after: &IoLimit) -> bool {
    let of = |limit: &IoLimit| (limit.is_own, limit.level, limit.disk);
    of(before) == of(after)
}

/// A limit that was changed meanwhile is ignored.
fn is_reached(before: IoWay, after: IoWay, length: Duration, at_least: Share) -> bool {
    let of = |way: IoWay| [(way.bytes_max, way.bytes), (way.ops_max, way.ops)];
    of(before).into_iter().zip(of(after)).any(|((max_before, before), (max, now))| {
        let used = now.checked_sub(before);
        max == max_before
            && max.zip(used).is_some_and(|(max, used)| part_of(max, used, length) >= at_least)
    })
}
