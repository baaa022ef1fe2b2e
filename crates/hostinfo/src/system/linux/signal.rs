//! Signals that end this program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{fs, io, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::system::linux::raw;

/// The stack of the thread that waits for signals: what it does is small.
const STACK: usize = 256 * 1024;

type Act = Box<dyn FnOnce() + Send>;

/// What the command itself does before it ends.
static ACT: Mutex<Option<Act>> = Mutex::new(None);

/// Whether signals are waited for, or handled by somebody else.
static IS_HANDLED: AtomicBool = AtomicBool::new(false);

/// Does that once Ctrl-C, SIGTERM or SIGHUP arrives, and then ends this program by the same signal, as its sender
/// expects. What the program was started to ignore, it keeps ignoring: a shell without job control starts what is
/// in the background with SIGINT ignored.
///
/// # Errors
/// The system has no handlers, sockets or threads left.
pub(crate) fn on_end_by_signal(act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    *ACT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
    restore_port_on_end()
}

/// Restores the port before such a signal ends this program.
///
/// # Errors
/// As above.
pub(super) fn restore_port_on_end() -> io::Result<()> {
    if IS_HANDLED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let felt = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(&status, *signal));
    let mut signals = Signals::new(felt)?;
    thread::Builder::new().stack_size(STACK).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let act = ACT.lock().unwrap_or_else(PoisonError::into_inner).take();
            act.into_iter().for_each(|act| act());
            raw::restore_for_good();
            let _ = emulate_default_handler(signal);
        }
    })?;
    Ok(())
}

/// Leaves signals to the caller, who restores the port as well.
pub(super) fn leave_to_caller() {
    IS_HANDLED.store(true, Ordering::Relaxed);
}

/// By proc(5), where bit 0 is signal 1:
///
/// ```text
/// SigIgn:\t0000000000000002
/// ```
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = signal.checked_sub(1).and_then(|bit| u32::try_from(bit).ok());
    let bit = bit.and_then(|bit| 1u64.checked_shl(bit));
    bit.is_some_and(|bit| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_signal_is_ignored_if_its_bit_is_set() {
        let status =
            "SigBlk:\tffffffffffffffff\nSigIgn:\t0000000000000002\nSigCgt:\t0000000000004000\n";
        assert!(is_ignored(status, SIGINT) && !is_ignored(status, SIGTERM));
        assert!(!is_ignored("SigIgn:\tx\n", SIGINT) && !is_ignored("", SIGINT));
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text: String, signal: i32) {
            let _ = (is_ignored(&text, signal), is_ignored(&format!("SigIgn:{text}"), signal));
        }
    }
}
