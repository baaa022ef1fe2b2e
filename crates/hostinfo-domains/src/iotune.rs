//! A disk's limits: `<iotune>` in <https://libvirt.org/formatdomain.html#block-i-o-tuning>.

use serde::{Deserialize, Serialize};

use crate::xml::element::Element;

/// The limits of a disk. QEMU delays reads and writes to enforce them, but never flushes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes a second.
    pub bytes: Limit,
    /// Operations a second.
    pub ops: Limit,
    /// Whether there is a limit that cannot be compared with this disk's own figures: several disks
    /// share it (`<group_name>`, `<throttlefilters>`), or a large operation counts as several
    /// (`<size_iops_sec>`).
    pub is_unclear: bool,
}

/// A limit per second: libvirt accepts either one total, or one for each direction. `None` means no
/// limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// For reads and writes together.
    pub total: Option<u64>,
    /// For reads alone.
    pub read: Option<u64>,
    /// For writes alone.
    pub write: Option<u64>,
}

impl Limit {
    /// The disk's overall limit: the sum if both directions are limited. `None` if only one of them
    /// is.
    pub fn in_all(&self) -> Option<u64> {
        self.total.or_else(|| self.read?.checked_add(self.write?))
    }
}

/// The limits in a disk's element.
pub(crate) fn limits(disk: &Element<'_>) -> Limits {
    let has_filters = disk.child("throttlefilters").is_some();
    let Some(tune) = disk.child("iotune") else {
        return Limits { is_unclear: has_filters, ..Limits::default() };
    };
    // 0 means no limit.
    let of = |name| tune.child(name)?.text.trim().parse().ok().filter(|limit| *limit != 0);
    let bytes = Limit {
        total: of("total_bytes_sec"),
        read: of("read_bytes_sec"),
        write: of("write_bytes_sec"),
    };
    let ops = Limit {
        total: of("total_iops_sec"),
        read: of("read_iops_sec"),
        write: of("write_iops_sec"),
    };
    let is_limited = bytes != Limit::default() || ops != Limit::default();
    // A group without limits does not count, and neither does a size for operations that are not
    // limited.
    let is_shared = is_limited && tune.child("group_name").is_some();
    let is_sized = ops != Limit::default() && of("size_iops_sec").is_some();
    Limits { bytes, ops, is_unclear: has_filters || is_shared || is_sized }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Directory, TagSources, describe};

    fn read(of_disk: &str) -> Limits {
        let disk = format!("<disk><target dev='vda'/>{of_disk}</disk>");
        let xml = format!("<domain type='kvm'><devices>{disk}</devices></domain>");
        let found = describe(
            &xml,
            &Directory::of_text(Path::new("/var/lib/hostinfo")),
            &TagSources::default(),
        )
        .unwrap();
        assert_eq!(found.disks[0].dev, "vda");
        found.disks[0].limits
    }

    fn tuned(tune: &str) -> Limits {
        read(&format!("<iotune>{tune}</iotune>"))
    }

    #[test]
    fn reads_and_writes_keep_their_own_limits() {
        let limits = tuned("<read_iops_sec>7</read_iops_sec><write_iops_sec> 8 </write_iops_sec>");
        assert_eq!(limits.ops, Limit { total: None, read: Some(7), write: Some(8) });
        assert_eq!((limits.ops.in_all(), limits.bytes.in_all()), (Some(15), None));
        let limits = tuned("<read_bytes_sec>7</read_bytes_sec>");
        assert_eq!(limits.bytes, Limit { read: Some(7), ..Limit::default() });
        assert_eq!(limits.bytes.in_all(), None, "writes are not limited");
        let limits = tuned("<total_bytes_sec>7</total_bytes_sec>");
        assert_eq!((limits.bytes.in_all(), limits.is_unclear), (Some(7), false));
    }

    #[test]
    fn zero_is_no_limit() {
        for none in ["", "<total_iops_sec>0</total_iops_sec><group_name>a</group_name>"] {
            assert_eq!(tuned(none), Limits::default(), "{none}");
        }
        assert_eq!(read(""), Limits::default());
        let both = tuned("<read_iops_sec>7</read_iops_sec><write_iops_sec>0</write_iops_sec>");
        assert_eq!(both.ops, Limit { read: Some(7), ..Limit::default() });
    }

    #[test]
    fn a_limit_that_the_disks_own_figures_do_not_show_is_unclear() {
        let shared = tuned("<total_iops_sec>7</total_iops_sec><group_name>a</group_name>");
        assert_eq!((shared.ops.total, shared.is_unclear), (Some(7), true));
        let size = "<size_iops_sec>4096</size_iops_sec>";
        assert!(tuned(&format!("<read_iops_sec>7</read_iops_sec>{size}")).is_unclear);
        assert!(!tuned(&format!("<read_bytes_sec>7</read_bytes_sec>{size}")).is_unclear);
        assert!(read("<throttlefilters><filter group='a'/></throttlefilters>").is_unclear);
    }
}
