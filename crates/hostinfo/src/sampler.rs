//! Takes samples at their times, and asks the host in a thread of its own meanwhile: this guest is observed also while
//! its host does not answer.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Options;
use crate::host::Host;
use crate::recorder::{Answer, Recorder};
use crate::recording::Entry;

/// The shortest first sample. The first answer comes milliseconds after the first look at this guest, and the kernel
/// counts CPU time in steps of up to 10 ms.
const FIRST_LEAST: Duration = Duration::from_millis(500);

/// Samples, one after the other.
pub(crate) struct Sampler {
    pub(crate) recorder: Recorder,
    /// Both hold one at most: there is no other question before the answer.
    questions: SyncSender<()>,
    answers: Receiver<Answer>,
    /// As in [`Sampler::asked`].
    asked: Option<Instant>,
}

impl Sampler {
    pub(crate) fn start(recorder: Recorder, options: &Options) -> Self {
        let (questions, asked) = sync_channel(1);
        let (answered, answers) = sync_channel(1);
        // A sample does not wait for a host that may not be asked yet.
        let options = options.impatient();
        thread::spawn(move || {
            let mut host = Host::new(&options);
            for () in asked {
                let answer = Answer::of(&mut host);
                // Meanwhile others may want to use the port.
                host.let_go();
                if answered.send(answer).is_err() {
                    return;
                }
            }
        });
        Self { recorder, questions, answers, asked: None }
    }

    /// Asks the host if it is time.
    pub(crate) fn ask(&mut self) {
        let now = Instant::now();
        if self.asked.is_none() && self.recorder.is_due(now) {
            self.asked = self.questions.try_send(()).ok().map(|()| now);
        }
    }

    /// When the host was asked, if it has not answered yet.
    pub(crate) fn asked(&self) -> Option<Instant> {
        self.asked
    }

    /// Takes a sample, and collects news: once the host has answered, or at `until` without its answer.
    pub(crate) fn turn(&mut self, until: Instant) -> Vec<Entry> {
        let start = Instant::now();
        let is_first = self.recorder.begin(start);
        let answer = self
            .asked
            .and_then(|_| self.answers.recv_timeout(until.saturating_duration_since(start)).ok());
        if answer.is_some() {
            self.asked = None;
        }
        let time = jiff::Timestamp::now().as_second();
        let mut entries = self.recorder.take(answer, time, Instant::now());
        if is_first && start.elapsed() < FIRST_LEAST {
            entries.retain(|entry| !matches!(entry, Entry::Sample(_)));
        }
        entries
    }
}
