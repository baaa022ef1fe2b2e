//! Whether SELinux and AppArmor know hostinfo: the label of the socket directory, and the daemon's profile.

use std::fs;
use std::path::Path;

use rustix::fs::lgetxattr;

use super::finding::Finding;
use super::finding::Subject::{Daemon, Directory};
use super::install;

/// The kernel's bound of a context: PAGE_SIZE in security/selinux/hooks.c.
const CONTEXT_MAX: usize = 4096;

/// Whether SELinux enforces its policy; it is there while SELinux is on.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// The type that hostinfo's module gives the socket directory.
const OURS: &str = "hostinfo_socket_t";

/// Where libvirt may make sockets by its own policy, as an administrator without the module may have labelled it.
const LIBVIRTS: [&str; 2] = ["virt_image_t", "svirt_image_t"];

/// Looks at the directory of guests' sockets, and at the daemon with that number.
pub(super) fn look(directory: &Path, daemon: Option<u32>) -> Vec<Finding> {
    let enforcing = fs::read_to_string(SELINUX).unwrap_or_default();
    let mut bytes = vec![0; CONTEXT_MAX];
    let length = lgetxattr(directory, "security.selinux", &mut *bytes).unwrap_or_default();
    let label = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
    let profile =
        daemon.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/attr/current")).ok());
    let label = unknown(enforcing.trim(), &label).map(|label| {
        let words = format!(
            "SELinux is enforcing, and {} is of the type {label}: libvirt may make no guest's socket there",
            directory.display()
        );
        Directory.problem(words, &[install::module(Path::new("/"))])
    });
    let has_profile = Path::new("/etc/apparmor.d/hostinfod").exists() && is_apparmor_on();
    let is_unused = has_profile && profile.is_some_and(|profile| profile.trim() == "unconfined");
    let unused = is_unused.then(|| {
        let words = "AppArmor does not confine hostinfod, though there is a profile for it";
        let commands =
            ["apparmor_parser -r /etc/apparmor.d/hostinfod", "systemctl restart hostinfo"];
        Finding { remedy: commands.map(String::from).into(), ..Daemon.note(words) }
    });
    label.into_iter().chain(unused).collect()
}

/// Whether SELinux or AppArmor may deny anything here.
pub(super) fn is_any_on() -> bool {
    Path::new(SELINUX).exists() || is_apparmor_on()
}

fn is_apparmor_on() -> bool {
    let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    enabled.is_ok_and(|it| it.starts_with('Y'))
}

/// The type in the context of a directory in which libvirt may make no sockets: selinux(8).
fn unknown(enforcing: &str, context: &str) -> Option<String> {
    let label = context.trim_end_matches('\0').split(':').nth(2)?;
    let known = label == OURS || LIBVIRTS.contains(&label);
    (enforcing == "1" && !known).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_nobodys_type_is_a_problem_only_where_selinux_enforces() {
        let context = |label| format!("system_u:object_r:{label}:s0\0");
        assert_eq!(unknown("1", &context("var_lib_t")).as_deref(), Some("var_lib_t"));
        for label in ["hostinfo_socket_t", "virt_image_t"] {
            assert_eq!(unknown("1", &context(label)), None);
        }
        assert_eq!(unknown("0", &context("var_lib_t")), None);
        // No SELinux, and no label.
        assert_eq!(unknown("", ""), None);
        assert_eq!(unknown("1", ""), None);
    }
}
