//! Runs a program for what it prints, within bounds of time and length.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// systemctl and journalctl answer within a second, unless the service manager hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Some 10,000 messages of the journal.
const OUTPUT_MAX: u64 = 8 * 1024 * 1024;

/// How often it is looked whether the program has ended.
const STEP: Duration = Duration::from_millis(5);

/// What a program printed.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// It may have printed more than `stdout`.
    pub(crate) is_cut: bool,
}

/// Why there is nothing that it printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRun {
    #[error("it is not installed")]
    Missing,
    #[error("it cannot be run: {0}")]
    Failed(std::io::Error),
    #[error("it did not end within {} s", .0.as_secs())]
    Silent(Duration),
}

/// Runs it for [`DEADLINE`] at the most, with these arguments, in the C locale and without input.
///
/// # Errors
/// [`NotRun`]. A program that does not end is killed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<Ran, NotRun> {
    run_within(DEADLINE, program, arguments)
}

/// The same for a time of its own.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_within(
    deadline: Duration,
    program: &str,
    arguments: &[&str],
) -> Result<Ran, NotRun> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(
        |error| match error.kind() {
            std::io::ErrorKind::NotFound => NotRun::Missing,
            _ => NotRun::Failed(error),
        },
    )?;
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let until = Instant::now() + deadline;
    let status = loop {
        match child.try_wait().map_err(NotRun::Failed)? {
            // What it has started may still print.
            Some(status) if stdout.is_finished() && stderr.is_finished() => break status.code(),
            _ if Instant::now() < until => sleep(STEP),
            _ => {
                // It only fails if the program has ended by now.
                let _ = child.kill();
                let _ = child.wait();
                return Err(NotRun::Silent(deadline));
            }
        }
    };
    let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().unwrap_or_default());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let is_cut = stdout.len() as u64 == OUTPUT_MAX;
    Ok(Ran { status, stdout: text(stdout), stderr: text(stderr), is_cut })
}

/// Reads to the end, or to the bound: then a program that goes on writing gets a signal for it.
fn reader(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What was read before a failure counts.
            let _ = stream.take(OUTPUT_MAX).read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_output_comes_with_its_status_and_within_a_bound() {
        let ran = run("sh", &["-c", "echo out; echo err >&2; exit 3"]).unwrap();
        assert_eq!((ran.status, &*ran.stdout, &*ran.stderr), (Some(3), "out\n", "err\n"));
        assert!(!ran.is_cut);
        let ran = run("sh", &["-c", "yes"]).unwrap();
        assert!(ran.is_cut && ran.stdout.len() as u64 == OUTPUT_MAX);
        assert!(matches!(run("hostinfo-no-such-program", &[]), Err(NotRun::Missing)));
    }

    #[test]
    fn neither_a_program_that_does_not_end_nor_one_that_it_has_started_is_waited_for() {
        for script in ["sleep 1000", "sleep 1000 & echo out"] {
            let short = Duration::from_millis(300);
            let silent = run_within(short, "sh", &["-c", script]);
            assert!(matches!(silent, Err(NotRun::Silent(_))), "{script}: {silent:?}");
        }
    }
}
