//! Reads a recording into the data for a report.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read};

use hostinfo_file::in_words;
use hostinfo_wire::text::printable;

use crate::recording::{Begin, Entry, LINE_MAX, Reader, Sample, is_same_incident};
use crate::verdict::{RESOURCES, State};

/// The most entries: two months of samples every 10 s, which take 90 MB; reasons take at most 200 MB.
const ENTRIES_MAX: usize = 1 << 19;

/// The recorded data, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) samples: Vec<Sample>,
    /// What the hosts called the guest, each once.
    pub(crate) guests: Vec<String>,
    /// The hosts that the guest was on, each once.
    pub(crate) hosts: Vec<String>,
    /// The incidents that the hosts reported, each once; for an ongoing one, the newest text.
    pub(crate) incidents: Vec<String>,
    pub(crate) reasons: Vec<Reason>,
    /// The newest reason why the host did not answer.
    pub(crate) silence: Option<String>,
    /// The number of unintelligible lines.
    pub(crate) damaged: usize,
}

/// The reason of a verdict, or why there was none.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) time: i64,
    pub(crate) resource: &'static str,
    pub(crate) state: Option<State>,
    pub(crate) words: String,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is not a recording made by hostinfo record")]
    NotOurs,
    #[error(
        "it was recorded by a newer hostinfo, in a format that this version does not know: report on it with the \
         newer one"
    )]
    Newer,
    #[error("it holds no sample: it was cut off, or has only begun")]
    Empty,
    #[error("it has more than {ENTRIES_MAX} lines; keep the first two, and as many of the last")]
    TooLong,
    #[error("{}", in_words(.0))]
    Io(#[from] std::io::Error),
}

impl Recording {
    /// Reads all of it. The input need not be trusted.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) fn read(source: impl Read) -> Result<Self, Unreadable> {
        let (mut recording, mut reader) = (Self::default(), Reader::default());
        let mut source = BufReader::new(source);
        let (mut line, mut seen, mut entries) = (Vec::new(), BTreeSet::new(), 0);
        while (&mut source).take(LINE_MAX as u64).read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            let entry = reader.read(&text);
            let is_text = std::str::from_utf8(&line).is_ok();
            let entry = entry.filter(|entry| {
                let is_whole = is_text && is_of_a_resource(entry);
                recording.damaged += usize::from(!is_whole);
                is_whole
            });
            line.clear();
            // If it is not a recording, it is not read to its end.
            match reader.begin() {
                Begin::Recording => {}
                Begin::Newer => return Err(Unreadable::Newer),
                Begin::Foreign => return Err(Unreadable::NotOurs),
            }
            entries += usize::from(entry.is_some());
            if entries > ENTRIES_MAX {
                return Err(Unreadable::TooLong);
            }
            recording.extend(entry, &mut seen);
        }
        recording.damaged += reader.damaged();
        if recording.samples.is_empty() {
            return Err(Unreadable::Empty);
        }
        // If the clock was set back, later samples have earlier times.
        recording.samples.sort_by_key(|sample| sample.time);
        Ok(recording)
    }

    fn extend(&mut self, entry: Option<Entry>, seen: &mut BTreeSet<String>) {
        let line = |text: String| printable(text.into()).into_owned();
        match entry {
            Some(Entry::Sample(sample)) => self.samples.push(sample),
            Some(Entry::Guest { guest: name, .. } | Entry::Host { host: name, .. })
                if name.is_empty() || !seen.insert(name.clone()) => {}
            Some(Entry::Guest { guest, .. }) => self.guests.push(line(guest)),
            Some(Entry::Host { host, .. }) => self.hosts.push(line(host)),
            Some(Entry::Incident { incident, .. }) => {
                let incident = line(incident);
                match self.incidents.last_mut() {
                    Some(last) if is_same_incident(last, &incident) => *last = incident,
                    _ => self.incidents.push(incident),
                }
            }
            Some(Entry::Verdict { time, resource, state, reason }) => {
                let known = RESOURCES.into_iter().find(|known| *known == resource);
                self.reasons.extend(known.map(|resource| {
                    let words = line(reason);
                    Reason { time, resource, state, words }
                }));
            }
            Some(Entry::Silence { why, .. }) => self.silence = Some(line(why)),
            None => {}
        }
    }

    /// The newest reason why a resource was unknown, or had no verdict.
    pub(crate) fn why_unknown(&self, resource: &str) -> Option<&Reason> {
        let is_unknown = |reason: &&Reason| {
            matches!(reason.state, None | Some(State::Unknown)) && !reason.words.is_empty()
        };
        let mut of_it = self.reasons.iter().rev().filter(|reason| reason.resource == resource);
        of_it.find(is_unknown)
    }

    /// Why there was no verdict, the last time the host said so.
    pub(crate) fn without_verdict(&self) -> Option<&str> {
        let reason = self.reasons.iter().rev().find(|reason| reason.state.is_none());
        reason.map(|reason| reason.words.as_str())
    }
}

/// Whether a verdict is on something on which there are verdicts.
fn is_of_a_resource(entry: &Entry) -> bool {
    match entry {
        Entry::Verdict { resource, .. } => RESOURCES.contains(&resource.as_str()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{HEAD, Heard, head};
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Recording, Unreadable> {
        Recording::read(text.as_bytes())
    }

    fn sample(time: i64) -> String {
        Entry::Sample(Sample::at(time, Heard::TooSoon)).line()
    }

    #[test]
    fn foreign_newer_and_empty_files_are_told_apart() {
        for other in ["a,b\n", "\n", "\u{1b}\0\n"] {
            assert!(matches!(read(other), Err(Unreadable::NotOurs)), "{other:?}");
        }
        for newer in ["#hostinfo-recording 2\n".to_owned(), head() + "#hostinfo-recording 2\n"] {
            assert!(matches!(read(&newer), Err(Unreadable::Newer)), "{newer:?}");
        }
        for cut in ["", "#hostinfo-rec", HEAD, &head()] {
            assert!(matches!(read(cut), Err(Unreadable::Empty)), "{cut:?}");
        }
        let endless = "x".repeat(1 << 20);
        assert!(matches!(read(&endless), Err(Unreadable::NotOurs)));
    }

    #[test]
    fn a_recording_has_a_bound() {
        let text = head() + &sample(1).repeat(ENTRIES_MAX);
        assert_eq!(read(&text).unwrap().samples.len(), ENTRIES_MAX);
        assert!(matches!(read(&(text + &sample(1))), Err(Unreadable::TooLong)));
    }

    #[test]
    fn samples_are_in_the_order_of_time_and_lines_without_end_are_damage() {
        let text = head() + &sample(20) + &"x".repeat(3 * LINE_MAX) + "\n" + &sample(10);
        let recording = read(&text).unwrap();
        let times: Vec<i64> = recording.samples.iter().map(|sample| sample.time).collect();
        assert_eq!((times, recording.damaged), (vec![10, 20], 3));
    }

    #[test]
    fn a_line_that_was_damaged_is_counted_whatever_was_damaged_in_it() {
        let verdict = "v 2 cpu contended 34% waited .\n";
        for damaged in [
            verdict.replace("cpu", "cqu").into_bytes(),
            verdict.replace("contended", "cont").into_bytes(),
            verdict.bytes().map(|byte| if byte == b'%' { 0xff } else { byte }).collect(),
            sample(2).replace(" later", " la\0er").into_bytes(),
        ] {
            let text =
                [(head() + &sample(1)).into_bytes(), damaged, sample(3).into_bytes()].concat();
            let recording = Recording::read(text.as_slice()).unwrap();
            assert_eq!((recording.samples.len(), recording.damaged), (2, 1));
            assert!(recording.reasons.is_empty());
        }
    }

    #[test]
    fn an_incident_that_goes_on_is_one_and_hosts_are_told_once() {
        let incident = |incident: &str| Entry::Incident { time: 1, incident: incident.to_owned() };
        let host = |host: &str| Entry::Host { time: 1, host: host.to_owned() };
        let entries = [
            incident("cpu contended from 10:02Z to now: 3%"),
            incident("cpu contended from 10:02Z to 10:05Z: 34%"),
            incident("io contended from 11:02Z to now: 3%"),
            host("a"),
            host("b\u{202e}"),
            host("a"),
            Entry::Guest { time: 1, guest: "web1".to_owned() },
            Entry::Guest { time: 9, guest: "web1".to_owned() },
        ];
        let text = head() + &sample(1) + &entries.map(|entry| entry.line()).concat();
        let recording = read(&text).unwrap();
        assert_eq!(recording.incidents.len(), 2);
        assert!(recording.incidents[0].ends_with("34%"));
        assert_eq!(recording.hosts, ["a", "b"]);
        assert_eq!(recording.guests, ["web1"]);
    }

    proptest! {
        #[test]
        fn a_recording_that_was_cut_anywhere_is_read(cut in 0usize..2000) {
            let whole = head() + &(0..20).map(sample).collect::<String>();
            let cut = cut.min(whole.len());
            match read(whole.split_at(cut).0) {
                Ok(recording) => prop_assert!(recording.samples.len() <= 20),
                Err(Unreadable::Empty) => prop_assert!(cut < head().len() + sample(0).len()),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}
