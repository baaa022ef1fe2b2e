//! What a domain has for vhostmd's clients: a channel and a metrics disk, see `docs/vhostmd.md`.

use std::path::Path;

use super::element::Element;
use crate::limits::SOCKET_PATH_MAX;
use crate::target::VHOSTMD_CHANNEL;

/// The directory of sockets for vhostmd's clients, inside the socket directory.
pub const VHOSTMD_DIR: &str = "vhostmd";

/// The directory of metrics disks, inside the socket directory.
pub const DISK_DIR: &str = "disk";

/// The socket of a channel for vhostmd's clients whose path libvirt has chosen: for each run of a
/// domain it creates a directory named after the domain's `id` and as much of its name as fits.
///
/// ```text
/// /var/lib/libvirt/qemu/channel/target/domain-3-myguest/org.github.vhostmd.1
/// /run/libvirt/qemu/channel/3-myguest/org.github.vhostmd.1
/// ```
pub(super) fn channel(device: &Element<'_>, id: &str) -> Option<String> {
    let target = device.child("target").filter(|_| device.name == "channel")?;
    let path =
        device.paths().next().filter(|_| target.attribute("name") == Some(VHOSTMD_CHANNEL))?;
    let (file, run) = (Path::new(path), Path::new(path).parent()?);
    let above = run.parent()?;
    let name = match run.file_name()?.to_str()? {
        name if above.ends_with("channel") => name,
        name if above.ends_with("channel/target") => name.strip_prefix("domain-")?,
        _ => return None,
    };
    let is_its_own = name.split_once('-').is_some_and(|(number, _)| !id.is_empty() && number == id);
    let is_socket =
        file.is_absolute() && file.file_name()? == VHOSTMD_CHANNEL && path.len() <= SOCKET_PATH_MAX;
    (is_its_own && is_socket).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::{Description, Directory, TagSources, describe};
    use std::path::Path;

    fn read(id: &str, devices: &str) -> Description {
        let xml = format!("<domain type='kvm'{id}><devices>{devices}</devices></domain>");
        describe(&xml, &Directory::of_text(Path::new("/var/lib/hostinfo")), &TagSources::default())
            .unwrap()
    }

    fn with(path: &str, name: &str) -> String {
        let source = format!("<source mode='bind' path='{path}'/>");
        format!("<channel type='unix'>{source}<target type='virtio' name='{name}'/></channel>")
    }

    const OURS: &str = "org.github.vhostmd.1";

    #[test]
    fn channels_and_disks_in_our_directories_are_names_and_no_clauses() {
        let channel = with("/var/lib/hostinfo/vhostmd/qemu-a", OURS);
        let disk = "<disk type='file'><source file='/var/lib/hostinfo/disk/qemu-b'/></disk>";
        let found = read("", &(channel + disk)).names;
        assert_eq!(
            (&*found.vhostmd, &*found.disks),
            (&["qemu-a".into()][..], &["qemu-b".into()][..])
        );
        assert_eq!(found.clauses, [""; 0]);
        for elsewhere in [
            "<disk type='file'><source file='/var/lib/hostinfo/vhostmd/qemu-b'/></disk>",
            "<disk type='file'><source file='/var/lib/hostinfo/qemu-b'/></disk>",
            "<disk type='network'><source name='/var/lib/hostinfo/disk/qemu-b'/></disk>",
            &with("/var/lib/hostinfo/disk/qemu-a", OURS),
        ] {
            assert_eq!(read("", elsewhere).names.beside().count(), 0, "{elsewhere}");
        }
    }

    #[test]
    fn the_place_that_libvirt_chose_for_this_run_is_known_in_both_its_layouts() {
        for path in [
            "/var/lib/libvirt/qemu/channel/target/domain-3-my guest/org.github.vhostmd.1",
            "/run/libvirt/qemu/channel/3-a/org.github.vhostmd.1",
        ] {
            assert_eq!(read(" id='3'", &with(path, OURS)).channel.as_deref(), Some(path));
            assert_eq!(read(" id='4'", &with(path, OURS)).channel, None, "another run's");
            assert_eq!(read("", &with(path, OURS)).channel, None, "it does not run");
            assert_eq!(read(" id='3'", &with(path, "org.qemu.guest_agent.0")).channel, None);
        }
    }

    #[test]
    fn any_other_place_is_not_libvirts() {
        let long = format!("/{}/channel/3-a/{OURS}", "x".repeat(100));
        for path in [
            "/var/lib/hostinfo/vhostmd/qemu-a",
            "/srv/3-a/org.github.vhostmd.1",
            "/srv/channel/target/3-a/org.github.vhostmd.1",
            "/srv/channel/domain-3-a/org.github.vhostmd.1",
            "/srv/channel/3/org.github.vhostmd.1",
            "/srv/channel/3-a/other",
            "channel/3-a/org.github.vhostmd.1",
            "/",
            "",
            &long,
        ] {
            assert_eq!(read(" id='3'", &with(path, OURS)).channel, None, "{path}");
        }
    }
}
