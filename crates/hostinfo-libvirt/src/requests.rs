//! Reads the daemon's requests.

use std::io::{self, BufRead as _, Read as _, stdin};

use hostinfo_domains::ask;
use hostinfo_domains::limits::LINE_MAX;

use crate::inbox::INBOX;
use crate::output::exit_now;
use crate::threads::Threads;

/// Reads requests from now on, in a thread of its own, even while a call into libvirt hangs: when the daemon ends, so
/// does this program.
///
/// # Errors
/// No thread can be started.
pub(crate) fn read_in_thread(threads: &Threads) -> io::Result<()> {
    threads.start("requests", || {
        let mut input = stdin().lock();
        let bound = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.by_ref().take(bound).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => exit_now(),
                Ok(_) => match ask(&line) {
                    Ok(ask) => INBOX.ask(ask),
                    Err(error) => {
                        eprintln!("hostinfo-libvirt: {error}");
                        exit_now();
                    }
                },
            }
        }
    })
}
