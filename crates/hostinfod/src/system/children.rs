//! Child processes of the program that this one has taken the place of: they are this one's now, and nobody else
//! waits for them.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// How long a process that was killed is waited for. It ends in a millisecond unless it hangs in the kernel.
const PATIENCE: Duration = Duration::from_millis(500);

/// Ends a child, and waits for it. Nothing happens to a process that is not a child: a child's number is nobody else's
/// until it was waited for.
pub(crate) fn end_child(number: u32) {
    let Some(pid) = i32::try_from(number).ok().and_then(Pid::from_raw) else { return };
    let until = Instant::now() + PATIENCE;
    loop {
        match waitpid(Some(pid), WaitOptions::NOHANG) {
            Ok(None) if Instant::now() < until => {
                let _ = kill_process(pid, Signal::KILL);
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(None) => {
                return tracing::warn!(
                    "process {number}, which asked libvirt, does not end: it hangs in the kernel"
                );
            }
            Ok(Some(_)) | Err(Errno::CHILD) => return,
            Err(Errno::INTR) => {}
            Err(error) => return tracing::warn!("process {number} cannot be waited for: {error}"),
        }
    }
}
