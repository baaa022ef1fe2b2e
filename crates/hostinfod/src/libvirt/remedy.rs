//! Messages for when libvirt is not asked or does not answer, with the remedy.

use hostinfo_domains::{Domain, PROGRAM};
use hostinfo_sample::Absent;

/// For the guest. The remedy is in the log, at the time when the outage began.
pub(super) const SILENT: Absent = Absent::plain("libvirt does not answer on this host");

/// For the guest, if there is no helper. The administrator's reason is [`SWITCHED_OFF`] or
/// [`not_installed`].
pub(super) const NOT_ASKED: Absent = Absent::plain("this host does not ask libvirt");

/// For the guest, where libvirt has never answered and has no socket.
pub(super) const NOT_RUNNING: Absent = Absent::plain("this host runs no libvirt");

/// Why libvirt is deliberately not asked.
pub(super) const SWITCHED_OFF: &str =
    "what only libvirt knows is unavailable while hostinfod.toml has [libvirt] enabled = false";

/// Why there is no helper.
pub(super) fn not_installed() -> String {
    format!("{PROGRAM} is not installed: install it where there is libvirt")
}

/// An outage, and its remedy.
pub(super) fn remedy(why: &str) -> String {
    format!(
        "{why}; what only libvirt knows is unavailable until it answers: check that libvirtd or \
         virtqemud runs, and that {PROGRAM} may connect to it"
    )
}

/// A domain whose XML cannot be read, and the consequences.
pub(super) fn unread(domain: &Domain, why: &str) -> String {
    let Domain { name, uuid, .. } = domain;
    format!(
        "the XML of the running domain {name:?} cannot be read: {why}; until it can, sockets that \
         no other domain names are not served: shorten it with virsh edit {uuid}, then shut the \
         domain down and start it"
    )
}
