//! All of the administrator's statistics, for the code that answers guests.

mod answer;
mod fetch;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Bound;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hostinfo_catalog::Kind;
use hostinfo_file::aside::Patience;
use hostinfo_peer::Epoll;
use hostinfo_sample::Absent;
use hostinfo_wire::Value;
use rustix::fs::FileType;

use crate::account::Accounts;
use crate::counter::Counter;
use crate::definition::{Definition, Scope, Source, is_one_word};
use crate::directory::{self, Found};
use crate::failure::{NONE, NOT_YET};
use crate::limits::ANSWER_MARGIN;
use crate::output::{Output, number_value};
use crate::pool::Pool;
use crate::problem::Problem;
use crate::reads::Reads;
use crate::stored::Stored;

pub use answer::{Answer, NewValues};

/// The administrator's statistics and their values.
///
/// Never blocks: it is an `AsFd` that becomes readable when [`Custom::turn`] has something to do.
/// [`Custom::next_deadline`] gives a time at which to call that as well.
pub struct Custom {
    directory: PathBuf,
    owner: u32,
    pub(crate) statistics: BTreeMap<String, Statistic>,
    pool: Pool,
    reads: Reads,
    /// What [`Custom::turn`] has not reported yet, and when the newest of it arrived.
    new_values: Option<(Instant, NewValues)>,
    pub(crate) failures: u64,
    is_unread: bool,
}

/// A name, with the values for each guest, or for all guests together, and what each guest was
/// sent.
#[derive(Default)]
pub(crate) struct Statistic {
    /// `None` if it is no longer defined: its counters continue if it is defined again.
    pub(crate) definition: Option<Definition>,
    /// For each guest; under the empty name, for all guests together.
    pub(crate) values: HashMap<Box<str>, Stored>,
    /// What each guest was sent for it as a counter, under any definition.
    pub(crate) counters: HashMap<Box<str>, Counter>,
    /// What was waited for its files.
    patience: Patience,
}

impl Statistic {
    fn keeps(&self, guest: &str, now: Instant) -> bool {
        self.values.get(guest).zip(self.definition.as_ref()).is_some_and(|(stored, definition)| {
            stored.is_pending || stored.fresh(definition.every, now, now).is_some()
        })
    }
}

impl Custom {
    /// Reads a directory of definitions, which must belong to `owner` (always 0, except in tests).
    /// An error in it only affects the statistics in question. hostinfo-run listens at `socket`.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub fn load(directory: &Path, owner: u32, socket: &Path) -> io::Result<(Self, Vec<Problem>)> {
        let (pool, reads) = (Pool::new(socket)?, Reads::new()?);
        pool.wait_for(&reads)?;
        let mut custom = Self {
            directory: directory.to_owned(),
            owner,
            statistics: BTreeMap::new(),
            pool,
            reads,
            new_values: None,
            failures: 0,
            is_unread: false,
        };
        let problems = custom.read();
        Ok((custom, problems))
    }

    /// Waits with `epoll` from now on, and not as an `AsFd`. To be called before anything is asked for.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub fn wait_with(&mut self, epoll: Epoll) -> io::Result<()> {
        self.pool.wait_with(epoll);
        self.pool.wait_for(&self.reads)
    }

    /// Reads the directory again. Unchanged definitions keep their values; a run for anything else
    /// is killed. If [`Custom::is_unread`] is true afterwards, all is as it was.
    pub fn reload(&mut self, now: Instant) -> Vec<Problem> {
        let problems = self.read();
        // In the places of those that were killed.
        self.advance(now);
        problems
    }

    fn read(&mut self) -> Vec<Problem> {
        let Found { mut definitions, problems, is_passing, .. } =
            directory::read(&self.directory, self.owner, &Accounts::of_host());
        self.is_unread = is_passing;
        if is_passing {
            return problems;
        }
        for (name, statistic) in &mut self.statistics {
            let definition = definitions.remove(name);
            if statistic.definition != definition {
                self.pool.forget_statistic(name);
                statistic.values.clear();
                statistic.definition = definition;
            }
        }
        for (name, definition) in definitions {
            let statistic = Statistic { definition: Some(definition), ..Statistic::default() };
            self.statistics.insert(name, statistic);
        }
        problems
    }

    /// Whether the directory could not be read for a reason that passes by itself, so that it is to be read again soon: no
    /// descriptors or no memory were left.
    pub fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// The names with that beginning, in order, without `custom.`.
    pub fn names<'c>(&'c self, beginning: &'c str) -> impl Iterator<Item = &'c str> {
        self.statistics
            .range::<str, _>((Bound::Included(beginning), Bound::Unbounded))
            .take_while(move |(name, _)| name.starts_with(beginning))
            .filter_map(|(name, statistic)| statistic.definition.as_ref().map(|_| name.as_str()))
    }

    /// The statistic with that name, in lower case and without `custom.`.
    pub fn find(&self, name: &str) -> Option<&Definition> {
        self.statistics.get(name)?.definition.as_ref()
    }

    /// The value of a statistic for the guest with that socket name: one that is no older than the
    /// definition allows, or that was obtained since the query arrived at `asked`. A file is read
    /// right here, unless that takes long; a command is started or queued.
    ///
    /// No counter is kept for the empty name, which stands for any guest that does not exist.
    pub fn value(&mut self, name: &str, guest: &str, asked: Instant, now: Instant) -> Answer {
        let Some(definition) = self.find(name) else { return Answer::Ready(Err(NONE)) };
        let of = match definition.scope {
            Scope::Host => "",
            Scope::Guest if is_one_word(guest) => guest,
            Scope::Guest => return Answer::Ready(Err(NONE)),
        };
        let (every, until) = (definition.every, asked + definition.timeout + ANSWER_MARGIN);
        let fresh = |custom: &Self| {
            let (_, outcome) = custom.stored(name, of)?.fresh(every, asked, now)?;
            Some(outcome.clone())
        };
        let mut outcome = fresh(self);
        if outcome.is_none() {
            self.fetch(name, of, guest, now);
            outcome = fresh(self);
        }
        match outcome {
            Some(Ok(output)) => Answer::Ready(self.tell(name, guest, output)),
            Some(Err(absent)) => Answer::Ready(Err(absent)),
            None if now < until
                && self.stored(name, of).is_some_and(|stored| stored.is_pending) =>
            {
                Answer::Pending { until }
            }
            None => Answer::Ready(Err(NOT_YET)),
        }
    }

    /// The value to send to a guest for an output. Its counter continues from what the guest was
    /// sent before, even if that came from another definition or was shared by all guests.
    fn tell(&mut self, name: &str, guest: &str, had: Output) -> Result<Value<'static>, Absent> {
        let statistic = self.statistics.get_mut(name).ok_or(NONE)?;
        let kind = statistic.definition.as_ref().map(|definition| definition.about.kind);
        let value = match had {
            Output::Text(text) => Some(Value::text(text)),
            Output::Number(number) if kind == Some(Kind::Counter) => match guest {
                "" => Counter::default().raise(number),
                _ => statistic.counters.entry(guest.into()).or_default().raise(number),
            },
            Output::Number(number) => number_value(number),
        };
        value.ok_or(NONE)
    }

    /// Handles reads and runs that have ended, and starts the next ones. Returns what has arrived since the
    /// last call: guests that wait for it should be answered by asking again.
    pub fn turn(&mut self, now: Instant) -> NewValues {
        self.advance(now);
        self.new_values.take().map(|(_, new_values)| new_values).unwrap_or_default()
    }

    /// When to call [`Custom::turn`] even though nothing is readable.
    pub fn next_deadline(&self) -> Option<Instant> {
        let new_values = self.new_values.as_ref().map(|(came, _)| *came);
        let deadlines = [new_values, self.pool.next_deadline(), self.reads.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Drops everything stored for a guest that is gone. Not, and returns false, while it has a value of its own that is
    /// still to be kept, or a run is queued for which it asked: a guest that comes back has no command run more often than
    /// its `every`.
    pub fn forget(&mut self, guest: &str, now: Instant) -> bool {
        let is_kept = self.pool.queues_for(guest)
            || self.statistics.values().any(|statistic| statistic.keeps(guest, now));
        if !is_kept {
            self.pool.forget(guest);
            for statistic in self.statistics.values_mut() {
                statistic.values.remove(guest);
                statistic.counters.remove(guest);
            }
            self.advance(now);
        }
        !is_kept
    }

    /// Ends all runs, as if another program took this one's place: whoever waits for one asks again, and has another begun.
    pub fn end_runs(&mut self, now: Instant) {
        self.pool.end_all().into_iter().for_each(|key| self.give_up(key, now));
    }

    /// Statistics whose last attempt gave no value: the name, the guest (empty if all guests share
    /// the value), and the reason.
    pub fn absent(&self) -> impl Iterator<Item = (&str, &str, &Absent)> {
        self.statistics.iter().flat_map(|(name, statistic)| {
            statistic.values.iter().filter_map(|(guest, stored)| {
                stored.absent().map(|absent| (name.as_str(), guest.as_ref(), absent))
            })
        })
    }

    /// Why no command is run, if there are any and hostinfo-run does not listen.
    pub fn without_runner(&self) -> Option<String> {
        let mut definitions = self.statistics.values().filter_map(|one| one.definition.as_ref());
        let socket = self.pool.socket();
        let has_commands = definitions.any(|one| matches!(one.source, Source::Command(_)));
        let is_missing = has_commands && !is_socket(socket);
        is_missing.then(|| {
            format!(
                "no command of a statistic is run, since hostinfo-run does not listen at {}: \
                 systemctl start hostinfo-run.socket",
                socket.display()
            )
        })
    }

    /// How many runs and file reads gave no value.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    fn stored(&self, name: &str, guest: &str) -> Option<&Stored> {
        self.statistics.get(name)?.values.get(guest)
    }
}

fn is_socket(path: &Path) -> bool {
    rustix::fs::stat(path)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Socket)
}

impl AsFd for Custom {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pool.as_fd()
    }
}
