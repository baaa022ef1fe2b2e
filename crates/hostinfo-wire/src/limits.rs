//! Every bound on what a guest can make its host hold, do or wait for, with its arithmetic.
//!
//! What one guest costs at the very most, with its two transports (serial port and vhostmd
//! channel): 2 x (`LINE_MAX` partial or waiting line + `READ_CHUNK` held + `REPLY_MAX` unread)
//! = 2 x (1,024 + 4,096 + 262,144) bytes = 522 KiB, and only while it refuses to read.

use std::time::Duration;

/// The longest request line, without its line end. A `get` of 40 statistics by their full
/// names fits; no statistic or group needs more.
pub const LINE_MAX: usize = 1024;

/// The longest reply, line ends included: 2.6 s of a serial port's 100 KB/s. Every statistic
/// of a guest with 256 vCPUs and 32 disks (about 1,900 lines of 60 bytes) is 114 KiB.
pub const REPLY_MAX: usize = 256 * 1024;

/// The longest token that `ping` hands back.
pub const TOKEN_MAX: usize = 64;

/// Nonsense lines in a row that are answered before the host falls silent: enough for a
/// person who mistypes, far too few for a `getty` and a login prompt to keep talking.
pub const NONSENSE_MAX: u32 = 5;

/// What a line of nonsense that is dropped in silence counts for in bytes, beside its own: a
/// flood of the shortest lines is looked at 262,144 times at first and 4,096 times a second
/// after, which is 0.2 s and 0.3 % of a CPU. A boot log's lines are longer than that.
pub const NONSENSE_COST: u32 = 16;

/// Bytes taken from a guest's connection at a time. A guest whose lines have to wait holds
/// at most this much in the daemon; the rest waits in the kernel and in QEMU.
pub const READ_CHUNK: usize = 4096;

/// Units of work after which a guest's turn is over, and the others have theirs. A unit is what it takes to
/// look at one line, one name of it or one value: 0.3 to 0.5 us. What was begun is ended: a line of
/// [`LINE_MAX`] bytes has 512 names at the most, so a turn of nonsense takes 0.2 ms at its worst. Where its
/// lines are short it takes 10 us, half of them for the turn itself: somebody who asks when 500 others have just
/// sent nonsense has his answer after 5 ms.
pub const TURN_WORK: u32 = 16;

/// Threads of a guest's VMM that are read in one turn: at 4 to 8 us for each, 1 ms at the most. A guest
/// with more is answered in more turns: 33 for the 4,096 vCPUs that KVM can run, and what serves them.
pub const TURN_THREADS: usize = 128;

/// What one thread that is read counts for in units of work: a file of `/proc` against a name.
pub const THREAD_WORK: u32 = 16;

/// Files of guests' VMMs and cgroups that stay open, of all guests together: a guest with 8 vCPUs and 7 other
/// threads has some 50, so those of 160 guests; with its name, one takes some 200 bytes here, so 1.6 MB.
pub const OPEN_FILES_MAX: usize = 8192;

/// The same of one guest: two for each of 500 threads. A guest with more leaves room for the others: its files are
/// all closed when it comes to so many, in 0.3 ms, and those that it needs are opened again.
pub const OPEN_FILES_EACH: usize = 1024;

/// Files that a process may have open and are not for [`OPEN_FILES_MAX`]: sockets of 10,000 guests, and 1,000 of
/// all else. Under the hard limit of 20,000 of many hosts 8,192 stay open, under systemd's 524,288 as well, and
/// under 11,000 none.
pub const FILES_LEFT: usize = 11_000;

/// Units of work in turns that were put off, after which the daemon looks what else has come: those of two
/// turns of [`TURN_THREADS`], 2 ms. Whoever asks one thing waits so long at the most for all who flood it
/// with lines that have to wait, however many they are.
pub const ROUND_WORK: u32 = 4096;

/// How long a reply may remain unread before the connection is dropped and made again:
/// 256 KiB at the 16 KB/s of a guest that reads byte by byte take 16 s.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// Lines answered to one guest in a second, over all its connections, in the long run.
pub const LINES_PER_SECOND: u32 = 20;

/// Lines answered to one guest at once after it was quiet: two seconds' worth.
pub const LINE_BURST: u32 = 40;

/// Bytes read from one guest in a second, in the long run: 64 lines of `LINE_MAX`.
pub const BYTES_PER_SECOND: u32 = 64 * 1024;

/// Bytes read from one guest at once after it was quiet: the echo of 16 replies of
/// `REPLY_MAX`, or a boot log.
pub const BYTE_BURST: u32 = 4 * 1024 * 1024;

/// The built-in time between two queries of a guest.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// The longest time between two queries that a rule may demand.
pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The grid on which the host is sampled: who asks within one step gets the same sample.
/// Ten readings a second at the most, however many guests ask.
pub const SAMPLE_GRID: Duration = Duration::from_millis(100);

/// Replies about the host that are kept within one step of the grid for others of the same rule who ask
/// the same: 20 different lines of three rules. With [`SHARED_REPLY_MAX`] and [`LINE_MAX`] each, at most
/// 576 KiB; what comes beyond is rendered for whoever asks.
pub const SHARED_REPLIES: usize = 64;

/// The longest reply that is kept so: everything about a host's memory as OpenMetrics is 4 KiB.
pub const SHARED_REPLY_MAX: usize = 8 * 1024;

/// The shortest time that a ratio over time may speak of. Shorter ones would show what
/// single neighbours do.
pub const WINDOW_MIN: Duration = Duration::from_secs(1);

/// The wait before a socket that refused is tried again; it doubles from try to try. QEMU
/// binds some milliseconds before it listens.
pub const RETRY_FIRST: Duration = Duration::from_millis(10);

/// The longest wait between two tries.
pub const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// Tries after the first one, 4.3 s in all; then a socket is left alone until it changes. A dead
/// socket's file costs 11 calls of connect(2) and nothing after.
pub const RETRIES: u32 = 10;

/// Lines of one sort in the daemon's log about one guest at once: a start, a stop and what went wrong
/// between; or what it was refused.
pub const LOG_BURST: u32 = 10;

/// Lines of one sort in the daemon's log about one guest in a minute, in the long run: 1,000 guests
/// that do their worst write 2,000 lines a minute, 300 bytes each.
pub const LOG_LINES_PER_MINUTE: u32 = 1;
