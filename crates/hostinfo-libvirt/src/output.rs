//! Sends messages to the daemon.

use std::io::{Write as _, stdout};

use hostinfo_domains::{Message, to_line};
use rustix::process::{Signal, getpid, kill_process};

/// Sends it at once.
pub(crate) fn send(message: &Message) {
    match to_line(message) {
        Some(line) => {
            if stdout().write_all(&line).is_err() {
                exit_now();
            }
        }
        // Everything that is collected is limited so that it fits.
        None => eprintln!("hostinfo-libvirt: too long for a line: {message:?}"),
    }
}

/// Ends the program, even if another thread hangs in libvirt: a normal exit could wait for that
/// thread.
pub(crate) fn exit_now() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
