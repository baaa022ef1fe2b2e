//! Below which directories the daemon may write and execute.
//!
//! A rule of Landlock is bound to an inode. A directory that is removed and made anew, as `/run/hostinfo` may be, or a
//! program that an upgrade replaces has another one, so each rule is on the directory above.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the dynamic loaders of Linux's C libraries are: the psABI of each architecture for glibc, and musl. What a
/// program is started by is executed as well. Its directory is permitted, because an upgrade of the C library
/// replaces it, too; since a loader runs every file that can be read, that gives nothing away.
const LOADERS: [&str; 7] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-linux-riscv64-lp64d.so.1",
    "/lib64/lp64d/ld-linux-riscv64-lp64d.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
    "/lib/ld-musl-riscv64.so.1",
];

/// The directory above one that is written to, or above the first one on its way that exists. Never `/`,
/// since everything is below it: in its place the directory itself, and if that is made anew, the daemon has to be
/// restarted. `None` if only `/` exists on its way.
pub(super) fn above(directory: &Path) -> Option<PathBuf> {
    let (real, is_there) = directory
        .ancestors()
        .enumerate()
        .find_map(|(up, path)| fs::canonicalize(path).ok().map(|real| (real, up == 0)))?;
    match real.parent() {
        Some(parent) if is_there && parent.parent().is_some() => Some(parent.to_owned()),
        Some(_) => Some(real),
        None => None,
    }
}

/// Directories of the programs that a daemon which runs from `own` executes: its own, its helper's, the loaders'.
pub(super) fn of_programs(own: &Path) -> Vec<PathBuf> {
    let helpers = hostinfo_domains::programs(own).into_iter();
    let programs = helpers.chain([own.to_owned()]).chain(LOADERS.map(PathBuf::from));
    let real = programs.filter_map(|program| fs::canonicalize(program).ok());
    let mut directories: Vec<PathBuf> =
        real.filter_map(|program| program.parent().map(Path::to_owned)).collect();
    directories.sort_unstable();
    directories.dedup();
    directories
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_directory_may_be_made_anew_so_the_one_above_it_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        assert_eq!(above(&root.join("a/b")), Some(root.join("a")));
        // Neither of the last two exists.
        assert_eq!(above(&root.join("a/b/c/d")), Some(root.join("a/b")));
    }

    #[test]
    fn the_directory_of_a_links_target_is_writable_and_not_that_of_the_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("c")).unwrap();
        symlink(root.join("a/b"), root.join("c/link")).unwrap();
        assert_eq!(above(&root.join("c/link")), Some(root.join("a")));
    }

    #[test]
    fn a_directory_directly_below_the_root_does_not_open_everything() {
        assert_eq!(above(Path::new("/dev")), Some("/dev".into()));
        assert_eq!(above(Path::new("/dev/shm")), Some("/dev".into()));
        assert_eq!(above(Path::new("/no-such-directory/vm")), None);
        assert_eq!(above(Path::new("/")), None);
    }

    #[test]
    fn programs_are_executed_where_they_are_and_so_is_the_loader() {
        let own = std::env::current_exe().unwrap();
        let directories = of_programs(&own);
        assert!(directories.contains(&own.parent().unwrap().to_owned()));
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let loader = maps.split_whitespace().find(|word| word.contains("/ld-"));
        if let Some(loader) = loader {
            let directory = Path::new(loader).parent().unwrap().to_owned();
            assert!(directories.contains(&directory), "{directory:?} of {directories:?}");
        }
    }
}
