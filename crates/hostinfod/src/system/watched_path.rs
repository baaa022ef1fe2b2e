//! Watches what a path leads to: everything on it that may appear, disappear or be replaced.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hostinfo_file::way::{STEPS_MAX, is_too_long};
use rustix::fs::inotify::{ReadFlags, WatchFlags};

use crate::system::file_error::FileError;
use crate::system::path_steps::{Step, path_steps};
use crate::system::watch::{Change, Watch, Watcher};

/// A path, and which parts of it are watched.
///
/// An error never means that there is nothing to watch. If the path leads nowhere, the watches are
/// where it can be mended. The only thing that the kernel does not report is a file system mounted
/// over a part of it: follow the path again when somebody asks for that.
#[derive(Debug, Clone)]
pub(crate) struct WatchedPath {
    path: PathBuf,
    is_followed: fn(&Path) -> bool,
    /// For each watched directory, the entries that matter. Events without a name are about the
    /// directory itself.
    watches: Vec<(Watch, Vec<OsString>)>,
}

/// Events of a directory whose entries may be replaced.
const ENTRIES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB);

/// Events of every directory. One that is not empty can only disappear by being moved.
const ITSELF: WatchFlags =
    WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF).union(WatchFlags::ONLYDIR);

/// How often the path is followed again if it changed while it was being watched.
const TRIES: usize = 4;

impl WatchedPath {
    /// Watches nothing yet. All symbolic links are followed: for paths on which root alone can make any.
    pub(crate) fn new(path: &Path) -> Self {
        Self::with_links(path, |_| true)
    }

    /// Watches nothing yet, and later nothing beyond a symbolic link that is not to be followed: whoever makes it could lead
    /// the daemon to so many directories that no watches are left for others.
    pub(crate) fn with_links(path: &Path, is_followed: fn(&Path) -> bool) -> Self {
        // Fails only if the current directory is gone, and then a relative path leads nowhere.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { path, is_followed, watches: Vec::new() }
    }

    /// Watches the path as it is now, and its last directory also for `what`. Returns what the path
    /// leads to, which need not exist, and what cannot be watched.
    pub(crate) fn follow(
        &mut self,
        watcher: &Watcher,
        what: WatchFlags,
    ) -> (PathBuf, Vec<FileError>) {
        let mut before: HashSet<Watch> = self.watches.drain(..).map(|(watch, _)| watch).collect();
        let mut steps = self.steps();
        let mut unwatched = self.watch(&steps, watcher, what);
        for _ in 1..TRIES {
            let now = self.steps();
            if now == steps {
                break;
            }
            before.extend(self.watches.drain(..).map(|(watch, _)| watch));
            steps = now;
            unwatched = self.watch(&steps, watcher, what);
        }
        for (watch, _) in &self.watches {
            before.remove(watch);
        }
        before.into_iter().for_each(|watch| watcher.remove(watch));
        (steps.end, unwatched)
    }

    /// Watches the path as it is now. What cannot be watched is in the log.
    pub(crate) fn watch_all(&mut self, watcher: &Watcher) {
        let (_, unwatched) = self.follow(watcher, WatchFlags::empty());
        for error in unwatched {
            tracing::debug!("{error}; changes there take effect only at SIGHUP");
        }
    }

    fn steps(&self) -> Steps {
        Steps::of(path_steps(&self.path, self.is_followed))
    }

    fn watch(&mut self, steps: &Steps, watcher: &Watcher, what: WatchFlags) -> Vec<FileError> {
        let mut unwatched = Vec::new();
        if steps.steps.len() == STEPS_MAX {
            unwatched.push(FileError::of(&self.path)(is_too_long()));
        }
        for (directory, (flags, names)) in steps.directories(what) {
            match watcher.add(directory, flags | ITSELF) {
                Ok(watch) => self.watches.push((watch, names)),
                Err(error) => unwatched.push(FileError::of(directory)(error)),
            }
        }
        unwatched
    }

    /// Whether the path may lead elsewhere after this change.
    pub(crate) fn concerns(&self, change: &Change) -> bool {
        change.what.contains(ReadFlags::QUEUE_OVERFLOW)
            || self.watches.iter().any(|(watch, names)| {
                *watch == change.watch
                    && change.name.as_ref().is_none_or(|name| names.contains(name))
            })
    }
}

/// The steps of a path, as they are now.
#[derive(Debug, PartialEq, Eq)]
struct Steps {
    steps: Vec<Step>,
    end: PathBuf,
    /// Whether the target exists. If not, everything above it may come and go.
    is_there: bool,
}

impl Steps {
    fn of(steps: Vec<Step>) -> Self {
        let end = steps.last().map_or_else(|| "/".into(), |(directory, name)| directory.join(name));
        let is_there = end.symlink_metadata().is_ok_and(|found| !found.is_symlink());
        Self { steps, end, is_there }
    }

    /// Every directory on the path, with the events and entries that matter in it.
    fn directories(&self, what: WatchFlags) -> BTreeMap<&Path, (WatchFlags, Vec<OsString>)> {
        let mut directories = BTreeMap::new();
        for (number, (directory, name)) in self.steps.iter().enumerate() {
            let nothing = (WatchFlags::empty(), Vec::new());
            let (flags, names) = directories.entry(directory.as_path()).or_insert(nothing);
            let is_last = number + 1 == self.steps.len();
            // In directories such as `/tmp` entries come and go all the time: irrelevant ones must
            // not wake the daemon.
            if is_last || !self.is_there || directory.join(name).is_symlink() {
                *flags |= if is_last { ENTRIES | what } else { ENTRIES };
                names.push(name.clone());
            }
        }
        directories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Scene {
        folder: tempfile::TempDir,
        watcher: Watcher,
        watched_path: WatchedPath,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let watched_path = WatchedPath::new(&folder.path().join("a/b/c"));
            Self { folder, watcher: Watcher::new().unwrap(), watched_path }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn follow(&mut self) {
            let (_, errors) = self.watched_path.follow(&self.watcher, WatchFlags::empty());
            assert!(errors.is_empty(), "{errors:?}");
        }

        fn is_noticed(&mut self) -> bool {
            let changes = self.watcher.changes();
            changes.iter().any(|change| self.watched_path.concerns(change))
        }
    }

    #[test]
    fn whatever_on_the_way_comes_goes_or_is_exchanged_is_noticed() {
        let mut scene = Scene::new();
        scene.follow();
        let at = |name: &str| scene.folder.path().join(name);
        let steps: [&dyn Fn(); 8] = [
            &|| fs::create_dir(at("a")).unwrap(),
            &|| fs::create_dir(at("a/b")).unwrap(),
            &|| fs::write(at("a/b/c"), "").unwrap(),
            &|| fs::rename(at("a"), at("z")).unwrap(),
            &|| fs::rename(at("z"), at("a")).unwrap(),
            &|| fs::remove_dir_all(at("a/b")).unwrap(),
            &|| symlink("../d", at("a/b")).unwrap(),
            &|| fs::create_dir(at("d")).unwrap(),
        ];
        let (watcher, mut watched_path) = (&scene.watcher, WatchedPath::new(&at("a/b/c")));
        let _ = watched_path.follow(watcher, WatchFlags::empty());
        for (number, step) in steps.iter().enumerate() {
            step();
            assert!(
                watcher.changes().iter().any(|change| watched_path.concerns(change)),
                "{number}"
            );
            let _ = watched_path.follow(watcher, WatchFlags::empty());
            fs::write(at("other"), "").unwrap();
            let others = watcher.changes();
            assert!(
                !others.iter().any(|change| watched_path.concerns(change)),
                "{number}: {others:?}"
            );
            // While the path leads somewhere, irrelevant entries wake nobody.
            assert!(others.is_empty() || !at("a/b/c").exists(), "{number}: {others:?}");
        }
    }

    #[test]
    fn a_link_that_leads_to_itself_is_watched_where_it_can_be_mended() {
        let mut scene = Scene::new();
        fs::create_dir_all(scene.at("a/b")).unwrap();
        symlink("c", scene.at("a/b/c")).unwrap();
        scene.follow();
        assert_eq!(scene.watched_path.path, scene.at("a/b/c"));
        fs::remove_file(scene.at("a/b/c")).unwrap();
        assert!(scene.is_noticed());
    }

    #[test]
    fn a_path_that_leads_below_a_file_is_watched_where_the_file_is() {
        let mut scene = Scene::new();
        fs::create_dir(scene.at("a")).unwrap();
        fs::write(scene.at("a/b"), "").unwrap();
        let (_, errors) = scene.watched_path.follow(&scene.watcher, WatchFlags::empty());
        assert!(errors.is_empty(), "{errors:?}");
        fs::remove_file(scene.at("a/b")).unwrap();
        assert!(scene.is_noticed());
    }

    #[test]
    fn a_path_through_too_many_directories_is_watched_up_to_a_bound_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d/".repeat(STEPS_MAX));
        fs::create_dir_all(&deep).unwrap();
        let mut watched_path = WatchedPath::new(&deep);
        let (_, errors) = watched_path.follow(&Watcher::new().unwrap(), WatchFlags::empty());
        assert_eq!(watched_path.watches.len(), STEPS_MAX);
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, [format!("{}: {}", watched_path.path.display(), is_too_long())]);
    }

    #[test]
    fn no_watch_is_left_behind_that_is_of_no_use_any_more() {
        let mut scene = Scene::new();
        fs::create_dir_all(scene.at("a/b")).unwrap();
        scene.follow();
        fs::rename(scene.at("a"), scene.at("old")).unwrap();
        fs::create_dir(scene.at("a")).unwrap();
        scene.follow();
        let _ = scene.watcher.changes();
        fs::write(scene.at("old/b/c"), "").unwrap();
        assert_eq!(scene.watcher.changes().len(), 0);
    }
}
