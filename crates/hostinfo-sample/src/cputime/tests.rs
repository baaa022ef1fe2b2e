//! Readings of `/proc/stat` that fall, leap, or cover other CPUs than the ones before.

use proptest::prelude::*;

use super::*;

/// Ticks in a second.
const HZ: u64 = 100;

const IDLE: usize = 3;
const STEAL: usize = 7;
const GUEST: usize = 8;

/// A line with this much user, idle and steal time.
fn line(user: u64, idle: u64, steal: u64) -> Line {
    let mut line = [Some(0); 10];
    (line[0], line[IDLE], line[STEAL]) = (Some(user), Some(idle), Some(steal));
    line
}

/// A line with guests' time alone.
fn guests(user: u64, guest: u64) -> Line {
    let mut line = line(user, 0, 0);
    line[GUEST] = Some(guest);
    line
}

/// These CPUs, and the line of all CPUs that the kernel makes of them.
fn lines(single: &[(u32, Line)]) -> CpuLines {
    let zero = [Some(0u64); 10];
    let all = single.iter().fold(zero, |all, (_, times)| {
        each(all, *times, |all, ticks| Some(all?.wrapping_add(ticks?)))
    });
    CpuLines { all, single: single.to_vec() }
}

/// What is reported for readings a second apart.
fn told(readings: &[CpuLines]) -> Vec<Ticks> {
    let mut times = CpuTimes::default();
    let at = |second| Moment::new(Duration::from_secs(second));
    let steps = readings.iter().zip(0..);
    steps.map(|(lines, second)| times.add(lines, at(second), HZ, None)).collect()
}

fn of(figure: usize, told: &[Ticks]) -> Vec<u64> {
    told.iter().map(|counted| counted.times[figure].unwrap()).collect()
}

/// Ticks of user, idle and steal that make up a ratio between those two readings.
fn gained(told: &[Ticks], from: usize, to: usize) -> [i64; 3] {
    [0, IDLE, STEAL].map(|at| told[to].fit[at].unwrap() - told[from].fit[at].unwrap())
}

#[test]
fn a_cpu_that_goes_offline_leaves_what_it_counted_and_the_others_count_on() {
    let told = told(&[
        lines(&[(0, line(50, 25_000_000, 0)), (1, line(50, 25_000_000, 0))]),
        lines(&[(0, line(60, 25_000_100, 0))]),
        lines(&[(0, line(70, 25_000_190, 0))]),
    ]);
    assert_eq!(of(IDLE, &told), [50_000_000, 50_000_100, 50_000_190]);
    assert_eq!(of(0, &told), [100, 110, 120]);
    assert_eq!(gained(&told, 0, 1), [10, 100, 0]);
}

#[test]
fn a_cpu_that_comes_online_does_not_bring_what_it_counted_before() {
    let told = told(&[
        lines(&[(0, line(50, 1_000, 0))]),
        lines(&[(0, line(60, 1_090, 0)), (1, line(900, 25_000_000, 0))]),
        lines(&[(0, line(70, 1_180, 0)), (1, line(910, 25_000_090, 0))]),
    ]);
    assert_eq!(of(IDLE, &told), [1_000, 1_090, 1_270]);
    assert_eq!(of(0, &told), [50, 60, 80]);
    assert_eq!(gained(&told, 0, 2), [30, 270, 0]);
}

#[test]
fn a_cpu_that_was_offline_in_between_is_no_work() {
    let told = told(&[
        lines(&[(0, line(0, 9_000, 0)), (1, line(0, 9_000, 0))]),
        lines(&[(0, line(50, 9_050, 0)), (1, line(50, 30, 0))]),
    ]);
    assert_eq!(of(IDLE, &told), [18_000, 18_050]);
    assert_eq!(gained(&told, 0, 1), [50, 50, 0], "its idle time began at zero");
}

#[test]
fn one_absurd_figure_is_neither_counted_nor_waited_for() {
    for absurd in [u64::MAX, u64::MAX - 50, 1_844_674_407_370, 400_000] {
        let told = told(&[
            lines(&[(0, line(0, 100, 5)), (1, line(0, 100, 5))]),
            lines(&[(0, line(50, 150, absurd)), (1, line(50, 150, 5))]),
            lines(&[(0, line(100, 190, 15)), (1, line(100, 200, 5))]),
            lines(&[(0, line(150, 230, 25)), (1, line(150, 250, 5))]),
        ]);
        assert_eq!(of(STEAL, &told), [10, 10, 20, 30], "{absurd}");
        assert_eq!(of(IDLE, &told), [200, 300, 390, 480], "{absurd}");
        assert_eq!(gained(&told, 0, 1), [50, 50, 0], "of the other CPU");
        assert_eq!(gained(&told, 2, 3), [100, 90, 10]);
    }
}

#[test]
fn absurd_time_of_guests_takes_nothing_from_what_is_not_theirs() {
    let told = told(&[
        lines(&[(0, guests(1_000, 900))]),
        lines(&[(0, guests(1_050, u64::MAX / 3))]),
        lines(&[(0, guests(1_100, 980))]),
        lines(&[(0, guests(1_150, 1_020))]),
    ]);
    assert_eq!(of(GUEST, &told), [900, 900, 980, 1_020]);
    assert_eq!(of(0, &told), [100, 150, 150, 160]);
    assert_eq!(gained(&told, 0, 1), [50, 0, 0]);
}

#[test]
fn an_absurd_figure_that_stays_is_counted_on_from() {
    let told = told(&[
        lines(&[(0, line(0, 100, 5))]),
        lines(&[(0, line(50, 150, u64::MAX - 90))]),
        lines(&[(0, line(90, 200, u64::MAX - 80))]),
        lines(&[(0, line(120, 260, u64::MAX - 70))]),
    ]);
    assert_eq!(of(STEAL, &told), [5, 5, 15, 25]);
    assert_eq!(gained(&told, 2, 3), [30, 60, 10]);
}

#[test]
fn the_line_of_all_is_believed_without_lines_of_single_cpus_and_where_it_alone_is_absurd() {
    let alone = |all| CpuLines { all, single: Vec::new() };
    let sums = told(&[
        alone(line(0, 50_000_000, 0)),
        alone(line(50, 25_000_000, 0)),
        alone(line(60, 25_000_090, u64::MAX)),
        alone(line(70, 25_000_180, 4)),
    ]);
    assert_eq!(of(IDLE, &sums), [50_000_000, 50_000_000, 50_000_090, 50_000_180]);
    assert_eq!(of(STEAL, &sums), [0, 0, 0, 4]);
    assert_eq!(gained(&sums, 0, 1), [0; 3], "idle time that fell so far is no work");

    let single = [(0, line(50, 150, 3))];
    let wrong = CpuLines { all: line(0, u64::MAX, 3), single: single.to_vec() };
    let sums = told(&[lines(&[(0, line(0, 100, 0))]), wrong, lines(&[(0, line(100, 200, 6))])]);
    assert_eq!(of(IDLE, &sums), [100, 150, 200]);
    assert_eq!(of(STEAL, &sums), [0, 3, 6]);
}

#[test]
fn a_figure_that_wavers_is_counted_once_and_spoils_no_ratio() {
    let told = told(&[
        lines(&[(0, line(0, 100, 0))]),
        lines(&[(0, line(50, 99, 0))]),
        lines(&[(0, line(100, 149, 0))]),
    ]);
    assert_eq!(of(IDLE, &told), [100, 100, 150]);
    assert_eq!(gained(&told, 0, 2), [100, 49, 0]);
}

#[test]
fn a_first_figure_beyond_the_hosts_uptime_is_not_reported() {
    let up = Some(Duration::from_secs(3_600));
    let at = Moment::new(Duration::ZERO);
    let times = lines(&[(0, line(100, 350_000, u64::MAX / 2)), (1, line(100, 350_000, 7))]);
    let told = CpuTimes::default().add(&times, at, HZ, up);
    assert_eq!(told.times, line(200, 700_000, 7)[..9]);
    let told = CpuTimes::default().add(&lines(&[(0, line(1, 2, u64::MAX))]), at, HZ, None);
    assert_eq!(told.times, line(1, 2, 0)[..9]);
}

#[test]
fn a_figure_that_this_kernel_does_not_count_is_not_told() {
    let mut line = line(1, 2, 3);
    line[GUEST] = None;
    let sums = told(&[lines(&[(0, line)]), lines(&[(0, line)])]);
    assert!(sums.iter().all(|counted| counted.times[GUEST].is_none()));
}

proptest! {
    #[test]
    fn no_reported_time_ever_falls(
        readings in prop::collection::vec(
            (any::<Line>(), prop::collection::vec((0u32..4, any::<Line>()), 0..5)), 1..12,
        ),
    ) {
        let readings: Vec<CpuLines> =
            readings.into_iter().map(|(all, single)| CpuLines { all, single }).collect();
        let mut before = [0; 9];
        for counted in told(&readings) {
            for (before, now) in before.iter_mut().zip(counted.times) {
                if let Some(now) = now {
                    prop_assert!(now >= *before);
                    *before = now;
                }
            }
        }
    }
}
