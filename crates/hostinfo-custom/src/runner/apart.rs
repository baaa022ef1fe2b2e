//! Keeps a command apart from those of other runs, which may have the same user, and from hostinfo-run: by a layer of
//! Landlock, landlock(7), for each run. A process cannot trace one outside its own layer, nor open its memory or its
//! descriptors in /proc, and so cannot write into the output of another run. Since Linux 6.12, no signal leaves it either.

use std::io;
use std::thread;

use landlock::{
    AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, Scope,
};

/// Below this, a command keeps what every layer would take from it: moving files from one directory to another.
const EVERYWHERE: &str = "/";

/// Whether the kernel can do it.
pub fn is_offered() -> bool {
    layer().is_some()
}

/// Files are as they are without it. `None` before Linux 5.19, where moving them could not be permitted.
fn layer() -> Option<RulesetCreated> {
    let layer = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)
        .ok()?
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::Signal)
        .ok()?
        .create()
        .ok()?;
    layer.add_rule(PathBeneath::new(PathFd::new(EVERYWHERE).ok()?, AccessFs::Refer)).ok()
}

/// Calls `start` in a thread that has a layer of its own, which is that of a process it starts as well. Without one where
/// the kernel has none.
///
/// # Errors
/// Those of `start`; no thread or no layer could be made.
pub(super) fn start<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let confined = || {
            if let Some(layer) = layer() {
                layer.restrict_self().map_err(io::Error::other)?;
            }
            start()
        };
        let thread = thread::Builder::new().spawn_scoped(scope, confined)?;
        thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    })
}
