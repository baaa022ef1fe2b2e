//! Bounds on what goes over the control socket, with their arithmetic.

use std::time::Duration;

/// The longest request, without its NUL: a `Preview` of the longest line, 1,024 bytes, each of
/// which may take six bytes in JSON (`\u0001`), with a guest's whole name of 320 bytes.
pub const REQUEST_MAX: usize = 16 * 1024;

/// Names in one `Explain`: more than twice the 40 full names that fit into a guest's line.
pub const NAMES_MAX: usize = 100;

/// Guests in one reply to `List`: 256 of 700 bytes are 175 KiB, and take less than 1 ms to make.
pub const PAGE: usize = 256;

/// Replies to `List` that a client asks for: 65,536 guests, four times as many as libvirt lists. Those of a daemon that somebody
/// has taken over have 1 GiB at the most.
pub const PAGES_MAX: usize = 256;

/// The longest rules file whose text is in a reply: 6,500 rules of 160 bytes.
pub const RULES_TEXT_MAX: usize = 1024 * 1024;

/// Problems of a rules file or of the settings are truncated to this many bytes: 160 problems of
/// 100 bytes.
pub const PROBLEM_MAX: usize = 16 * 1024;

/// The last line that a guest sent is truncated to this many bytes.
pub const LAST_MAX: usize = 128;

/// In an event, the guest's reply is truncated to this many bytes.
pub const WATCHED_REPLY_MAX: usize = 1024;

/// The longest reply: the text of the longest rules file, with room for JSON's escapes.
pub const REPLY_MAX: usize = 4 * 1024 * 1024;

/// How long a client waits for a reply. The daemon makes one in milliseconds, unless it is stopped
/// or its host cannot give it a CPU.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How much longer a client waits for an upgrade: the new program has 2 s to check what it is to take over, and takes
/// 2 s to do so with 10,000 guests on a host that is busy.
pub const UPGRADE_TIME: Duration = Duration::from_secs(10);

/// How much longer a client waits for a preview, which may wait for a command of the administrator.
/// Commands have at most 30 s, and hostinfo-run 2 s more to answer, which is less than [`DEADLINE`]: `TIMEOUT_MAX` and
/// `ANSWER_MARGIN` of hostinfo-custom.
pub const PREVIEW_TIME: Duration = Duration::from_secs(30);

/// Clients at once. In the worst case a reply of [`REPLY_MAX`] waits for each: 128 MiB, for people
/// whom the administrator has let in.
pub const CLIENTS_MAX: usize = 32;

/// How many of these are reserved for root and a person who runs hostinfod by hand. They find room
/// however many members of the group connect.
pub const CLIENTS_RESERVED: usize = 8;

/// Clients at once of one user in the group.
pub const CLIENTS_PER_USER: usize = 8;

/// Clients at once that watch: for each of them, each reply to a guest makes an event, which takes about 3 us.
pub const WATCHERS_MAX: usize = 8;

/// How many of these are reserved for root and a person who runs hostinfod by hand.
pub const WATCHERS_RESERVED: usize = 2;

/// Clients at once that get an error because there is no room for them.
pub const REFUSED_MAX: usize = 8;

/// How long such a connection is kept open, so that the client can send its request and read the
/// error. A tool sends it within a millisecond of connecting.
pub const REFUSED_TIME: Duration = Duration::from_secs(1);

/// Bytes of events that wait for one client, in addition to what the kernel holds (about 200 KiB):
/// one second of 1,000 queries.
pub const WATCH_QUEUE_MAX: usize = 256 * 1024;

/// How long a reply may remain unread before the client is dropped. A client that watches may stop
/// reading for as long as it likes: it costs no more than [`WATCH_QUEUE_MAX`].
pub const READ_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes read from a client at a time.
pub const CHUNK: usize = 4096;

/// Sources in the list of what a host lacks: one of the administrator's statistics may be missing
/// for each of thousands of guests.
pub const MISSING_MAX: usize = 200;
