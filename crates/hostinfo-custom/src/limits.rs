//! Every limit on what definitions may contain, and on what guests can make the host run through
//! them.

use std::time::Duration;

use hostinfo_wire::limits::{INTERVAL_MAX, SAMPLE_GRID};

/// The largest file of definitions: some 400 of 160 bytes.
pub const FILE_MAX: u64 = 64 * 1024;

/// The most files read from the directory. With `FILE_MAX`, they take at most 16 MiB.
pub const FILES_MAX: usize = 256;

/// The most problems reported for one file: a file with more is not a file of definitions.
pub const PROBLEMS_MAX: usize = 20;

/// The longest name after `custom.`: nine such names fit into a request line.
pub const NAME_MAX: usize = 100;

/// The longest help text; a line of `list` stays readable.
pub const HELP_MAX: usize = 200;

/// How long a value or a failure is kept, unless the definition says otherwise.
pub const EVERY_DEFAULT: Duration = Duration::from_secs(10);

/// The shortest time that a value is kept. A command costs a process and some milliseconds.
pub const EVERY_MIN: Duration = Duration::from_secs(1);

/// The longest time that a value is kept.
pub const EVERY_MAX: Duration = INTERVAL_MAX;

/// How long a command may run, unless the definition says otherwise. vhostmd's clients wait 5 s
/// for an answer.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

/// The shortest deadline that a command can be given.
pub const TIMEOUT_MIN: Duration = SAMPLE_GRID;

/// The longest deadline: a guest's reply is held back that long, and [`ANSWER_MARGIN`].
pub const TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// The longest whole name of a guest: a driver of 64 bytes, a hyphen, and a name of 255, as `hostinfo-open` has them.
/// Whoever previews can choose one, and a rule's pattern takes up to as many steps for each of its parts.
pub const GUEST_MAX: usize = 320;

/// How much later than a command's deadline hostinfo-run's answer may come. It takes some milliseconds, and some
/// tenths of a second where systemd has to start hostinfo-run first. With [`TIMEOUT_DEFAULT`] it is less than the 5 s
/// of vhostmd's clients.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(2);

/// How long a connection to hostinfo-run may last before it has said what to run: hostinfod says it at once.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(2);

/// If there is nothing to do for so long, hostinfo-run ends: systemd starts it again when it is needed. Longer than
/// most statistics are kept, so that it is not started for each run.
pub const IDLE: Duration = Duration::from_secs(60);

/// Connections to hostinfo-run that are still being closed, since descriptors were sent over them, before it accepts no
/// others: each is an open file, of which it has 1,024 (`LimitNOFILE=`).
pub const UNCLOSED_MAX: usize = 16;

/// Commands that run at once: hostinfod asks for no more, and hostinfo-run accepts no more.
pub const RUNS_MAX: usize = 4;

/// How long hostinfo-run waits for a command to be started, and for what it has printed, before it serves others meanwhile:
/// some 30 times what it takes.
pub const PATIENCE: Duration = SAMPLE_GRID;

/// Commands that nobody waits for any more while they are still being started, or what they have printed is being read, each
/// with at most two threads and a process: three quarters of what hostinfo-run's unit permits (`TasksMax=`). Past that no
/// other is started.
pub const STUCK_MAX: usize = 32;

/// How many of them may be of one guest, so that none has all places.
pub const OWN_RUNS_MAX: usize = RUNS_MAX - 1;

/// How many of them may be for what had to be killed the last time, and how many for what had to be killed for another
/// guest: a command may hang because of one guest, or of the host. They leave two places to all others.
pub const HUNG_RUNS_MAX: usize = 1;

/// Queued runs, one for each statistic and guest: at 10 ms a run and four at a time, 10 s of work.
/// With its statistic's name and those of its guest and of [`ASKERS_MAX`] others, one takes at most 1,060 bytes of names:
/// 4.3 MB together.
pub const QUEUE_MAX: usize = 4096;

/// Guests whose turns a queued run comes with, of all that ask for it: two, as only one of them can have [`OWN_RUNS_MAX`] in
/// progress.
pub const ASKERS_MAX: usize = 2;

/// The most bytes of a file or of a command's output. Every pipe holds a page, so no command waits for its reader
/// before it has printed too much.
pub const OUTPUT_MAX: usize = 4096;

/// The longest text of an info, in bytes: it becomes one line of a reply.
pub const TEXT_MAX: usize = 1000;

/// The most bytes of output and errors that are shown to the administrator.
pub const EXCERPT_MAX: usize = 200;

/// How often to check whether a command has ended if the kernel does not report it (before Linux
/// 5.3).
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How many looks for what commands have left behind follow the end of a run: one kills what it finds, and what that had
/// started is found by the next. The unit permits 128 processes (`TasksMax=`), so no chain of them is longer. After three
/// seconds only processes that hang in the kernel are left, or some that start others faster than they are killed.
pub const LOOKS_FOR_STRAYS: u32 = 150;

/// The shortest time between two log lines about one statistic of one guest, so that a command that
/// fails every other time does not fill the log. And between two of hostinfo-run's about users whom it does not serve.
pub const LOG_EVERY: Duration = Duration::from_secs(60);
