//! Waiting with a deadline.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Only something that hangs takes this long: on two cores without KVM that others use too, it may
/// take half of it.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How long to sleep between two checks.
const STEP: Duration = Duration::from_millis(2);

/// Calls `look` repeatedly until it finds something.
///
/// # Errors
/// Any error of `look`, or that `what` did not happen `within` the time.
pub fn wait_for<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > within {
            bail!("waited {within:?} for {what}");
        }
        std::thread::sleep(STEP);
    }
}

/// The next client of a socket, which is waited for within [`PATIENCE`], and whose bytes are.
///
/// # Errors
/// Nobody connects.
pub fn accept(socket: &UnixListener) -> Result<UnixStream> {
    socket.set_nonblocking(true)?;
    let (client, _) = wait_for("a client", PATIENCE, || match socket.accept() {
        Ok(client) => Ok(Some(client)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    })?;
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(PATIENCE))?;
    Ok(client)
}

/// Asks repeatedly until a reply's first line begins with `begins`. There is no reply as long as nobody is
/// connected.
///
/// # Errors
/// It never does.
pub fn ask_until(
    request: &str,
    begins: &str,
    within: Duration,
    mut ask: impl FnMut(&str) -> Result<Vec<String>>,
) -> Result<Vec<String>> {
    let mut last = Ok(Vec::new());
    let reply = wait_for(begins, within, || {
        last = ask(request);
        let reply = last.as_ref().ok();
        let is_it =
            |reply: &&Vec<String>| reply.first().is_some_and(|line| line.starts_with(begins));
        Ok(reply.filter(is_it).cloned())
    });
    reply.with_context(|| format!("the last reply to {request:?} was {last:?}"))
}

/// [`wait_for`] a condition.
///
/// # Errors
/// As [`wait_for`].
pub fn wait_until(
    what: &str,
    within: Duration,
    mut is_so: impl FnMut() -> Result<bool>,
) -> Result<()> {
    wait_for(what, within, || Ok(is_so()?.then_some(())))
}
