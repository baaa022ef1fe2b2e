//! The commands that install what is missing, by the way that hostinfo came onto this host.

use std::path::Path;

/// What the package hostinfo-host brings, and `make install` does not.
const OF_PACKAGE: &str = "usr/share/hostinfo/packages";

/// Installed with hostinfo, by the package hostinfo-selinux or by `make install`.
const MODULES: [&str; 2] =
    ["usr/share/hostinfo/selinux/install", "usr/local/share/hostinfo/selinux/install"];

/// The command that brings back a file of hostinfo's on the host below `root`.
pub(super) fn again(root: &Path) -> String {
    match (root.join(OF_PACKAGE).exists(), has_dnf(root)) {
        (true, true) => "dnf reinstall ./hostinfo-host-*.rpm".to_owned(),
        (true, false) => "apt install --reinstall ./hostinfo-host_*.deb".to_owned(),
        (false, _) => "make install".to_owned(),
    }
}

/// The command that gives SELinux hostinfo's module on the host below `root`.
pub(super) fn module(root: &Path) -> String {
    if let Some(install) = MODULES.into_iter().find(|path| root.join(path).exists()) {
        return format!("sh /{install}");
    }
    match has_dnf(root) {
        true => "dnf install ./hostinfo-selinux-*.rpm".to_owned(),
        false => "apt install ./hostinfo-selinux_*.deb".to_owned(),
    }
}

fn has_dnf(root: &Path) -> bool {
    root.join("usr/bin/dnf").exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_missing_is_installed_as_hostinfo_was() {
        let host = tempfile::tempdir().unwrap();
        let has = |file: &str| {
            let file = host.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        };
        assert_eq!(again(host.path()), "make install");
        assert_eq!(module(host.path()), "apt install ./hostinfo-selinux_*.deb");
        has("usr/share/hostinfo/packages/upgrade");
        assert_eq!(again(host.path()), "apt install --reinstall ./hostinfo-host_*.deb");
        has("usr/bin/dnf");
        assert_eq!(again(host.path()), "dnf reinstall ./hostinfo-host-*.rpm");
        assert_eq!(module(host.path()), "dnf install ./hostinfo-selinux-*.rpm");
        has("usr/local/share/hostinfo/selinux/install");
        assert_eq!(module(host.path()), "sh /usr/local/share/hostinfo/selinux/install");
    }
}
