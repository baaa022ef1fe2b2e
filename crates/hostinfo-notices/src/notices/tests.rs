use super::*;
use crate::kind::Kind;
use crate::limits::{NOTICE_MAX, PATTERN_MAX};
use crate::notice::tests::{draft, time};

const NOW: &str = "2026-11-22T12:00:00Z";
const SOON: &str = "2026-11-22T13:00:00Z";
const LATER: &str = "2026-11-23T13:00:00Z";

fn notices(drafts: &[Draft]) -> Notices {
    let mut notices = Notices::default();
    for draft in drafts {
        notices.set(draft.clone(), time(NOW)).unwrap();
    }
    notices
}

fn texts(notices: &Notices, guest: &str, now: &str) -> Vec<String> {
    notices.of(guest, time(now)).map(|notice| notice.draft.text.clone()).collect()
}

#[test]
fn a_guest_reads_the_notices_whose_pattern_matches_it_the_soonest_first() {
    let notices = notices(&[
        draft("qemu-web*", LATER, "third"),
        draft("qemu-db", SOON, "not for it"),
        draft("*", SOON, "first"),
        draft("qemu-web1", SOON, "second"),
    ]);
    assert_eq!(texts(&notices, "qemu-web1", NOW), ["first", "second", "third"]);
    assert_eq!(texts(&notices, "xen-a", NOW), ["first"]);
}

#[test]
fn a_guest_reads_sixteen_notices_at_most_and_those_that_are_over_do_not_count() {
    let mut drafts: Vec<Draft> = (0..20).map(|n| draft("*", LATER, &n.to_string())).collect();
    drafts[0].until = Some(time("2026-11-24T00:00:00Z"));
    let notices = notices(&drafts);
    assert_eq!(texts(&notices, "qemu-a", NOW).len(), PER_GUEST);
    assert_eq!(texts(&notices, "qemu-a", NOW)[0], "0");
    let after = texts(&notices, "qemu-a", "2026-11-24T00:00:00Z");
    assert_eq!((after.len(), &*after[0]), (PER_GUEST, "19"));
}

#[test]
fn past_notices_without_an_end_come_last_the_newest_first() {
    let forgotten = |n: usize| draft("*", &format!("2026-11-20T{n:02}:00:00Z"), &n.to_string());
    let mut drafts: Vec<Draft> = (0..20).map(forgotten).collect();
    let under_way = draft("*", "2026-11-22T11:00:00Z", "under way");
    drafts.push(Draft { until: Some(time(SOON)), ..under_way });
    drafts.push(draft("*", LATER, "to come"));
    let told = texts(&notices(&drafts), "qemu-a", NOW);
    assert_eq!(told[..4], ["under way", "to come", "19", "18"]);
    assert_eq!(told.len(), PER_GUEST);
    let all = texts(&notices(&drafts), "qemu-a", SOON);
    assert_eq!(all[..3], ["to come", "19", "18"]);
}

#[test]
fn a_notice_behind_sixteen_others_is_hidden_from_the_guests_that_those_are_for() {
    let mut all =
        notices(&(0..PER_GUEST).map(|n| draft("qemu-a", SOON, &n.to_string())).collect::<Vec<_>>());
    let last = all.set(draft("*", LATER, "last"), time(NOW)).unwrap();
    let hides = |all: &Notices| ["qemu-a", "qemu-b"].map(|one| all.hide(&last, one, time(NOW)));
    assert_eq!(hides(&all), [true, false]);
    all.clear(|notice| notice.id == 1);
    assert_eq!(hides(&all), [false, false]);
    assert_eq!(texts(&all, "qemu-a", NOW).last().unwrap(), "last");
}

#[test]
fn the_same_notice_again_keeps_its_id_and_takes_the_other_end() {
    let mut notices = notices(&[draft("*", SOON, "x"), draft("*", SOON, "y")]);
    let until = Some(time(LATER));
    let again = notices.set(Draft { until, ..draft("*", SOON, "x") }, time(NOW)).unwrap();
    assert_eq!((again.id, again.draft.until), (1, until));
    assert_eq!(notices.all(time(NOW)).count(), 2);
    let other = Draft { kind: Kind::Info, ..draft("*", SOON, "x") };
    assert_eq!(notices.set(other, time(NOW)).unwrap().id, 3);
}

#[test]
fn an_id_is_never_given_twice_also_not_after_a_restart() {
    let mut notices = notices(&[draft("*", SOON, "x"), draft("*", SOON, "y")]);
    assert_eq!(notices.clear(|notice| notice.id == 2).len(), 1);
    let mut notices = Notices::parse(&notices.to_bytes()).unwrap();
    assert_eq!(notices.set(draft("*", SOON, "z"), time(NOW)).unwrap().id, 3);
    assert_eq!(texts(&notices, "qemu-a", NOW), ["x", "z"]);
}

#[test]
fn a_notice_that_is_over_already_is_refused_and_one_that_ends_makes_room() {
    let until = Some(time(NOW));
    let before = "2026-11-21T12:00:00Z";
    let mut notices = notices(&[]);
    let over = notices.set(Draft { until, ..draft("*", before, "x") }, time(NOW));
    assert_eq!(over, Err(Refused::Over(time(NOW))));
    for number in 0..NOTICES_MAX {
        let until = Some(time(LATER));
        notices.set(Draft { until, ..draft("*", SOON, &number.to_string()) }, time(NOW)).unwrap();
    }
    assert_eq!(notices.set(draft("*", SOON, "x"), time(NOW)), Err(Refused::Full));
    assert!(notices.set(draft("*", SOON, "x"), time(LATER)).is_ok());
    assert_eq!(notices.all(time(NOW)).count(), 1);
}

#[test]
fn a_file_holds_all_there_can_be_and_is_read_as_it_was_written() {
    let pattern = "\\\\".repeat(PATTERN_MAX / 2);
    let text = "\"".repeat(NOTICE_MAX - "maintenance at 2026-11-22T13:00:00Z: ".len() - 4);
    let mut all = Notices::default();
    for number in 0..NOTICES_MAX {
        let until = Some(Timestamp::MAX);
        let draft = draft(&pattern, SOON, &format!("{text}{number:04}"));
        all.set(Draft { until, ..draft }, time(NOW)).unwrap();
    }
    let bytes = all.to_bytes();
    assert!(bytes.len() <= FILE_MAX, "{}", bytes.len());
    assert_eq!(Notices::parse(&bytes).unwrap(), all);
    assert_eq!(Notices::parse(&Notices::default().to_bytes()).unwrap(), Notices::default());
}

#[test]
fn a_file_that_is_not_wholly_understood_is_damaged() {
    let good = String::from_utf8(notices(&[draft("*", SOON, "x")]).to_bytes()).unwrap();
    assert!(Notices::parse(good.as_bytes()).is_ok());
    for (from, to) in [
        ("\"next\": 2", "\"next\": 1"),
        ("\"x\"", "\"\""),
        ("\"*\"", "\"[\""),
        ("maintenance", "maintenances"),
        ("\"text\"", "\"txt\""),
        ("\"next\"", "\"newer\": 1, \"next\""),
        ("2026", "20x6"),
        ("}", ""),
    ] {
        assert!(good.contains(from), "{from}");
        assert!(Notices::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    let mut long = good.into_bytes();
    long.resize(FILE_MAX, b' ');
    assert!(Notices::parse(&long).is_ok());
    long.push(b' ');
    for bytes in [&b""[..], b"{", b"[]", b"\xff", b"{}", &long] {
        assert!(Notices::parse(bytes).is_err());
    }
}

#[test]
fn the_seeds_of_the_fuzzer_are_written_as_they_were_read() {
    for seed in std::fs::read_dir("../../fuzz/seeds/notices").unwrap() {
        let path = seed.unwrap().path();
        let file = std::fs::read(&path).unwrap();
        let written = match path.file_name().unwrap().to_str().unwrap() {
            "notices" => Notices::parse(&file).unwrap().to_bytes(),
            "host-state" => crate::Declared::parse(&file).unwrap().to_bytes(),
            other => panic!("say here what {other} is"),
        };
        assert_eq!(written, file, "{}", path.display());
    }
}
