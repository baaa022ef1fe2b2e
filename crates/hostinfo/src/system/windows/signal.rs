//! Ctrl-C, which ends this program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, thread};

use signal_hook::consts::SIGINT;
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;

/// How often to look whether Ctrl-C was pressed: there is nothing to wait on.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Does that once Ctrl-C was pressed, and then ends this program.
///
/// # Errors
/// The system has no handlers or threads left.
pub(crate) fn on_end_by_signal(act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    flag::register(SIGINT, Arc::clone(&is_interrupted))?;
    thread::Builder::new().spawn(move || {
        while !is_interrupted.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
        }
        act();
        let _ = emulate_default_handler(SIGINT);
    })?;
    Ok(())
}
