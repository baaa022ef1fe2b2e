//! What is said to the daemon.

use std::io::{Write as _, stdout};

use hostinfo_domains::{Message, to_line};
use rustix::process::{Signal, getpid, kill_process};

/// Says it at once.
pub(crate) fn say(message: &Message) {
    match to_line(message) {
        Some(line) => {
            if stdout().write_all(&line).is_err() {
                leave();
            }
        }
        // What is collected is bounded so that it fits.
        None => eprintln!("hostinfo-libvirt: too long for a line: {message:?}"),
    }
}

/// Ends the program, also where another thread hangs in libvirt: libraries' own ways to end could
/// wait for it.
pub(crate) fn leave() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
