//! Bounds on what goes over the control socket, with their arithmetic.

use std::time::Duration;

/// The longest request, without its NUL: a `Preview` of the longest line, 1,024 bytes, each of
/// which may take six in JSON (`\u0001`), beside the name of a guest of 255 bytes.
pub const REQUEST_MAX: usize = 16 * 1024;

/// Guests in one reply to `List`: 256 of 700 bytes are 175 KiB, and take less than 1 ms to make.
pub const PAGE: usize = 256;

/// The longest rules file whose text is kept and told: 6,500 rules of 160 bytes.
pub const RULES_TEXT_MAX: usize = 1024 * 1024;

/// As much as is told of the last line that a guest sent.
pub const LAST_MAX: usize = 128;

/// As much as is told of a reply to those who watch.
pub const WATCHED_REPLY_MAX: usize = 1024;

/// The longest reply that a client takes: the text of the longest rules file, with room for
/// what JSON escapes.
pub const REPLY_MAX: usize = 8 * 1024 * 1024;

/// How long a client waits for an answer: a preview may wait for a command of the
/// administrator's, which has at most 10 s.
pub const DEADLINE: Duration = Duration::from_secs(15);
