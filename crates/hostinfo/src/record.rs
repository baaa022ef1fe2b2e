//! `record`: both views of this guest, again and again, into a file.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::args::{Format, Options, Record};
use crate::exit::{Failure, Outcome, complain};
use crate::recorder::Recorder;
use crate::recording::{Begin, Entry, HEAD, joint};
use crate::sampler::Sampler;
use crate::system::{WHY_NO_OWN_VIEW, on_end_by_signal, open_to_append, own_roots};
use crate::units::{self, counted};

/// The default time between samples.
const EVERY: Duration = Duration::from_secs(10);

/// The recording as far as it is written.
struct Written {
    file: File,
    samples: usize,
}

impl Written {
    fn add(&mut self, entries: &[Entry]) -> io::Result<()> {
        let lines: String = entries.iter().map(Entry::line).collect();
        self.file.write_all(lines.as_bytes())?;
        self.samples += entries.iter().filter(|entry| matches!(entry, Entry::Sample(_))).count();
        Ok(())
    }
}

/// Records until it is ended, or for as long as is wanted.
///
/// # Errors
/// [`Failure`]: the file cannot be written, or is not a recording. A host that does not answer is
/// not a failure: what the guest sees of itself is still recorded.
pub(crate) fn run(options: &Options, record: &Record) -> Result<Outcome, Failure> {
    if options.format() != Format::Text || options.output.is_some() {
        let why = "record writes to its FILE alone: leave out --output, --json and --format";
        return Err(Failure::Usage(why.to_owned()));
    }
    let path = record.file.as_path();
    let failed = |why| Failure::File { path: path.to_owned(), why };
    let written = Arc::new(Mutex::new(Written { file: open(path).map_err(failed)?, samples: 0 }));
    let every = options.every.unwrap_or(EVERY);
    if io::stderr().is_terminal() {
        complain(begin(path, every, record.time));
        WHY_NO_OWN_VIEW.iter().for_each(complain);
    }
    let (until_now, file) = (Arc::clone(&written), record.file.clone());
    on_end_by_signal(move || {
        // A terminal has shown `^C` where the line begins.
        if io::stderr().is_terminal() {
            let _ = writeln!(io::stderr());
        }
        complain(end(&file, lock(&until_now).samples));
    })?;
    let mut sampler = Sampler::start(Recorder::new(own_roots()), options);
    let (begin, mut told) = (Instant::now(), String::new());
    loop {
        let start = Instant::now();
        sampler.ask();
        let entries = sampler.turn(start + every);
        lock(&written).add(&entries).map_err(failed)?;
        let notice = notice(&entries, &sampler.recorder, every);
        if let Some(notice) = notice.filter(|notice| *notice != told) {
            complain(&notice);
            told = notice;
        }
        let left = record.time.map(|time| time.saturating_sub(begin.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            complain(end(path, lock(&written).samples));
            return Ok(Outcome::Complete);
        }
        let wait = every.saturating_sub(start.elapsed());
        std::thread::sleep(left.map_or(wait, |left| left.min(wait)));
    }
}

fn lock(written: &Mutex<Written>) -> MutexGuard<'_, Written> {
    written.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin(file: &Path, every: Duration, time: Option<Duration>) -> String {
    let end = match time {
        Some(time) => format!("for {}", units::duration(time)),
        None => "until Ctrl-C".to_owned(),
    };
    let file = file.display();
    let every = units::duration(every);
    format!("recording every {every}, {end}. Then:\n  hostinfo report {file} > report.html")
}

/// What was recorded, and what to do with it.
fn end(file: &Path, samples: usize) -> String {
    let file = file.display();
    if samples == 0 {
        return format!("no sample in {file} yet: record for longer than --every");
    }
    let samples = counted(samples, "sample");
    format!("{samples} in {file}. Next: hostinfo report {file} --text")
}

/// Anything that prevents the recording from containing what was asked for.
fn notice(entries: &[Entry], recorder: &Recorder, every: Duration) -> Option<String> {
    let is_silent = entries.iter().any(|entry| matches!(entry, Entry::Silence { .. }));
    let has_own_view = WHY_NO_OWN_VIEW.is_none();
    if is_silent {
        let why = recorder.silence();
        let besides = "; this guest's own view is recorded all the same";
        return Some(format!("{why}{}", if has_own_view { besides } else { "" }));
    }
    let interval = recorder.interval().filter(|interval| *interval > every)?;
    let mut notice = format!(
        "this guest may ask its host only every {}: what the host says is recorded that often",
        units::duration(interval)
    );
    if has_own_view {
        let every = units::duration(every);
        notice += &format!(", and what this guest sees of itself every {every}");
    }
    Some(notice)
}

/// Opens a recording to append to it, or creates one.
///
/// # Errors
/// It cannot be opened, is not a recording, or is being written to. It is left unchanged then.
fn open(path: &Path) -> io::Result<File> {
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    // Opening a FIFO or a device may block, or have side effects.
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return refused("it is not a file: name another");
    }
    let Some(mut file) = open_to_append(path)? else {
        return refused("another hostinfo record writes to it: name another file");
    };
    let mut begin = Vec::new();
    (&mut file).take(HEAD.len() as u64).read_to_end(&mut begin)?;
    match Begin::of(&begin) {
        Begin::Recording => {}
        Begin::Newer => {
            return refused(
                "it was recorded by a newer hostinfo, and was left as it is: name another file",
            );
        }
        Begin::Foreign => {
            return refused("it is not a recording, and was left as it is: name another file");
        }
    }
    let mut last = [b'\n'];
    if !begin.is_empty() {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    file.write_all(joint(&begin, last == *b"\n").as_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::head;

    #[test]
    fn a_recording_that_was_cut_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let sample = "s 1 silent .\n";
        for (before, then) in [
            (String::new(), head()),
            ("#hostinfo-rec".to_owned(), head()),
            (format!("{HEAD}#colu"), format!("{HEAD}#colu\n{}", head())),
            (head() + sample, head() + sample + &head()),
            (head() + "s 1 si", format!("{}s 1 si\n{}", head(), head())),
        ] {
            fs::write(&path, before).unwrap();
            open(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), then);
        }
    }

    #[test]
    fn a_file_that_is_no_recording_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        for other in ["time,value\n", "#!", "\0"] {
            fs::write(&path, other).unwrap();
            assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
        let newer = "#hostinfo-recording 2\n";
        fs::write(&path, newer).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("by a newer hostinfo"));
        assert_eq!(fs::read_to_string(&path).unwrap(), newer);
        for other in [folder.path(), Path::new("/dev/null")] {
            assert_eq!(open(other).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn the_end_says_what_there_is_and_what_to_do_with_it() {
        let end_of = |samples| end(Path::new("slow.rec"), samples);
        assert_eq!(end_of(6), "6 samples in slow.rec. Next: hostinfo report slow.rec --text");
        assert!(end_of(1).starts_with("1 sample in "));
        assert_eq!(end_of(0), "no sample in slow.rec yet: record for longer than --every");
    }

    #[test]
    fn two_do_not_record_into_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let first = open(&path).unwrap();
        let told = open(&path).unwrap_err().to_string();
        assert!(told.starts_with("another hostinfo record"), "{told}");
        drop(first);
        open(&path).unwrap();
    }
}
