//! What is told where libvirt is not asked, or does not answer, with what would mend it.

use hostinfo_domains::PROGRAM;
use hostinfo_sample::Absent;

/// For the guest. What helps is in the log, from when it came about.
pub(super) const SILENT: Absent = Absent::plain("libvirt does not answer on this host");

/// For the guest, where there is no helper: as [`SWITCHED_OFF`] or [`not_installed`] has it.
pub(super) const NOT_ASKED: Absent = Absent::plain("this host does not ask libvirt");

/// Why there is to be no helper.
pub(super) const SWITCHED_OFF: &str =
    "what only libvirt knows is unavailable while hostinfod.toml has [libvirt] enabled = false";

/// Why there is no helper.
pub(super) fn not_installed() -> String {
    format!("{PROGRAM} is not installed: install it where there is libvirt")
}

/// An outage, and what would end it.
pub(super) fn remedy(why: &str) -> String {
    format!(
        "{why}; what only libvirt knows is unavailable until it answers: check that libvirtd or \
         virtqemud runs, and that {PROGRAM} may connect to it"
    )
}

/// A domain whose XML cannot be read, and what follows.
pub(super) fn unread(name: &str, why: &str) -> String {
    format!(
        "the XML of the running domain {name:?} cannot be read: {why}; until it can, sockets that \
         no other domain names are not served: shorten it with virsh edit {name:?}, then shut the \
         domain down and start it"
    )
}
