//! Random bytes, and sessions named by them.

use std::io;

use hostinfo_answer::Session;

/// This many unpredictable bytes.
///
/// # Errors
/// The system has no random bytes.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(bytes)
}

/// A session that begins with the guest's first query.
///
/// # Errors
/// The system has no random bytes.
pub(crate) fn begin_session() -> io::Result<Session> {
    random().map(Session::new)
}
