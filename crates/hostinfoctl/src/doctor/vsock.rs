//! Who may open /dev/vhost-vsock. They can take an address that is free, and pass for the guest that has it next.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::finding::{Finding, Subject::Vsock};

/// The kernel gives an address to whoever opens it, also only to read.
const DEVICE: &str = "dev/vhost-vsock";

/// Where the rule of `docs/vsock.md` belongs.
const RULES: &str = "/etc/udev/rules.d/60-vhost-vsock.rules";

/// The same rule: it holds from the device's next appearance on, also where the node is made before the module is loaded.
const RULE: &str =
    r#"KERNEL=="vhost-vsock", GROUP="kvm", MODE="0660", OPTIONS+="static_node=vhost-vsock""#;

/// Looks whether every user of the host below `root` may open the device.
pub(super) fn look(root: &Path) -> Option<Finding> {
    let mode = match root.join(DEVICE).metadata() {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(Vsock.unseen(format!("/{DEVICE}: {error}"))),
    };
    (mode & 0o006 != 0).then(|| {
        let words = format!(
            "every user of this host may open /{DEVICE}, and so ask as a guest whose address is free: see docs/vsock.md"
        );
        let commands = [
            format!("echo '{RULE}' >{RULES}"),
            format!("chgrp kvm /{DEVICE} && chmod 0660 /{DEVICE}"),
        ];
        Vsock.problem(words, &commands)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    use super::super::finding::Level;

    #[test]
    fn a_device_that_every_user_may_open_is_a_problem_which_the_documented_rule_mends() {
        let host = tempfile::tempdir().unwrap();
        assert!(look(host.path()).is_none(), "there is none");
        let device = host.path().join(DEVICE);
        fs::create_dir(host.path().join("dev")).unwrap();
        fs::write(&device, "").unwrap();
        let look = |mode| {
            fs::set_permissions(&device, Permissions::from_mode(mode)).unwrap();
            look(host.path())
        };
        assert!(look(0o660).is_none());
        for mode in [0o666, 0o664, 0o662] {
            let found = look(mode).unwrap();
            assert_eq!(found.level, Level::Problem);
            assert!(found.remedy[0].contains(RULE) && found.remedy[1].starts_with("chgrp kvm "));
        }
        let docs = fs::read_to_string("../../docs/vsock.md").unwrap();
        assert!(docs.contains(RULE) && docs.contains(RULES));
    }
}
