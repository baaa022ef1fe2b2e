//! Every bound on what clients of the broker can make it hold, do or wait for.
//!
//! What clients cost at the very most: [`CLIENTS_MAX`] x (`LINE_MAX` of a partial line + `LINE_MAX` of a
//! waiting one + `READ_CHUNK` held) + [`SCRAPERS_MAX`] x [`REQUEST_MAX`](hostinfo_wire::http::REQUEST_MAX) +
//! [`UNREAD_MAX`] + one reply of `REPLY_MAX` = 32 x 6 KiB + 8 x 4 KiB + 1 MiB + 256 KiB = 1.5 MiB. What
//! the host told is at most twice `REPLY_MAX` of values and descriptions, and as much again for their
//! index: 1 MiB.

use std::time::Duration;

use crate::serve::bucket::Bound;

/// Clients of the socket at once. Who has asked nothing for [`IDLE`] gives way to a new one.
pub(crate) const CLIENTS_MAX: usize = 32;

/// Scrapers at once, as the daemon has them.
pub(crate) const SCRAPERS_MAX: usize = 8;

/// Bytes of replies that clients have not read, of all together. Where there are more, nobody is read
/// from until some have.
pub(crate) const UNREAD_MAX: usize = 1024 * 1024;

/// How long a connection may be idle before it gives way.
pub(crate) const IDLE: Duration = Duration::from_secs(60);

/// How long a query is held for the host's answer: longer than a host needs, and shorter than
/// `hostinfo` and Prometheus wait.
pub(crate) const HOLD: Duration = Duration::from_secs(5);

/// How long a scraper has for its request, and for reading the answer.
pub(crate) const SCRAPE_MAX: Duration = Duration::from_secs(10);

/// An answer is no older than that where the host lets this guest ask as often as it likes: a host reads
/// 20 lines a second, and asking once takes up to 8 of them.
pub(crate) const FRESH_LEAST: Duration = Duration::from_millis(500);

/// How long after a failure the host is asked again at the soonest.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// How old the list of what may be asked may be: rules change seldom, and it is twice as long as the
/// values.
pub(crate) const LIST_MAX_AGE: Duration = Duration::from_secs(60);

/// What a client may send, in lines and in bytes: as many lines as a host reads from a guest, and room
/// for the longest of them.
pub(crate) const LINES: Bound = Bound { per_second: 20, burst: 40 };
pub(crate) const BYTES: Bound = Bound { per_second: 64 * 1024, burst: 256 * 1024 };
