//! Every limit on what a guest can make its host hold, do or wait for, with its arithmetic.
//!
//! The most that one guest can cost, with two ports (serial port and vhostmd channel) and the [`CONNECTIONS_MAX`]
//! connections that it may make itself: 10 x (`LINE_MAX` for the line that has come in part, `LINE_MAX` for the one
//! that waits, `READ_CHUNK` behind that, `REPLY_MAX` unread) = 10 x (1,024 + 1,024 + 4,096 + 262,144) bytes =
//! 2.6 MiB, and only while it refuses to read. A guest that has the ports alone is limited to a fifth, 524 KiB.

use std::time::Duration;

/// The longest request line, without its line end. A `get` of 40 statistics by their full names fits; a single
/// statistic or group never needs more.
pub const LINE_MAX: usize = 1024;

/// The longest reply, including line ends: 2.6 s on a serial port at 100 KB/s. Every statistic of a guest with
/// 256 vCPUs, 32 disks and 8 interfaces, as OpenMetrics, is some 1,600 lines of 66 bytes: 105 KiB.
pub const REPLY_MAX: usize = 256 * 1024;

/// The longest token that `ping` returns.
pub const TOKEN_MAX: usize = 64;

/// How many lines of nonsense in a row are answered before the host falls silent: enough for a person who
/// mistypes, but far too few for a `getty` and a login prompt to keep talking.
pub const NONSENSE_MAX: u32 = 5;

/// What a line of nonsense that is dropped silently costs in bytes, in addition to its own: in a flood of the
/// shortest lines, the daemon looks at no more than 262,144 lines at first ([`BYTE_BURST`] / 16) and 4,096 lines a
/// second after that, which takes 0.2 s and 0.3 % of a CPU. For a boot log, whose lines are longer than 16 bytes,
/// this cost matters little.
pub const NONSENSE_COST: u32 = 16;

/// Bytes read from a guest's connection at a time. If a guest's lines have to wait, the daemon holds at most
/// this much; the rest waits in the kernel and in QEMU.
pub const READ_CHUNK: usize = 4096;

/// What reading costs in bytes each time, in addition to what was read, and what writing more of a reply that the guest
/// has not read costs: a guest that sends or takes its bytes one at a time wakes the daemon for each. So it is woken
/// 246,723 times at most at first ([`BYTE_BURST`] / 17) and 3,855 times a second after that, at 4 us each: 1 s, and 1.5
/// % of a CPU. A serial port, whose bytes come one at a time as well, has room for a boot log of 240 KB at once, and
/// for four times as much as 20 lines a second of 48 bytes.
pub const CALL_COST: u32 = 16;

/// Units of work after which a guest's turn is over and others get theirs. A unit is what it takes to process
/// one line, one name in it or one value: 0.3 to 0.5 us. Work that was begun is finished: a line of
/// [`LINE_MAX`] bytes has at most 512 names, so a turn of nonsense takes at worst 0.3 ms. If its lines are
/// short, a turn takes 10 us, half of it overhead: a guest that asks when 500 others have just sent nonsense
/// gets its answer after 5 ms.
pub const TURN_WORK: u32 = 16;

/// Threads of a guest's VMM that are read in one turn: at 4 to 8 us each, at most 1 ms. A guest with more takes
/// several turns: 33 for the 4,096 vCPUs that KVM can run and the threads that serve them.
pub const TURN_THREADS: usize = 128;

/// What reading one thread costs in units of work: a file of `/proc`, compared with a name.
pub const THREAD_WORK: u32 = 16;

/// Files of guests' VMMs and cgroups and of the host that stay open, over all guests: a guest with 8 vCPUs and 7
/// other threads has some 30, so this covers 270 guests. With its name, a file takes some 200 bytes here, 1.6 MB in
/// total, and most take a page of the kernel's, 32 MiB in total.
pub const OPEN_FILES_MAX: usize = 8192;

/// The same for one guest: a file for each of the 4,096 vCPUs that KVM can run, and 512 others. If a guest reaches
/// this number, all its files are closed, in 1.4 ms, and those it needs are opened again, which leaves room for the
/// others.
pub const OPEN_FILES_EACH: usize = 4608;

/// The same for the host: half of [`OPEN_FILES_MAX`], so that guests have the other half. Three files of each CPU
/// (clock, highest clock, throttling) and 30 others: enough for 1,300 CPUs. On a larger host they are opened anew
/// for each sample.
pub const OPEN_FILES_OF_HOST: usize = OPEN_FILES_MAX / 2;

/// Files that a process may have open but that [`OPEN_FILES_MAX`] must not use: sockets of 10,000 guests, and
/// 1,000 for everything else. Under the hard limit of 20,000 that many hosts have, 8,192 stay open, and so they
/// do under systemd's 524,288; under 11,000, none do.
pub const FILES_LEFT: usize = 11_000;

/// Units of work in postponed turns, after which the daemon checks for new input: those of two turns of
/// [`TURN_THREADS`], 2 ms. However many guests flood the daemon with lines that have to wait, a single query is
/// delayed by at most this much.
pub const ROUND_WORK: u32 = 4096;

/// How long a reply may remain unread before the connection is dropped and made again: 256 KiB take 16 s at the
/// 16 KB/s of a guest that reads byte by byte.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// Connections that one guest may have made itself at once, as over vsock: programs in it that ask at the same
/// time, with one allowance for all. If all of them ask, the guest gets as many turns as a guest with one.
pub const CONNECTIONS_MAX: usize = 8;

/// After how long without a byte from the guest one of [`CONNECTIONS_MAX`] connections gives way to a new one: a
/// guest that is restored or loses its vsock leaves connections that nobody ends. Long enough for a person to
/// think between two lines.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(60);

/// Lines a second that one guest gets answered in the long run, over all its connections.
pub const LINES_PER_SECOND: u32 = 20;

/// Lines that one guest gets answered at once after it was quiet: two seconds' worth.
pub const LINE_BURST: u32 = 40;

/// Bytes a second read from one guest in the long run: 64 lines of `LINE_MAX`.
pub const BYTES_PER_SECOND: u32 = 64 * 1024;

/// Bytes read from one guest at once after it was quiet: the echo of 16 replies of `REPLY_MAX`, or a boot log.
pub const BYTE_BURST: u32 = 4 * 1024 * 1024;

/// The built-in time between two queries of a guest.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// The longest time between two queries that a rule may set.
pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The grid on which the host is sampled: queries within one step get the same sample. That makes at most ten
/// readings a second, however many guests ask.
pub const SAMPLE_GRID: Duration = Duration::from_millis(100);

/// How many replies about the host are kept within one step of the grid, for other guests of the same rule that
/// send the same query: 20 different lines for each of three rules. With [`SHARED_REPLY_MAX`] and [`LINE_MAX`]
/// each, that is at most 576 KiB; any further replies are rendered for each query.
pub const SHARED_REPLIES: usize = 64;

/// The longest reply that is kept this way: all of a host's memory statistics as OpenMetrics are 4 KiB.
pub const SHARED_REPLY_MAX: usize = 8 * 1024;

/// The shortest time that a ratio may cover. Shorter times would reveal what single neighbours do.
pub const WINDOW_MIN: Duration = Duration::from_secs(1);

/// The wait before a socket that refused is tried again; it doubles with each try. QEMU binds the socket some
/// milliseconds before it listens.
pub const RETRY_FIRST: Duration = Duration::from_millis(10);

/// The longest wait between two tries.
pub const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// How many times to try after the first, 4.3 s in all; then the socket is left alone until it changes. The
/// file of a dead socket costs 11 calls of connect(2) and nothing after that.
pub const RETRIES: u32 = 10;

/// Lines of one sort about one guest that the daemon logs at once: a start, a stop and what went wrong in
/// between; or what the guest was refused.
pub const LOG_BURST: u32 = 10;

/// Lines of one sort about one guest that the daemon logs per minute in the long run: 1,000 guests that do
/// their worst cause 2,000 lines a minute, 300 bytes each.
pub const LOG_LINES_PER_MINUTE: u32 = 1;
