//! A host made of files, which can change while it is read.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hostinfo_catalog::{STATS, Source};
use hostinfo_sample::examples::copy;
use hostinfo_sample::{Host, HostWindow, Moment, Roots, Units, Vmm};
use tempfile::TempDir;

/// A folder with `proc` and `sys` in it.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    /// A copy of a captured one. Its file `links` lists its symbolic links, one per line with its target: as
    /// links in the source tree they would form a circle, as in sysfs, which some programs cannot handle.
    pub(crate) fn captured(folder: &Path) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        copy(folder, tree.path());
        let links = std::fs::read_to_string(folder.join("links")).unwrap_or_default();
        for (link, target) in links.lines().filter_map(|line| line.split_once(' ')) {
            let link = tree.path().join(link);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(target, link).unwrap();
        }
        tree
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The host in it; its kernel counts hundredths of seconds and 4 KiB pages.
    pub(crate) fn host(&self) -> Host {
        Host::with_units(self.roots(), UNITS)
    }

    /// A VMM on that host.
    pub(crate) fn vmm(&self, pid: i32, start: Option<u64>) -> Vmm {
        Vmm::with_units(self.roots(), UNITS, pid, start)
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots { proc: self.path().join("proc"), sys: self.path().join("sys") }
    }
}

const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };

/// What a guest reads for a statistic that long after the start: the value, or the reason.
pub(crate) fn ask(host: &mut Host, name: &str, millis: u64) -> String {
    ask_over(&mut HostWindow::default(), host, name, millis)
}

/// The same for a guest that may have asked before.
pub(crate) fn ask_over(
    window: &mut HostWindow,
    host: &mut Host,
    name: &str,
    millis: u64,
) -> String {
    let stat = STATS.iter().find(|stat| stat.name == name).unwrap();
    let Source::Host(what) = stat.source else { panic!("{name} is not of the host") };
    match host.value(what, window, Moment::new(Duration::from_millis(millis))) {
        Ok(value) => value.to_string(),
        Err(absent) => absent.to_string(),
    }
}
