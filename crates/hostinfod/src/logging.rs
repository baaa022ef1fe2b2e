//! The log: which lines are written, and where to.

mod escaped;
mod journal;
mod left_out;
mod stderr;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Context as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, reload};

use crate::logging::escaped::Escaped;
use crate::logging::journal::Journal;
use crate::logging::left_out::LeftOut;
use crate::settings::log::{Level, Log, Output};
use crate::system::file_error::FileError;

/// Controls the running log.
pub(crate) struct Logging {
    filter: reload::Handle<Targets, Registry>,
    file: Option<LogFile>,
    /// Lines that were left out because they could not be written.
    left_out: LeftOut,
    /// How many of them have been logged.
    told: u64,
}

impl Logging {
    /// Starts this process's log as the settings say.
    ///
    /// # Errors
    /// The file cannot be opened, or journald does not listen.
    pub(crate) fn start(log: &Log) -> anyhow::Result<Self> {
        let (filter, handle) = reload::Layer::new(targets(log));
        let (mut file, left_out) = (None, LeftOut::default());
        let stderr = || Mutex::new(stderr::Lines::of_stderr(left_out.clone()));
        let layer = match log.output {
            Output::Stderr if std::env::var_os("JOURNAL_STREAM").is_some() => {
                Escaped(lines(stderr()).without_time()).boxed()
            }
            Output::Stderr => Escaped(lines(stderr())).boxed(),
            Output::Journald => {
                let journal = Journal::at(Path::new(journal::SOCKET), left_out.clone())
                    .context("[log] output: journald does not listen")?;
                Escaped(journal).boxed()
            }
            Output::File => {
                let opened = LogFile::open(&log.file)
                    .map_err(FileError::of(&log.file))
                    .context("[log] file")?;
                file = Some(opened.clone());
                Escaped(lines(opened)).boxed()
            }
        };
        tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()?;
        Ok(Self { filter: handle, file, left_out, told: 0 })
    }

    /// A log that nothing is written to.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let (_, filter) = reload::Layer::new(targets(&Log::default()));
        Self { filter, file: None, left_out: LeftOut::default(), told: 0 }
    }

    /// Logs how many lines were left out, as soon as lines can be written again.
    pub(crate) fn tell_left_out(&mut self) {
        self.left_out.tell(&mut self.told, |count| {
            tracing::warn!("{count} log lines were dropped: whoever reads the log did not keep up");
        });
    }

    /// Counts on from what another program left out.
    pub(crate) fn count_on_from(&mut self, left_out: u64) {
        self.left_out.add(left_out);
        self.told = self.told.saturating_add(left_out);
    }

    /// How many lines were left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.so_far()
    }

    /// Applies new levels and reopens the file, which may have been moved by logrotate.
    pub(crate) fn reload(&self, log: &Log) {
        if self.filter.reload(targets(log)).is_err() {
            tracing::error!("the log's level stays as it was");
        }
        if let Some(file) = &self.file
            && let Err(error) = file.reopen()
        {
            let error = FileError::of(&file.path)(error);
            tracing::error!("logging continues to the old file: {error}");
        }
    }
}

fn lines<W>(
    to: W,
) -> tracing_subscriber::fmt::Layer<
    Registry,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    W,
>
where
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt::layer().with_ansi(false).with_writer(to)
}

fn targets(log: &Log) -> Targets {
    log.filters
        .iter()
        .fold(Targets::new().with_default(filter(log.level)), |targets, (module, level)| {
            targets.with_target(module.as_str(), filter(*level))
        })
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// A file that can be reopened while lines are written to it.
#[derive(Clone)]
struct LogFile {
    path: PathBuf,
    opened: Arc<RwLock<Arc<File>>>,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let opened = Arc::new(RwLock::new(Arc::new(append_to(path)?)));
        Ok(Self { path: path.into(), opened })
    }

    fn reopen(&self) -> io::Result<()> {
        let file = Arc::new(append_to(&self.path)?);
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for LogFile {
    type Writer = Arc<File>;

    fn make_writer(&'w self) -> Arc<File> {
        Arc::clone(&self.opened.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Opens only regular files: with a pipe or a device, every line might block.
fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    Ok(hostinfo_file::open(path, options.append(true).create(true).mode(0o640))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write as _;

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = LogFile::open(&path).unwrap();
        writeln!(file.make_writer(), "one").unwrap();
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        file.reopen().unwrap();
        writeln!(file.make_writer(), "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn a_module_may_have_a_level_of_its_own() {
        let log = Log {
            level: Level::Warn,
            filters: [("hostinfod::server".to_owned(), Level::Debug)].into(),
            ..Log::default()
        };
        let targets = targets(&log);
        assert!(targets.would_enable("hostinfod::server", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("hostinfod::engine", &tracing::Level::INFO));
    }
}
