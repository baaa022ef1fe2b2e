//! Keeps a command apart from those of other runs, which may have the same user, and from hostinfo-run: by a layer of
//! Landlock, landlock(7), for each run. A process cannot trace one outside its own layer, nor open its memory or its
//! descriptors in /proc, and so cannot write into the output of another run. Since Linux 6.12, no signal leaves it either.
//! The rest is up to [`own_alone`].

use std::path::Path;
use std::{fs, io};

use landlock::{
    AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope,
};
use rustix::fs::fstat;

use super::own_alone;

/// Below this, a command keeps what every layer would take from it: moving files from one directory to another.
const EVERYWHERE: &str = "/";

/// Here a command writes nothing: what it may change of other processes of its user, it would change here, such as which of
/// them is killed where memory is short (oom_score_adj).
const PROCESSES: &str = "/proc";

/// Whether the kernel can do it.
pub fn is_offered() -> bool {
    layer().is_some()
}

/// But for [`PROCESSES`], files are as they are without it. `None` before Linux 5.19, where moving them could not be
/// permitted.
fn layer() -> Option<RulesetCreated> {
    let layer = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer | AccessFs::WriteFile)
        .ok()?
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::Signal)
        .ok()?
        .create()
        .ok()?;
    let layer = permit_everywhere(layer, AccessFs::Refer)?;
    let Ok(entries) = fs::read_dir(EVERYWHERE) else {
        return permit_everywhere(layer, AccessFs::WriteFile);
    };
    let entries = entries.flatten();
    // A link leads to what another entry permits, or to PROCESSES.
    let own = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    let others = own.map(|entry| entry.path()).filter(|path| path != Path::new(PROCESSES));
    // One that has just gone needs no permission. One that may not be looked at, by SELinux for instance, has none: it
    // would be an error for all.
    let fds = others.filter_map(|path| PathFd::new(path).ok()).filter(|fd| fstat(fd).is_ok());
    let rules = fds.map(|fd| Ok::<_, RulesetError>(PathBeneath::new(fd, AccessFs::WriteFile)));
    layer.add_rules(rules).ok()
}

fn permit_everywhere(layer: RulesetCreated, access: AccessFs) -> Option<RulesetCreated> {
    layer.add_rule(PathBeneath::new(PathFd::new(EVERYWHERE).ok()?, access)).ok()
}

/// Gives this thread a layer of its own, which is that of a process it starts as well. Where the kernel has no such layer,
/// the thread has none.
///
/// # Errors
/// No layer could be made.
pub(super) fn keep_apart() -> io::Result<()> {
    if let Some(layer) = layer() {
        layer.restrict_self().map_err(io::Error::other)?;
    }
    own_alone::restrict()
}
