//! Devices that come, go, are renamed, and are mistaken for others.

use proptest::prelude::*;

use super::*;
use std::time::Duration;

/// Devices by name: the inode and number of each, if any, and how often a device was looked up.
#[derive(Default)]
struct Fake {
    there: Vec<(&'static str, u64, Option<u64>)>,
    found: u32,
}

impl Fake {
    fn number(&self, name: &[u8]) -> Option<u64> {
        self.there.iter().find(|(there, ..)| there.as_bytes() == name)?.2
    }
}

impl Class for Fake {
    fn inodes(&mut self) -> HashMap<Vec<u8>, u64> {
        self.there.iter().map(|(name, inode, _)| (name.as_bytes().to_vec(), *inode)).collect()
    }

    /// Taps do not count. Hardware is named after its number.
    fn find(&mut self, name: &[u8]) -> Option<Found> {
        self.found += 1;
        if name.starts_with(b"tap") {
            return None;
        }
        let number = self.number(name);
        let place = number.map(|number| PathBuf::from(format!("slot {}", number % 10)));
        let identity = number.map_or_else(|| Identity::Name(name.to_owned()), Identity::Number);
        Some(Found { identity, place })
    }

    fn is_still(&mut self, name: &[u8], identity: &Identity) -> bool {
        match identity {
            Identity::Number(number) => self.number(name) == Some(*number),
            Identity::Name(_) => true,
        }
    }
}

/// Readings a second apart, and their results.
#[derive(Default)]
struct Scene {
    devices: Devices<1>,
    class: Fake,
    seconds: u64,
}

impl Scene {
    /// Reads devices with name, inode, number and figure; returns the sum.
    fn read(&mut self, there: &[(&'static str, u64, Option<u64>, u64)]) -> u64 {
        let rows: Vec<_> =
            there.iter().map(|(name, .., figure)| (*name, Some([*figure]), Adds::Device)).collect();
        self.class.there =
            there.iter().map(|(name, inode, number, _)| (*name, *inode, *number)).collect();
        self.rows(&rows).sums[0]
    }

    /// The same for devices that are known only by name.
    fn named(&mut self, there: &[(&'static str, u64)]) -> u64 {
        let there: Vec<_> = there.iter().map(|(name, figure)| (*name, 7, None, *figure)).collect();
        self.read(&there)
    }

    fn rows(&mut self, rows: &[(&'static str, Option<[u64; 1]>, Adds)]) -> Sums<1> {
        self.seconds += 1;
        let at = Moment::new(Duration::from_secs(self.seconds));
        let rows = rows.iter().map(|(name, figures, adds)| Row {
            name: name.as_bytes(),
            figures: *figures,
            adds: *adds,
        });
        self.devices.add(at, rows, &mut self.class)
    }
}

#[test]
fn the_first_sum_is_that_since_boot() {
    let mut scene = Scene::default();
    assert_eq!(scene.named(&[("sda", 100), ("sdb", 10), ("tap0", 1)]), 110);
    assert_eq!(scene.named(&[("sda", 105), ("sdb", 10), ("tap0", 9)]), 115);
}

#[test]
fn a_sum_neither_falls_nor_stalls_when_a_device_goes_away_or_restarts() {
    let mut scene = Scene::default();
    assert_eq!(scene.named(&[("sda", 100), ("sdb", 1_000)]), 1_100);
    assert_eq!(scene.named(&[("sda", 101)]), 1_101);
    assert_eq!(scene.named(&[("sda", 102), ("sdb", 7)]), 1_109);
    assert_eq!(scene.named(&[("sda", 3), ("sdb", 8)]), 1_113);
    assert_eq!(scene.named(&[("sda", 2), ("sdb", 9)]), 1_114, "a little below");
}

#[test]
fn a_device_with_another_name_is_the_same() {
    let mut scene = Scene::default();
    assert_eq!(scene.read(&[("eth0", 1, Some(2), 1_000), ("eth1", 2, Some(3), 10)]), 1_010);
    assert_eq!(scene.read(&[("lan", 1, Some(2), 1_100), ("eth1", 2, Some(3), 10)]), 1_110);
    // The two swap names.
    assert_eq!(scene.read(&[("eth1", 1, Some(2), 1_101), ("lan", 2, Some(3), 30)]), 1_131);
}

#[test]
fn a_device_that_leaves_and_comes_back_counts_on() {
    let mut scene = Scene::default();
    assert_eq!(scene.read(&[("eth0", 1, Some(2), 1_000), ("eth1", 2, Some(3), 1)]), 1_001);
    for _ in 0..3 {
        assert_eq!(scene.read(&[("eth1", 2, Some(3), 1)]), 1_001);
    }
    assert_eq!(scene.read(&[("eth1", 2, Some(3), 2), ("eth0", 9, Some(2), 1_500)]), 1_502);
    assert_eq!(scene.read(&[("eth1", 2, Some(3), 2)]), 1_502);
    let back = [("eth1", 2, Some(3), 2), ("eth0", 11, Some(22), 1_600)];
    assert_eq!(scene.read(&back), 1_602, "it is in its slot, under another number");
    assert_eq!(scene.read(&[("eth1", 2, Some(3), 2)]), 1_602);
    let restarted = [("eth1", 2, Some(3), 2), ("eth0", 12, Some(32), 5)];
    assert_eq!(scene.read(&restarted), 1_607, "its driver was loaded anew");
}

#[test]
fn another_device_under_the_same_name_counts_from_its_beginning() {
    let mut scene = Scene::default();
    assert_eq!(scene.read(&[("sda", 1, Some(1), 1_000)]), 1_000);
    assert_eq!(scene.read(&[("sda", 1, Some(5), 900)]), 1_900);
    assert_eq!(scene.read(&[("sda", 2, Some(8), 950)]), 2_850);
}

#[test]
fn a_tap_is_looked_up_once_and_again_when_another_interface_has_its_name() {
    let mut scene = Scene::default();
    scene.class.there = vec![("tap0", 1, None)];
    assert_eq!(scene.read(&[("tap0", 1, None, 50)]), 0);
    let found = scene.class.found;
    for _ in 0..3 {
        scene.read(&[("tap0", 1, None, 60)]);
    }
    assert_eq!(scene.class.found, found, "what does not count is looked at once");
    scene.read(&[("tap0", 2, None, 60)]);
    assert_eq!(scene.class.found, found + 1, "and again when it is another's name");
}

#[test]
fn a_device_that_comes_with_more_than_it_can_have_counted_since_is_counted_from_then_on() {
    let mut scene = Scene::default();
    assert_eq!(scene.read(&[("eth0", 1, Some(2), 10)]), 10);
    let away_before = 1 << 50;
    assert_eq!(scene.read(&[("eth0", 1, Some(2), 11), ("eth1", 2, Some(3), away_before)]), 11);
    assert_eq!(scene.read(&[("eth0", 1, Some(2), 11), ("eth1", 2, Some(3), away_before + 5)]), 16);
}

#[test]
fn one_absurd_figure_of_a_device_is_dropped() {
    for absurd in [u64::MAX, 1 << 63, 1 << 50] {
        let mut scene = Scene::default();
        let sums = [100, absurd, 120, 130].map(|figure| scene.named(&[("eth0", figure)]));
        assert_eq!(sums, [100, 100, 120, 130], "{absurd}");
    }
    let mut scene = Scene::default();
    assert_eq!(scene.named(&[("eth0", u64::MAX), ("eth1", 4)]), 4);
    assert_eq!(scene.named(&[("eth0", 7), ("eth1", 4)]), 11);
}

#[test]
fn counters_of_32_bits_go_round_their_end() {
    let mut scene = Scene::default();
    assert_eq!(scene.named(&[("sda", 4_294_967_000)]), 4_294_967_000);
    assert_eq!(scene.named(&[("sda", 704)]), 4_294_968_000);
}

#[test]
fn a_device_whose_line_was_unreadable_once_is_not_counted_twice() {
    let mut scene = Scene::default();
    let mut step = |figures| scene.rows(&[("sda", figures, Adds::Device)]);
    assert_eq!(step(None), Sums { sums: [0], devices: 0 });
    assert_eq!(step(Some([100])), Sums { sums: [100], devices: 1 });
    assert_eq!(step(None), Sums { sums: [100], devices: 1 });
    assert_eq!(step(Some([101])), Sums { sums: [101], devices: 1 });
}

#[test]
fn figures_that_another_row_has_are_not_added_whenever_that_begins() {
    let mut scene = Scene::default();
    let mut step = |head, path, adds| {
        let rows = [("head", Some([head]), Adds::Device), ("path", Some([path]), adds)];
        let Sums { sums: [sum], devices } = scene.rows(&rows);
        assert_eq!(devices, 1);
        sum
    };
    assert_eq!(step(0, 1_000, Adds::Figures), 1_000);
    assert_eq!(step(0, 1_010, Adds::Figures), 1_010);
    assert_eq!(step(5, 1_020, Adds::None), 1_015);
    assert_eq!(step(9, 1_030, Adds::None), 1_019);
    assert_eq!(step(9, 1_031, Adds::Figures), 1_020);
}

#[test]
fn devices_that_are_gone_are_remembered_up_to_a_bound() {
    let mut scene = Scene::default();
    for number in 0..5_000 {
        scene.read(&[("vf", number, Some(number), 9_000 - number)]);
        assert!(scene.devices.known.len() <= GONE_MAX + 1);
    }
    assert!(scene.devices.known.len() >= GONE_MAX - 1);
}

proptest! {
    #[test]
    fn no_sum_ever_falls(
        steps in prop::collection::vec(
            prop::collection::vec((0usize..4, 0u64..3, prop::option::of(0u64..40), any::<u64>()), 0..6),
            0..20,
        ),
    ) {
        const NAMES: [&str; 4] = ["eth0", "eth1", "tap0", "sda"];
        let mut scene = Scene::default();
        let mut before = 0;
        for rows in steps {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(name, inode, number, figure)| (NAMES[name], inode, number, figure))
                .collect();
            let after = scene.read(&rows);
            prop_assert!(after >= before);
            before = after;
        }
    }
}
