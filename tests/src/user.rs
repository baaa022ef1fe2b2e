//! Other users: the kernel keeps users and groups for each thread.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// A user whom nothing belongs to.
pub const NOBODY: u32 = 65_534;

/// Runs as that user, in that group and no other.
///
/// # Errors
/// These tests do not run as root, or those of `then`.
pub fn become_one<T: Send>(
    user: u32,
    group: u32,
    then: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    std::thread::scope(|scope| {
        let run = || {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            set_thread_groups(&[]).context("these tests run as root")?;
            set_thread_res_gid(group, group, group)?;
            set_thread_res_uid(user, user, user)?;
            then()
        };
        let ended = scope.spawn(run).join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Has four threads of that user connect again and again, each to one of these Unix sockets, while `ask` is done as often as
/// possible for that time.
///
/// # Errors
/// Those of `ask`; more connections were accepted than the daemon's bound for all these sockets.
pub fn flood(
    sockets: &[&Path],
    (user, group): (u32, u32),
    time: Duration,
    mut ask: impl FnMut() -> Result<()>,
) -> Result<()> {
    let is_over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let connect = |socket: &Path| {
            become_one(user, group, || {
                let mut connected = 0;
                while !is_over.load(Ordering::Relaxed) {
                    connected += u32::from(UnixStream::connect(socket).is_ok());
                }
                Ok(connected)
            })
        };
        let sockets_of_threads = sockets.iter().cycle().take(4);
        let threads = sockets_of_threads.map(|socket| scope.spawn(move || connect(socket)));
        let threads: Vec<_> = threads.collect();
        let asked = (|| -> Result<()> {
            while begun.elapsed() < time {
                ask()?;
            }
            Ok(())
        })();
        is_over.store(true, Ordering::Relaxed);
        asked?;
        let mut connected = 0;
        for thread in threads {
            connected += thread.join().map_err(|_| anyhow!("a thread that connects"))??;
        }
        // A thousand a second, a burst, and those that the kernel keeps until they are accepted.
        let kept = 64.0 * sockets.len() as f64;
        let bound = begun.elapsed().as_secs_f64() * 1000.0 + 64.0 + kept;
        ensure!(f64::from(connected) < bound, "{connected} are over {bound}");
        Ok(())
    })
}
