//! Every limit on what clients of the broker can make it hold, do or wait for.
//!
//! The most that clients can cost: [`CLIENTS_MAX`] x (`LINE_MAX` of a partial line + `LINE_MAX` of a waiting
//! one + `READ_CHUNK` held + a reply of `REPLY_MAX`) + [`SCRAPERS_MAX`] x
//! ([`REQUEST_MAX`](hostinfo_wire::http::REQUEST_MAX) + `READ_CHUNK` behind it + an answer of `REPLY_MAX`) =
//! 32 x 262 KiB + 8 x 264 KiB = 10.3 MiB, if the host has that much to tell and all of them ask at the same time
//! and then do not read. They do not keep it: a client that has not read its reply after
//! [`WRITE_DEADLINE`](hostinfo_wire::limits::WRITE_DEADLINE), 60 s, and a scraper after [`SCRAPE_MAX`], is let go.
//! [`UNREAD_MAX`] keeps those that ask one after the other below 1.3 MiB. The host's values and descriptions are at
//! most twice `REPLY_MAX`, and their index takes as much again: 1 MiB.

use std::time::Duration;

use crate::serve::bucket::Bound;

/// The most clients of the socket at once. A client that has not asked anything for [`IDLE`] gives way to a new
/// one.
pub(crate) const CLIENTS_MAX: usize = 32;

/// The most scrapers at once, as in the daemon.
pub(crate) const SCRAPERS_MAX: usize = 8;

/// The most connections that are still being closed, since a client has sent descriptors over them, as it can before
/// Linux 6.16; then no other is let in until some are closed.
pub(crate) const UNCLOSED_MAX: usize = 16;

/// The time between two checks whether that was closed.
pub(crate) const CLOSING_CHECK: Duration = Duration::from_secs(1);

/// How many bytes of unread replies, over all clients of the socket, end the reading of their input until some of
/// them have read their replies. Lines that were read before get theirs all the same.
pub(crate) const UNREAD_MAX: usize = 1024 * 1024;

/// How long a connection may be idle before it gives way.
pub(crate) const IDLE: Duration = Duration::from_secs(60);

/// How long a query waits for the host's answer: longer than a host needs, and shorter than `hostinfo` (5 s, from
/// before it has found the port) and Prometheus wait.
pub(crate) const HOLD: Duration = Duration::from_secs(4);

/// How long a scraper has for its request, and for reading the answer.
pub(crate) const SCRAPE_MAX: Duration = Duration::from_secs(10);

/// The greatest age of an answer if the host lets this guest ask as often as it likes: a host reads 20 lines a
/// second, and a query takes up to 8 of them.
pub(crate) const FRESH_LEAST: Duration = Duration::from_millis(500);

/// The shortest time after a failure before the host is asked again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// The greatest age of the list of what may be asked for: rules rarely change, and the list is twice as long as
/// the values.
pub(crate) const LIST_MAX_AGE: Duration = Duration::from_secs(60);

/// How many lines and bytes a client may send: as many lines as a host reads from a guest, with room for the
/// longest of them.
pub(crate) const LINES: Bound = Bound { per_second: 20, burst: 40 };
pub(crate) const BYTES: Bound = Bound { per_second: 64 * 1024, burst: 256 * 1024 };
