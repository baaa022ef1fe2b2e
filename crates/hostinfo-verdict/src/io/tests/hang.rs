//! Disks that complete nothing.

use super::*;

/// Two disks that complete nothing while the guest's process and tasks of the host wait for I/O.
fn idle(own_millis: Option<u64>, host_millis: Option<u64>) -> Io {
    Io {
        stall: own_millis.map(Duration::from_millis),
        ..host(vec![disk("vda", 0, 0), disk("vdb", 0, 0)], host_millis)
    }
}

#[test]
fn a_guest_that_waits_for_a_disk_that_completes_nothing_is_not_ok() {
    assert_eq!(
        judge(idle(Some(57_000), Some(57_100)), &|_, _| true).to_string(),
        "unknown: your guest's process on the host waited for I/O 95% of the last 60 s, but your \
         disks completed no operation: one of them may hang"
    );
    assert_eq!(judge(idle(Some(3_000), None), &|_, _| true).state, State::Unknown);
    assert_eq!(judge(idle(Some(2_999), None), &|_, _| true).state, State::Ok);
}

#[test]
fn a_disk_that_hangs_beside_one_that_works_is_not_ok() {
    // 1,000 reads of 5 ms.
    let judged = |own_millis: u64, memory_millis: u64, disks: &[&str]| {
        let idle = disks.iter().map(|name| disk(name, 0, 0));
        let io = host([disk("vda", 1_000, 5)].into_iter().chain(idle).collect(), None);
        let io = Io { stall: Some(Duration::from_millis(own_millis)), ..io };
        judge_beside(Duration::from_millis(memory_millis), io, &|_, _| true).to_string()
    };
    assert_eq!(
        judged(57_000, 0, &["vdb"]),
        "unknown: your guest's process on the host waited for I/O 95% of the last 60 s, longer than for \
         the operations that your disks completed: your disk vdb, which completed none, may hang"
    );
    assert!(
        judged(8_000, 0, &["vdb", "vdc"]).ends_with("one of those that completed none may hang")
    );
    for explained in
        [judged(7_999, 0, &["vdb"]), judged(57_000, 0, &[]), judged(57_000, 49_001, &["vdb"])]
    {
        assert!(explained.starts_with("ok: your disks answered in time"), "{explained}");
    }
}

#[test]
fn a_guest_that_leaves_its_disks_alone_is_ok_only_on_a_quiet_host() {
    assert_eq!(
        judge(idle(Some(0), Some(37_200)), &|_, _| true).to_string(),
        "unknown: your disks completed no operation in the last 60 s; tasks of the host waited for \
         I/O 62% of that time; it cannot be told whether your guest asked for none or waits as well"
    );
    assert_eq!(judge(idle(Some(0), Some(3_000)), &|_, _| true).state, State::Unknown);
    assert_eq!(judge(idle(Some(0), Some(2_999)), &|_, _| true).state, State::Ok);
    assert_eq!(judge(idle(None, None), &|_, _| true).state, State::Ok);
}

#[test]
fn a_disk_that_has_hung_for_a_while_is_not_ok_for_what_it_did_before() {
    // 10 s with 1,000 reads, and then nothing.
    let judged = |own_millis: u64| {
        let samples = [(0, 0), (10, 1), (20, 1), (30, 1)].map(|(at, times)| {
            let stall = Duration::from_millis(own_millis * at.max(10) - own_millis * 10);
            let disks = vec![disk("vda", 1_000 * times, 1)];
            let io = Io { stall: Some(stall), ..host(disks, None) };
            (Duration::from_secs(at), Sample { io, ..Sample::default() })
        });
        let timed = samples.iter().map(|(at, sample)| (*at, sample)).collect();
        io(&Interval::new(timed), &|_, _| true).to_string()
    };
    assert_eq!(
        judged(990),
        "unknown: for 20 s of the last 30 s, your guest's process on the host waited for I/O 99% of \
         that time, but your disks completed no operation: one of them may hang"
    );
    assert!(judged(199).starts_with("ok: your disks answered in time"));
}
