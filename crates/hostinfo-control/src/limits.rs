//! Bounds on what goes over the control socket, with their arithmetic.

use std::time::Duration;

/// The longest request, without its NUL: a `Preview` of the longest line, 1,024 bytes, each of
/// which may take six in JSON (`\u0001`), beside the name of a guest of 255 bytes.
pub const REQUEST_MAX: usize = 16 * 1024;

/// Names in one `Explain`: as many as a guest can ask for in one line.
pub const NAMES_MAX: usize = 100;

/// Guests in one reply to `List`: 256 of 700 bytes are 175 KiB, and take less than 1 ms to make.
pub const PAGE: usize = 256;

/// The longest rules file whose text is kept and told: 6,500 rules of 160 bytes.
pub const RULES_TEXT_MAX: usize = 1024 * 1024;

/// As much as is told of what is wrong with a rules file, or with the settings: 160 problems of 100
/// bytes.
pub const PROBLEM_MAX: usize = 16 * 1024;

/// As much as is told of the last line that a guest sent.
pub const LAST_MAX: usize = 128;

/// As much as is told of a reply to those who watch.
pub const WATCHED_REPLY_MAX: usize = 1024;

/// The longest reply: the text of the longest rules file, with room for
/// what JSON escapes.
pub const REPLY_MAX: usize = 4 * 1024 * 1024;

/// How long a client waits for an answer. The daemon makes one in milliseconds, unless it is stopped
/// or its host cannot give it a CPU.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How much longer it waits for a preview, which may wait for a command of the administrator's. That
/// has at most 30 s: `TIMEOUT_MAX` of hostinfo-custom.
pub const PREVIEW_TIME: Duration = Duration::from_secs(30);

/// Clients at once. At the very worst each is owed a reply of [`REPLY_MAX`]: 128 MiB, by people
/// whom the administrator has let in.
pub const CLIENTS_MAX: usize = 32;

/// As many of these only root and the user that hostinfod runs as can have: however many of the group
/// there are, and whatever they do, those two find room.
pub const CLIENTS_RESERVED: usize = 8;

/// Clients at once of one user of the group.
pub const CLIENTS_PER_USER: usize = 8;

/// Clients at once that watch: each query makes an event of some 3 us for each of them.
pub const WATCHERS_MAX: usize = 8;

/// As many of these only root and the user that hostinfod runs as can have.
pub const WATCHERS_RESERVED: usize = 2;

/// Clients at once that are told that there is no room for them.
pub const REFUSED_MAX: usize = 8;

/// How long the connection of such a client is kept for it to read that, after it has sent what it
/// came for: a tool does so within a millisecond of connecting.
pub const REFUSED_TIME: Duration = Duration::from_secs(1);

/// Bytes of events that wait for one client, beside what the kernel holds (some 200 KiB): one
/// second of 1,000 queries.
pub const WATCH_QUEUE_MAX: usize = 256 * 1024;

/// How long an answer may remain unread before the client is dropped. One that watches may stop
/// for as long as it likes: it costs no more than [`WATCH_QUEUE_MAX`].
pub const READ_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes read from a client at a time.
pub const CHUNK: usize = 4096;

/// What a host does not tell, as far as an answer has it: a statistic of the administrator's may be
/// missing for each of thousands of guests.
pub const MISSING_MAX: usize = 200;
