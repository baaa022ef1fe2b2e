//! Every limit on notices, and on the host's state.

/// The longest value of `notice.N`, in bytes: `KIND at TIME: TEXT`.
pub const NOTICE_MAX: usize = 400;

/// The most notices that one guest sees: 6.4 KB of a reply.
pub const PER_GUEST: usize = 16;

/// The most notices of a host, so that each of a thousand guests can be told when it will be moved.
/// A query costs one match of a short pattern for each, 50 us in all.
pub const NOTICES_MAX: usize = 1024;

/// The longest pattern, in bytes: a guest's whole name of 320 bytes with a `\` before each.
pub const PATTERN_MAX: usize = 640;

/// The longest file of notices: `NOTICES_MAX` entries of 2,304 bytes, for 1,010 bytes of pattern and text,
/// each of them escaped (2,020), and some 240 bytes around them.
pub const FILE_MAX: usize = NOTICES_MAX * 2304;

/// The longest remark of an administrator on the host's state, in bytes: as long as a notice may
/// be.
pub const REMARK_MAX: usize = 400;

/// The longest file of the host's state: the longest remark with each byte escaped (800), and 100
/// bytes around it.
pub const STATE_FILE_MAX: usize = 1024;
