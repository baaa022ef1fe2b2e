//! What the daemon's helper gives up before it talks to libvirt: a layer of Landlock, landlock(7), within what confines
//! the daemon. The daemon and its helper have the same user, so without it the helper could send the daemon signals,
//! read its memory, and make guests' sockets.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetError, Scope,
};

/// All ways to change files that Linux has up to 6.10, and to connect to or listen at TCP ports.
const BOUNDED: ABI = ABI::V5;

/// Confines this thread and those that it starts, as far as the kernel can: signals only since Linux 6.12. Nothing is
/// permitted below any directory: whatever is written was opened before.
///
/// # Errors
/// If the kernel refuses what it offers.
pub(crate) fn enter() -> Result<(), RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(BOUNDED) | AccessFs::Execute)?
        .handle_access(AccessNet::from_all(BOUNDED))?
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?
        .create()?
        .restrict_self()
        .map(drop)
}
