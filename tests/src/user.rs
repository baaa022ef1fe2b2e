//! Other users: the kernel keeps users and groups for each thread.

use anyhow::{Context as _, Result};
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
