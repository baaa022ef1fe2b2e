//! The kernel's counters that fall, and figures that no host can have.

use hostinfo_sample::{Host, HostWindow};

use crate::tree::{Tree, ask, ask_over};

/// A host, and the window of a guest that asks for its ratios.
type Asked = (Host, HostWindow);

fn asked(tree: &Tree) -> Asked {
    (tree.host(), HostWindow::default())
}

/// Asks for these in order.
fn each<const N: usize>((host, window): &mut Asked, names: [&str; N], at: u64) -> [String; N] {
    names.map(|name| ask_over(window, host, name, at))
}

const NAMES: [&str; 3] = ["cpu.seconds.idle", "cpu.seconds.user", "cpu.busy"];

#[test]
fn a_cpu_that_goes_offline_takes_no_time_with_it() {
    let two = "cpu  100 0 100 50000000 0 0 0 0 0 0\n\
               cpu0 50 0 50 25000000 0 0 0 0 0 0\n\
               cpu1 50 0 50 25000000 0 0 0 0 0 0\n";
    let one = "cpu  60 0 60 25000100 0 0 0 0 0 0\ncpu0 60 0 60 25000100 0 0 0 0 0 0\n";
    let tree = Tree::new(&[("proc/stat", two)]);
    let mut asked = asked(&tree);
    assert_eq!(each(&mut asked, NAMES, 0), ["500000", "1", "ask again in 1 s"]);
    tree.write("proc/stat", one);
    assert_eq!(each(&mut asked, NAMES, 1_000), ["500001", "1.1", "0.166667"]);
    tree.write("proc/stat", one.replace("25000100", "25000150"));
    assert_eq!(each(&mut asked, NAMES, 2_000), ["500001.5", "1.1", "0"]);
}

#[test]
fn steal_and_guest_time_that_leap_by_years_for_one_reading_are_left_out() {
    let tree = Tree::new(&[]);
    let mut asked = asked(&tree);
    let names = ["cpu.seconds.steal", "cpu.seconds.guest", "cpu.seconds.idle", "cpu.steal"];
    let mut at = |steal: u64, guest: u64, idle: u64, millis| {
        let line = format!("100 0 0 {idle} 0 0 0 {steal} {guest} 0");
        tree.write("proc/stat", format!("cpu  {line}\ncpu0 {line}\n"));
        each(&mut asked, names, millis)
    };
    assert_eq!(at(10, 50, 100, 0)[..3], ["0.1", "0.5", "1"]);
    assert_eq!(at(1_844_674_407_370, 50, 150, 1_000)[..3], ["0.1", "0.5", "1.5"]);
    assert_eq!(at(20, u64::MAX, 240, 2_000)[..3], ["0.2", "0.5", "2.4"]);
    assert_eq!(at(30, 60, 330, 3_000), ["0.3", "0.6", "3.3", "0.1"]);
}

#[test]
fn paging_that_falls_or_leaps_counts_on() {
    let tree = Tree::new(&[]);
    let mut asked = asked(&tree);
    let mut at = |swapped: u64, paged: u64, millis| {
        tree.write("proc/vmstat", format!("pswpin {swapped}\npgpgin {paged}\n"));
        each(&mut asked, ["swap.in", "paging.in"], millis).map(|told| told.parse::<u64>().unwrap())
    };
    assert_eq!(at(100, 5_000_000_000, 0), [100 * 4096, 5_000_000_000 * 1024]);
    assert_eq!(at(90, 2_000_000_000, 1_000), [100 * 4096, 5_000_000_000 * 1024]);
    assert_eq!(at(95, 2_000_000_010, 2_000), [105 * 4096, 5_000_000_010 * 1024]);
    assert_eq!(at(u64::MAX, 2_000_000_010, 3_000), [105 * 4096, 5_000_000_010 * 1024]);
    assert_eq!(at(97, 2_000_000_010, 4_000), [107 * 4096, 5_000_000_010 * 1024]);
}

#[test]
fn counters_of_a_32_bit_kernel_go_round_their_end() {
    let tree = Tree::new(&[]);
    let mut asked = asked(&tree);
    let mut at = |swapped: u64, paged: u64, stalls: [u64; 2], millis| {
        let [normal, high] = stalls;
        let text = format!(
            "pswpin {swapped}\npgpgin {paged}\nallocstall_normal {normal}\nallocstall_high {high}\n"
        );
        tree.write("proc/vmstat", text);
        let told = each(&mut asked, ["swap.in", "paging.in", "reclaim.stalls"], millis);
        told.map(|told| told.parse::<u64>().unwrap())
    };
    let [swapped, paged, stalls] = at(4_294_967_290, 2_147_483_640, [4_294_967_295, 1_000], 0);
    assert_eq!([swapped, paged], [4_294_967_290 * 4096, 2_147_483_640 * 1024]);
    assert_eq!(stalls, 4_294_968_295);
    let told = at(4, 2, [4, 1_003], 1_000);
    assert_eq!(told, [4_294_967_300 * 4096, 2_147_483_650 * 1024, 4_294_968_303]);
}

#[test]
fn pressure_that_falls_or_leaps_counts_on() {
    let tree = Tree::new(&[]);
    let mut host = tree.host();
    let mut at = |total: u64, millis| {
        tree.write("proc/pressure/io", format!("some avg10=0.00 total={total}\n"));
        ask(&mut host, "pressure.io.some.seconds", millis)
    };
    let told = [(5_000_000, 0), (1_000_000, 1_000), (1_500_000, 2_000), (u64::MAX, 3_000)];
    assert_eq!(told.map(|(total, millis)| at(total, millis)), ["5", "5", "5.5", "5.5"]);
    assert_eq!(at(1_700_000, 4_000), "5.7");
}
