//! Random bytes, and sessions that are known by some.

use std::io;

use hostinfo_answer::Session;

/// That many bytes that nobody can guess.
///
/// # Errors
/// Where the system gives none.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(bytes)
}

/// A session that begins with the guest's first question.
///
/// # Errors
/// Where the system gives no random bytes.
pub(crate) fn begin_session() -> io::Result<Session> {
    random().map(Session::new)
}
