//! What is told where libvirt is not asked, or does not answer, with what would mend it.

use hostinfo_domains::PROGRAM;

/// Why there is no helper.
pub(super) fn not_installed() -> String {
    format!("{PROGRAM} is not installed: install it where there is libvirt")
}

/// An outage, and what would end it.
pub(super) fn remedy(why: &str) -> String {
    format!(
        "{why}; what only libvirt knows is not told until it answers: see to libvirtd or virtqemud, \
         and that {PROGRAM} may connect to it"
    )
}
