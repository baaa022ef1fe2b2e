use super::*;
use crate::sample::Io;

const LENGTH: Duration = Duration::from_secs(60);

/// A disk's minute: so many operations, of so many milliseconds each.
fn disk(name: &str, ops: u64, millis: u64) -> Disk {
    Disk {
        name: name.to_owned(),
        ops: Some(ops),
        time: Some(Duration::from_millis(ops * millis)),
        bytes: Some(ops * 4096),
        limit_ops: None,
        limit_bytes: None,
    }
}

fn verdict_for(disks: Vec<Disk>, stall_millis: Option<u64>, permits: Permits<'_>) -> Verdict {
    let sample = |disks, stall: Option<u64>| Sample {
        io: Io { disks, host_stall: stall.map(Duration::from_millis) },
        ..Sample::default()
    };
    let before = sample(disks.iter().map(|now| disk(&now.name, 0, 0)).collect(), Some(0));
    let after = sample(disks, stall_millis);
    io(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]), permits)
}

fn verdict(disk: Disk, stall_millis: Option<u64>) -> String {
    verdict_for(vec![disk], stall_millis, &|_, _| true).to_string()
}

fn state(disk: Disk, stall_millis: Option<u64>) -> State {
    verdict_for(vec![disk], stall_millis, &|_, _| true).state
}

const PRESSED: Option<u64> = Some(37_200);

#[test]
fn a_slow_disk_on_a_host_that_waits_for_io_is_contended() {
    assert_eq!(
        verdict(disk("vda", 600, 45), PRESSED),
        "contended: your disk vda was slow on the host: an operation took 45.0 ms on the mean of \
         the last 60 s; tasks of the host waited for I/O 62% of that time"
    );
}

#[test]
fn a_disk_at_its_own_limit_is_self_limited_however_pressed_the_host() {
    let ops = Disk { limit_ops: Some(500), ..disk("vda", 30_000, 45) };
    assert_eq!(
        verdict(ops, PRESSED),
        "self-limited: your disk vda was at its own limit of 500 operations a second: an operation \
         took 45.0 ms on the mean of the last 60 s"
    );
    let bytes = Disk { limit_bytes: Some(4096 * 10), ..disk("vda", 600, 45) };
    assert_eq!(
        verdict(bytes, PRESSED),
        "self-limited: your disk vda was at its own limit of 40.0 KiB a second: an operation took \
         45.0 ms on the mean of the last 60 s"
    );
}

#[test]
fn a_disk_is_at_its_limit_from_90_percent_on() {
    let limited = |ops| Disk { limit_ops: Some(10), ..disk("vda", ops, 30) };
    assert_eq!(state(limited(539), PRESSED), State::Contended);
    assert_eq!(state(limited(540), PRESSED), State::SelfLimited);
    let limited = |bytes| Disk { bytes: Some(bytes), limit_bytes: Some(100), ..disk("a", 540, 30) };
    assert_eq!(state(limited(5_399), PRESSED), State::Contended);
    assert_eq!(state(limited(5_400), PRESSED), State::SelfLimited);
    assert_eq!(
        state(Disk { limit_ops: Some(0), ..disk("vda", 540, 30) }, PRESSED),
        State::Contended
    );
}

#[test]
fn one_operation_at_a_time_can_be_at_its_limit_without_being_slow() {
    let limited = Disk { limit_ops: Some(1000), ..disk("vda", 60_000, 1) };
    assert_eq!(state(limited, None), State::SelfLimited);
}

#[test]
fn a_disk_is_slow_from_20_ms_on() {
    assert_eq!(state(disk("vda", 600, 19), PRESSED), State::Ok);
    assert_eq!(state(disk("vda", 600, 20), PRESSED), State::Contended);
}

#[test]
fn a_disk_with_little_to_do_slows_nobody_down() {
    assert_eq!(state(disk("vda", 59, 50), PRESSED), State::Ok);
    assert_eq!(state(disk("vda", 60, 50), PRESSED), State::Contended);
}

#[test]
fn a_slow_disk_without_a_reason_is_unknown() {
    assert_eq!(
        verdict(disk("vda", 600, 45), Some(2_999)),
        "unknown: your disk vda was slow: an operation took 45.0 ms on the mean of the last 60 s; \
         neither its own limits nor the host's pressure say why"
    );
    assert_eq!(state(disk("vda", 600, 45), Some(3_000)), State::Contended);
    assert_eq!(state(disk("vda", 600, 45), None), State::Unknown);
}

#[test]
fn the_disk_that_was_waited_for_most_is_judged_and_fast_ones_do_not_hide_it() {
    let disks = vec![disk("vda", 100_000, 1), disk("vdb", 600, 45), disk("vdc", 100, 45)];
    let verdict = verdict_for(disks, PRESSED, &|_, _| true);
    assert!(verdict.to_string().starts_with("contended: your disk vdb was slow"), "{verdict}");
}

#[test]
fn without_io_all_is_well_and_without_figures_nothing_is_known() {
    assert_eq!(
        verdict(disk("vda", 0, 0), PRESSED),
        "ok: your disks completed no operation in the last 60 s"
    );
    assert_eq!(
        verdict(disk("vda", 6_000, 1), PRESSED),
        "ok: your disks answered in time: an operation took 1.0 ms on the mean of the last 60 s"
    );
    let unknown = "unknown: this host does not tell how your disks answer";
    assert_eq!(verdict(Disk { ops: None, ..disk("vda", 1, 1) }, PRESSED), unknown);
    assert_eq!(verdict_for(Vec::new(), PRESSED, &|_, _| true).to_string(), unknown);
}

#[test]
fn the_reason_names_only_what_the_guest_may_see() {
    let hidden = |disk| verdict_for(vec![disk], PRESSED, &|_, _| false).reason;
    assert_eq!(
        hidden(disk("vda", 600, 45)),
        "one of your disks was slow on the host in the last 60 s"
    );
    assert_eq!(
        hidden(Disk { limit_ops: Some(10), ..disk("vda", 600, 45) }),
        "one of your disks was at its own limit in the last 60 s"
    );
}
