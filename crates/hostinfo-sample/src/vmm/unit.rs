//! What a cgroup was created for, judged by its name.

use std::ffi::OsStr;
use std::iter::successors;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use memchr::memrchr;

use crate::text::number;

/// Whether the cgroup is one that something is started in as a whole, and so a guest with its
/// helpers:
///
/// ```text
/// /machine.slice/machine-qemu\x2d1\x2dweb.scope                   libvirt with systemd-machined
/// /machine/qemu-1-web.libvirt-qemu                                 libvirt alone
/// /qemu.slice/100.scope                                            Proxmox
/// /user.slice/user-1000.slice/session-3.scope                      a shell
/// /system.slice/web.service                                        systemd
/// /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f0c.slice    kubelet
/// /kubepods/burstable/pod1f0c                                      kubelet without systemd
/// ```
pub(crate) fn is_unit(path: &Path) -> bool {
    let name = name(path);
    name.ends_with(b".scope") || name.ends_with(b".service") || is_pod(path) || is_libvirts(path)
}

/// Whether it is a systemd slice, which may contain several units.
pub(crate) fn is_slice(path: &Path) -> bool {
    name(path).ends_with(b".slice") && !is_pod(path)
}

/// Whether it is one pod's, rather than the cgroup of all pods or of a class of pods such as
/// `kubepods-burstable.slice`.
fn is_pod(path: &Path) -> bool {
    let (name, has) =
        (name(path), |part: &[u8], of: &[u8]| of.windows(part.len()).any(|it| it == part));
    if name.ends_with(b".slice") {
        return has(b"kubepods-", name) && has(b"-pod", name);
    }
    name.len() > 3
        && name.starts_with(b"pod")
        && ancestors(path).skip(1).any(|it| self::name(it) == b"kubepods")
}

/// A cgroup that systemd-machined creates for libvirt, with the hyphens of `qemu-1-web` escaped, or
/// one that libvirt creates itself. Other machines of systemd-machined are containers.
pub(crate) fn is_libvirts(path: &Path) -> bool {
    let name = name(path);
    let is_scope = name.starts_with(b"machine-qemu") && name.ends_with(b".scope");
    is_scope || name.ends_with(b".libvirt-qemu")
}

/// Whether libvirt creates cgroups of this name for some of a VMM's threads: `emulator`, `vcpu0`,
/// `iothread1`.
pub(crate) fn is_for_threads(path: &Path) -> bool {
    let name = name(path);
    let numbered = |prefix: &[u8]| name.strip_prefix(prefix).and_then(number).is_some();
    name == b"emulator" || numbered(b"vcpu") || numbered(b"iothread")
}

/// The last part of a cgroup's path. The paths of cgroups have neither empty parts nor dots for parts, so this takes a
/// tenth of what it takes to find them in any path.
pub(crate) fn name(path: &Path) -> &[u8] {
    let bytes = path.as_os_str().as_bytes();
    memrchr(b'/', bytes).and_then(|slash| bytes.get(slash + 1..)).unwrap_or(bytes)
}

/// The path of the cgroup around a cgroup; the empty path is that of the root. `None` for the root.
pub(crate) fn parent(path: &Path) -> Option<&Path> {
    let bytes = path.as_os_str().as_bytes();
    let end = memrchr(b'/', bytes).or_else(|| (!bytes.is_empty()).then_some(0))?;
    bytes.get(..end).map(|parent| Path::new(OsStr::from_bytes(parent)))
}

/// The path of a cgroup, and those of all around it up to the root.
pub(crate) fn ancestors(path: &Path) -> impl Iterator<Item = &Path> {
    successors(Some(path), |path| parent(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_started_as_a_whole() {
        for path in [
            r"machine.slice/machine-qemu\x2d1\x2dweb.scope",
            "machine/qemu-1-web.libvirt-qemu",
            "qemu.slice/100.scope",
            "user.slice/user-1000.slice/session-3.scope",
            "system.slice/web.service",
            "kubepods.slice/kubepods-pod1f.slice",
            "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f_2.slice",
            "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1f.slice",
            "kubepods/pod1f",
            "cpu,cpuacct/kubepods/besteffort/pod1f-2",
        ] {
            assert!(is_unit(Path::new(path)) && !is_slice(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_slice_for_several_units_is_no_unit() {
        for path in [
            "machine.slice",
            "user.slice/user-1000.slice",
            "kubepods.slice",
            "kubepods.slice/kubepods-burstable.slice",
            "machine-pod.slice",
        ] {
            assert!(is_slice(Path::new(path)) && !is_unit(Path::new(path)), "{path}");
        }
        for path in ["", "a", "kubepods/burstable", "kubepods/pod", "elsewhere/pod1f", "a/emulator"]
        {
            assert!(!is_slice(Path::new(path)) && !is_unit(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_cgroups_name_and_what_is_around_it_are_those_of_its_path() {
        for path in ["", "a", "a/b.scope", "cpu,cpuacct/machine/qemu-1-web.libvirt-qemu/vcpu0"] {
            let path = Path::new(path);
            assert_eq!(name(path), path.file_name().unwrap_or_default().as_bytes());
            assert!(ancestors(path).eq(path.ancestors()), "{path:?}");
        }
    }

    #[test]
    fn libvirts_are_told_from_containers() {
        let is = |path| is_libvirts(Path::new(path));
        assert!(is(r"machine-qemu\x2d1\x2dweb.scope") && is("a/qemu-1-web.libvirt-qemu"));
        assert!(!is("machine-debian.scope") && !is(r"machine-lxc\x2d1\x2da.scope"));
        for (path, is) in
            [("emulator", true), ("vcpu12", true), ("iothread1", true), ("vcpu", false)]
        {
            assert_eq!(is_for_threads(Path::new(path)), is, "{path}");
        }
    }
}
