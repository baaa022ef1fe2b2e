use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// Takes every sample when it is due, until `to`, and returns the times.
fn run(watch: &mut Watch, start: Instant, to: Duration) -> Vec<Duration> {
    let mut taken = Vec::new();
    while let Some(next) = watch.next_sample().filter(|next| *next <= start + to) {
        watch.push(next, Sample::default());
        taken.push(next - start);
    }
    taken
}

fn length(watch: &Watch, now: Instant) -> Duration {
    watch.interval(now).unwrap().length
}

/// When the samples are taken of a schedule that began at 0: slightly before each of these times.
fn steps(seconds: &[u64]) -> Vec<Duration> {
    seconds.iter().map(|second| Duration::from_secs(*second).saturating_sub(EARLY)).collect()
}

#[test]
fn the_first_question_is_answered_with_when_to_ask_again_and_then_there_is_a_verdict() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    assert_eq!(watch.interval(start).unwrap_err(), 5 * SECOND);
    run(&mut watch, start, 2 * SECOND);
    assert_eq!(watch.interval(start + 2 * SECOND).unwrap_err(), 3 * SECOND);
    run(&mut watch, start, 5 * SECOND);
    assert_eq!(length(&watch, start + 5 * SECOND), 5 * SECOND - EARLY);
}

#[test]
fn the_window_grows_up_to_a_minute_and_then_moves_on() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    for seconds in 5..200 {
        let now = start + seconds * SECOND;
        watch.asked(now, SECOND);
        run(&mut watch, start, seconds * SECOND);
        let length = length(&watch, now);
        assert!(length <= WINDOW, "{length:?}");
        assert!(length + STEP >= WINDOW.min(seconds * SECOND), "{length:?} at {seconds} s");
    }
}

#[test]
fn a_second_question_after_the_wait_that_the_first_answer_named_covers_that_time() {
    for interval in [1, 5, 30, 60, 300] {
        let start = Instant::now();
        let (mut watch, interval) = (Watch::begin(start, interval * SECOND), interval * SECOND);
        let wait = interval.max(watch.interval(start).unwrap_err());
        run(&mut watch, start, wait);
        assert_eq!(length(&watch, start + wait), wait.min(WINDOW + EARLY) - EARLY);
    }
}

#[test]
fn samples_are_taken_every_5_s_for_a_minute_after_a_question_and_every_10_s_otherwise() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    let mut expected: Vec<u64> = (0..=12).map(|step| step * 5).collect();
    expected.extend([70, 80, 90, 100]);
    assert_eq!(run(&mut watch, start, 100 * SECOND), steps(&expected));
    watch.asked(start + 103 * SECOND, SECOND);
    assert_eq!(run(&mut watch, start, 120 * SECOND), steps(&[105, 110, 115, 120]));
}

#[test]
fn a_question_takes_no_sample_by_itself() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    run(&mut watch, start, 100 * SECOND);
    watch.asked(start + 106 * SECOND, SECOND);
    assert_eq!(run(&mut watch, start, 115 * SECOND), steps(&[110, 115]), "105 is over");
}

#[test]
fn a_guest_watched_for_good_has_six_samples_a_minute_and_a_verdict_at_once() {
    let start = Instant::now();
    let mut watch = Watch::keep(start + 3 * SECOND);
    assert_eq!(watch.next_sample(), Some(start + 3 * SECOND));
    let taken = run(&mut watch, start, 100_003 * SECOND);
    assert_eq!((taken.len(), watch.ends()), (10_001, None));
    assert_eq!(length(&watch, start + 100_003 * SECOND), WINDOW);
}

#[test]
fn a_guest_that_asks_before_its_first_sample_is_due_has_it_taken_then() {
    let start = Instant::now();
    let mut watch = Watch::keep(start + 9 * SECOND);
    watch.asked(start + 2 * SECOND, SECOND);
    assert_eq!(watch.next_sample(), Some(start + 2 * SECOND));
    assert_eq!(watch.interval(start + 2 * SECOND).unwrap_err(), 5 * SECOND);
    run(&mut watch, start, 7 * SECOND);
    assert_eq!(length(&watch, start + 7 * SECOND), 5 * SECOND - EARLY);
}

#[test]
fn a_guest_is_watched_for_five_minutes_or_twice_its_interval_after_its_last_question() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    assert_eq!(watch.ends(), Some(start + 300 * SECOND));
    watch.asked(start + 100 * SECOND, 600 * SECOND);
    assert_eq!(watch.ends(), Some(start + 1300 * SECOND));
    watch.asked(start + 200 * SECOND, SECOND);
    assert_eq!(watch.ends(), Some(start + 1300 * SECOND), "a shorter one takes nothing away");
    let taken = run(&mut watch, start, 10_000 * SECOND);
    assert_eq!(watch.next_sample(), None);
    assert_eq!(taken.last(), steps(&[1300]).last());
}

#[test]
fn a_rule_that_watches_no_more_leaves_what_the_questions_began() {
    let start = Instant::now();
    let mut watch = Watch::keep(start);
    watch.asked(start + 2 * SECOND, SECOND);
    watch.set_kept(false);
    assert_eq!(watch.ends(), Some(start + 302 * SECOND));
    assert!(watch.next_sample().is_some());
    run(&mut watch, start, 1000 * SECOND);
    assert_eq!(watch.next_sample(), None);
}

#[test]
fn a_guest_that_asks_after_it_should_have_been_forgotten_begins_anew() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    run(&mut watch, start, 300 * SECOND);
    watch.asked(start + 300 * SECOND, SECOND);
    assert_eq!(watch.interval(start + 300 * SECOND).unwrap_err(), 5 * SECOND);
    assert_eq!(watch.next_sample(), Some(start + 300 * SECOND));
}

#[test]
fn a_late_sample_keeps_its_own_time_and_the_next_ones_keep_to_the_schedule() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    run(&mut watch, start, 20 * SECOND);
    watch.push(start + 29 * SECOND, Sample::default());
    assert_eq!(length(&watch, start + 29 * SECOND), 29 * SECOND);
    assert_eq!(watch.next_sample(), Some(start + 35 * SECOND - EARLY));
    // A window of a minute contains nothing from before a gap this long.
    watch.push(start + 200 * SECOND, Sample::default());
    assert_eq!(watch.interval(start + 200 * SECOND).unwrap_err(), STEP);
}

#[test]
fn a_sample_that_is_taken_a_little_early_is_that_of_its_step() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    run(&mut watch, start, SECOND);
    watch.push(start + Duration::from_millis(4_200), Sample::default());
    assert_eq!(length(&watch, start + 5 * SECOND), Duration::from_millis(4_200));
    assert_eq!(watch.next_sample(), Some(start + 10 * SECOND - EARLY));
}

#[test]
fn a_sample_that_is_not_due_is_ignored() {
    let start = Instant::now();
    let mut watch = Watch::begin(start, SECOND);
    for millis in 0..59_000 {
        watch.push(start + Duration::from_millis(millis), Sample::default());
    }
    assert_eq!(watch.samples.len(), 13);
}

#[test]
fn a_period_of_10_s_is_handed_out_once_however_often_the_guest_asks() {
    for asks in [true, false] {
        let start = Instant::now();
        let mut watch = Watch::keep(start);
        let mut ends = Vec::new();
        for seconds in 0..=60 {
            let now = start + seconds * SECOND;
            if asks {
                watch.asked(now, SECOND);
            }
            run(&mut watch, start, seconds * SECOND);
            while let Some(period) = watch.period() {
                let length = period.length;
                assert!(length.abs_diff(PERIOD) <= EARLY, "{length:?}");
                ends.push(seconds);
            }
        }
        assert_eq!(ends, [10, 20, 30, 40, 50, 60], "asks: {asks}");
    }
}

proptest! {
    #[test]
    fn however_late_samples_come_they_are_few_and_the_wait_is_a_step_at_most(
        steps in proptest::collection::vec(0u64..40_000, 0..60), asks: u64, is_kept: bool,
    ) {
        let start = Instant::now();
        let mut watch = Watch::begin(start, Duration::from_secs(3600));
        watch.set_kept(is_kept);
        let mut now = start;
        for (at, step) in steps.into_iter().enumerate() {
            now += Duration::from_millis(step);
            watch.push(now, Sample::default());
            prop_assert!(watch.samples.len() <= 14);
            match watch.interval(now) {
                Ok(interval) => prop_assert!(interval.length >= STEP - SOON),
                Err(wait) => prop_assert!(wait <= STEP),
            }
            if let Some(period) = watch.period() {
                prop_assert!(period.length <= WINDOW + SOON);
            }
            if asks.rotate_left(u32::try_from(at).unwrap()) & 1 == 1 {
                watch.asked(now, Duration::from_secs(asks % 1000));
            }
        }
    }
}
