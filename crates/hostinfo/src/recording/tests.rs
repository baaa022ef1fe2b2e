//! Recordings: complete, cut off, appended to, and of other versions.

use super::*;
use crate::verdict::RESOURCES;
use proptest::prelude::*;

fn sample(time: i64) -> Sample {
    let states = [Some(State::Contended), Some(State::Ok), None, Some(State::Unknown)];
    let mut sample = Sample::at(time, Heard::Verdicts(states));
    sample.set(Field::Waited, Some(340.4));
    sample.set(Field::Swapping, Some(0.0));
    sample
}

fn verdict(state: Option<State>, reason: &str) -> Entry {
    Entry::Verdict { time: 5, resource: "cpu".to_owned(), state, reason: reason.to_owned() }
}

fn entries() -> Vec<Entry> {
    vec![
        Entry::Guest { time: 5, guest: "\"web1\" (9f0c)".to_owned() },
        Entry::Host { time: 5, host: "df1a367e kvm".to_owned() },
        verdict(Some(State::Contended), "your vCPUs waited 34%: x ."),
        verdict(None, "not permitted"),
        Entry::Sample(sample(5)),
        Entry::Incident { time: 9, incident: "cpu contended from 1 to now".to_owned() },
        Entry::Silence { time: 15, why: "silent for 5 s".to_owned() },
        Entry::Sample(Sample::at(15, Heard::Silence)),
    ]
}

fn text() -> String {
    head() + &entries().iter().map(Entry::line).collect::<String>()
}

fn read(text: &str) -> (Vec<Entry>, Reader) {
    let mut reader = Reader::default();
    let entries = text.split_inclusive('\n').filter_map(|line| reader.read(line)).collect();
    (entries, reader)
}

#[test]
fn a_recording_is_read_as_it_was_written() {
    let (read, reader) = read(&text());
    assert_eq!(read, entries());
    assert!(reader.begin() == Begin::Recording && reader.damaged() == 0);
    assert_eq!(sample(5).figure(Field::Waited), Some(340));
}

#[test]
fn a_recording_whose_line_ends_became_crlf_is_read_and_appended_to() {
    let windows = text().replace('\n', "\r\n");
    let head = windows.as_bytes().get(..HEAD.len()).unwrap();
    assert_eq!(Begin::of(head), Begin::Recording, "record reads no more of it");
    let appended = windows.clone() + &joint(head, true) + &Entry::Sample(sample(25)).line();
    let (read, reader) = read(&appended);
    assert!(reader.begin() == Begin::Recording && reader.damaged() == 0);
    assert_eq!(read.split_last().unwrap().1, entries());
}

#[test]
fn a_recording_that_was_cut_anywhere_and_appended_to_loses_the_line_that_was_cut_and_nothing_else()
{
    let whole = text();
    for cut in 0..whole.len() {
        let (cut_off, more) = (whole.split_at(cut).0, Entry::Sample(sample(25)).line());
        let appended =
            format!("{cut_off}{}{more}", joint(cut_off.as_bytes(), cut_off.ends_with('\n')));
        let (read, reader) = read(&appended);
        assert!(reader.begin() == Begin::Recording && reader.damaged() <= 1);
        let written = cut_off.matches('\n').count().saturating_sub(2);
        // If only its line end is cut off, a line is complete.
        assert!(read.len() == written + 1 || read.len() == written + 2, "{cut}");
        assert_eq!(read[..written], entries()[..written]);
        assert_eq!(read.last(), Some(&Entry::Sample(sample(25))));
    }
}

#[test]
fn columns_of_another_version_are_read_by_their_names() {
    let other = format!("{HEAD}#columns newer steal waited\ns 7 oo-u 1 2 3 .\n");
    let (read, _) = read(&other);
    let [Entry::Sample(sample)] = &read[..] else { panic!("{read:?}") };
    assert_eq!((sample.figure(Field::Steal), sample.figure(Field::Waited)), (Some(2), Some(3)));
}

#[test]
fn a_foreign_file_is_told_from_a_recording_of_a_newer_version() {
    for (text, begin) in [
        ("time,value\n1,2\n", Begin::Foreign),
        ("{\"a\":1}\n", Begin::Foreign),
        ("# x", Begin::Foreign),
        ("#hostinfo-recording x\n", Begin::Foreign),
        ("#hostinfo-recording 2\n", Begin::Newer),
        ("#hostinfo-recording 12", Begin::Newer),
        ("", Begin::Recording),
        ("#hostinfo-rec", Begin::Recording),
        (HEAD, Begin::Recording),
        ("#hostinfo-recording 1\r", Begin::Recording),
        ("#hostinfo-recording 1\r\n", Begin::Recording),
        ("#hostinfo-recording 2\r\n", Begin::Newer),
        (&text(), Begin::Recording),
    ] {
        assert_eq!((Begin::of(text.as_bytes()), read(text).1.begin()), (begin, begin), "{text:?}");
    }
    let appended = text() + "#hostinfo-recording \n" + &head();
    assert_eq!(read(&appended).1.begin(), Begin::Recording, "a first line was cut off");
    assert_eq!(read(&(appended + "#hostinfo-recording 2\n")).1.begin(), Begin::Newer);
}

#[test]
fn no_line_is_longer_than_is_read() {
    let mut sample = Sample::at(LATEST, Heard::Silence);
    for name in Field::names() {
        sample.set(Field::named(name).unwrap(), Some(f64::from(u32::MAX)));
    }
    let long = "\u{20ac}".repeat(1000);
    for entry in [Entry::Sample(sample), verdict(Some(State::SelfLimited), &long)] {
        assert!(entry.line().len() <= LINE_MAX, "{}", entry.line().len());
        assert_eq!(read(&(head() + &entry.line())).1.damaged(), 0);
    }
}

#[test]
fn an_incident_that_goes_on_is_the_same() {
    let incident_until =
        |end: &str| format!("cpu contended from 2026-11-28T10:02Z to {end}: 34% waited");
    assert!(is_same_incident(&incident_until("now"), &incident_until("2026-11-28T10:05Z")));
    assert!(!is_same_incident(&incident_until("now"), &incident_until("now").replace("cpu", "io")));
}

/// A sample of a busy guest with every figure, as measured on the lab's hosts and guests.
const BUSY: &str = "s 1795852941 coos 342 118 764 123 405 37 218 12500 1536 2048 331 998 117 871 64 402 48211 15872 20480 .\n";

#[test]
fn a_day_of_samples_every_10_s_is_less_than_2_mib() {
    const SAMPLES: usize = 24 * 360;
    let (read, _) = read(&(head() + BUSY));
    assert!(
        matches!(&read[..], [Entry::Sample(sample)] if sample.figure(Field::Swapping) == Some(20480))
    );
    let reason = verdict(
        Some(State::SelfLimited),
        "your own CPU quota of 1.5 CPUs held your vCPUs back for 41% of the last 60 s in which they wanted to run",
    );
    // Reasons of every resource at the highest rate at which they are recorded, which no host has
    // ever reached.
    let verdicts = RESOURCES.len() * 24 * 60 * reason.line().len();
    let day = SAMPLES * BUSY.len() + verdicts;
    assert!(day < 2 * 1024 * 1024, "{day}");
}

proptest! {
    #[test]
    fn any_text_is_read(text in "((#columns |s 1 |v |g |h |i |n )?[ -~]{0,40}( \\.)?\n){0,6}") {
        let _ = read(&text);
    }
}
