//! Sums over the host's disks or interfaces, which come, go, and change their names.
//!
//! What a device counted stays in the sum when the device goes away, so that the sum never falls. A
//! device is identified by the number the kernel gave it, if it has one: under another name, or
//! back from another network namespace, it continues from what it had counted. The kind of a device
//! is looked up once, when it is new: a host with thousands of guests has thousands of taps.
//! `counter.rs` lists the other types that count.

use std::collections::HashMap;
use std::path::PathBuf;

use hostinfo_handover::bytes::Key;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::counter::{Counter, Pace, Step, countable, gain_around};
use crate::tally::Sums;

/// How many devices that went away are remembered, so that they are not counted twice when they
/// come back: as many interfaces as the largest hosts pass on to guests and containers.
const GONE_MAX: usize = 1024;

/// Where 32-bit counters start over: a disk's milliseconds in every kernel, all other counters in
/// 32-bit kernels.
const RANGE: u64 = 1 << 32;

/// The largest gain at which a counter that fell is taken to have wrapped around rather than
/// restarted at zero: with 64 requests at a time, a disk counts this many milliseconds in 70
/// minutes.
const ROUND_MAX: u64 = 1 << 28;

/// The identity of a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Identity {
    /// The kernel's number for it, which no other device gets until the host reboots.
    Number(u64),
    /// Its name, if it has no number.
    Name(Vec<u8>),
}

/// A device that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    /// The hardware behind it, by which it is recognized if it comes back under another number.
    pub(crate) place: Option<PathBuf>,
}

/// A folder of sysfs with the devices of one kind.
pub(crate) trait Class {
    /// The inode of each name in it. If the name passes to another device, the inode changes.
    fn inodes(&mut self) -> HashMap<Vec<u8>, u64>;

    /// The device of that name. `None` if it does not count.
    fn find(&mut self, name: &[u8]) -> Option<Found>;

    /// Whether the device found under that name is still the one that counts there. Called at each
    /// reading, for devices that count.
    fn is_still(&mut self, name: &[u8], identity: &Identity) -> bool;
}

/// What a row adds to the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adds {
    /// The row is a device of its own.
    Device,
    /// Its figures are added; the device has another row.
    Figures,
    /// Another row includes them already.
    None,
}

impl Adds {
    fn devices(self) -> u64 {
        u64::from(self == Self::Device)
    }
}

/// A row of the kernel's table.
pub(crate) struct Row<'t, const N: usize> {
    pub(crate) name: &'t [u8],
    /// `None` if they could not be read.
    pub(crate) figures: Option<[u64; N]>,
    pub(crate) adds: Adds,
}

/// What is known about the devices.
#[derive(Serialize, Deserialize)]
pub(crate) struct Devices<const N: usize> {
    #[serde(with = "hostinfo_handover::pairs")]
    names: HashMap<Key, Seen>,
    #[serde(with = "hostinfo_handover::pairs")]
    known: HashMap<Identity, Device<N>>,
    #[serde(with = "hostinfo_handover::array")]
    sums: [u64; N],
    /// When they were last read.
    last: Option<Moment>,
    round: u64,
}

/// Which device has a name.
#[derive(Serialize, Deserialize)]
struct Seen {
    inode: Option<u64>,
    /// `None`: a device that does not count.
    found: Option<Found>,
    round: u64,
}

#[derive(Serialize, Deserialize)]
struct Device<const N: usize> {
    #[serde(with = "hostinfo_handover::array")]
    figures: [Counter; N],
    place: Option<PathBuf>,
    round: u64,
}

impl<const N: usize> Default for Devices<N> {
    fn default() -> Self {
        let (names, known) = (HashMap::new(), HashMap::new());
        Self { names, known, sums: [0; N], last: None, round: 0 }
    }
}

impl<const N: usize> Devices<N> {
    /// Adds what the devices counted since the last call.
    pub(crate) fn add<'t>(
        &mut self,
        at: Moment,
        rows: impl Iterator<Item = Row<'t, N>>,
        class: &mut impl Class,
    ) -> Sums<N> {
        self.round += 1;
        let inodes = class.inodes();
        let (mut devices, mut newcomers) = (0, Vec::new());
        for row in rows {
            self.look(row.name, inodes.get(row.name).copied(), class);
            let seen = self.names.get(row.name);
            let Some(found) = seen.and_then(|seen| seen.found.as_ref()) else { continue };
            match (self.known.get_mut(&found.identity), row.figures) {
                (Some(device), _) if device.round == self.round => {}
                (Some(device), figures) => {
                    device.round = self.round;
                    devices += row.adds.devices();
                    let gained = figures.map(|now| device.step(now, at));
                    add(&mut self.sums, gained.filter(|_| row.adds != Adds::None));
                }
                (None, Some(now)) => newcomers.push((found.clone(), now, row.adds)),
                (None, None) => {}
            }
        }
        // Only now is it known which devices are gone.
        for (found, now, adds) in newcomers {
            if self.welcome(found, now, adds, at) {
                devices += adds.devices();
            }
        }
        self.forget();
        self.last = Some(at);
        Sums { sums: self.sums, devices }
    }

    /// Makes sure it is known which device has a name.
    fn look(&mut self, name: &[u8], inode: Option<u64>, class: &mut impl Class) {
        if let Some(seen) = self.names.get_mut(name)
            && seen.inode == inode
            && seen.found.as_ref().is_none_or(|found| class.is_still(name, &found.identity))
        {
            seen.round = self.round;
            return;
        }
        let seen = Seen { inode, found: class.find(name), round: self.round };
        self.names.insert(Key(name.to_owned()), seen);
    }

    /// Adds a device that was not known by its number. A new device has counted since it appeared;
    /// a device that is back under another number continued counting. Returns false if its figures
    /// are not counts.
    fn welcome(&mut self, found: Found, now: [u64; N], adds: Adds, at: Moment) -> bool {
        let Found { identity, place } = found;
        let is_known_meanwhile = self.known.contains_key(&identity);
        if is_known_meanwhile || now.iter().any(|figure| countable(*figure).is_none()) {
            return false;
        }
        let back = self.known.iter().find(|(_, device)| {
            let mut figures = device.figures.iter().zip(now);
            let is_gone = device.round != self.round;
            is_gone
                && place.is_some()
                && device.place == place
                && figures.all(|(before, now)| before.last() <= now)
        });
        let back = back.map(|(identity, _)| identity.clone());
        let (mut device, gained) = match back.and_then(|identity| self.known.remove(&identity)) {
            Some(mut device) => {
                let gained = device.step(now, at);
                (device, Some(gained))
            }
            None => {
                let figures = now.map(|figure| Counter::new(figure, at));
                // Anything beyond what it can have counted since the last reading was counted
                // earlier, out of this host's sight.
                let most = self.last.map_or(u64::MAX, |last| Pace::DEVICE.most(at.since(last)));
                let gained = now.iter().all(|figure| *figure <= most).then_some(now);
                (Device { figures, place, round: self.round }, gained)
            }
        };
        device.round = self.round;
        add(&mut self.sums, gained.filter(|_| adds != Adds::None));
        self.known.insert(identity, device);
        true
    }

    /// Forgets names that no device has any more, and devices that could not be recognized if they
    /// came back.
    fn forget(&mut self) {
        let now = self.round;
        self.names.retain(|_, seen| seen.round == now);
        self.known.retain(|identity, device| {
            device.round == now || matches!(identity, Identity::Number(_))
        });
        let mut gone: Vec<u64> =
            self.known.values().map(|device| device.round).filter(|round| *round != now).collect();
        if gone.len() > GONE_MAX {
            gone.sort_unstable_by(|one, other| other.cmp(one));
            let oldest = gone.get(GONE_MAX - 1).copied().unwrap_or(now);
            self.known.retain(|_, device| device.round > oldest);
        }
    }
}

impl<const N: usize> Device<N> {
    /// What each figure gained.
    fn step(&mut self, now: [u64; N], at: Moment) -> [u64; N] {
        let mut gained = now;
        for (gain, counter) in gained.iter_mut().zip(&mut self.figures) {
            let now = *gain;
            *gain = match counter.step(now, at, Pace::DEVICE) {
                Step::Gained(gain) | Step::Settled(gain) => gain,
                Step::Fell(from) => after_fall(from, now),
                Step::Doubted => 0,
            };
        }
        gained
    }
}

/// The gain of a counter that is below its last value. It may have wrapped around. If it is far
/// below, it was reset and counts from zero; if it is slightly below, it was added up from parts
/// while they changed.
fn after_fall(from: u64, now: u64) -> u64 {
    match gain_around(from, now, RANGE) {
        Some(gain) if gain <= ROUND_MAX => gain,
        _ if now < from / 2 => now,
        _ => 0,
    }
}

fn add<const N: usize>(sums: &mut [u64; N], gained: Option<[u64; N]>) {
    for (sum, gain) in sums.iter_mut().zip(gained.unwrap_or([0; N])) {
        *sum = sum.saturating_add(gain);
    }
}

#[cfg(test)]
mod tests;
