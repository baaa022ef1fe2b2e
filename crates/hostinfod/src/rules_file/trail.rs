//! Where a path leads: what has to be watched to see it lead elsewhere.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// One entry of one directory.
pub(crate) type Step = (PathBuf, OsString);

/// Symbolic links that are followed, as the kernel has it: path_resolution(7).
const LINKS_MAX: usize = 40;

/// Every symbolic link on the way to a file, then the file itself, or the first thing that is
/// missing.
///
/// # Errors
/// Where the current directory is gone, or there are too many links.
pub(crate) fn trail(path: &Path) -> io::Result<Vec<Step>> {
    let path = std::path::absolute(path)?;
    let mut todo: VecDeque<OsString> = parts(&path).collect();
    let mut here = PathBuf::from("/");
    let mut steps = Vec::new();
    while let Some(part) = todo.pop_front() {
        if part == OsStr::new("..") {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        if let Ok(target) = fs::read_link(&next) {
            if steps.len() == LINKS_MAX {
                return Err(rustix::io::Errno::LOOP.into());
            }
            steps.push((here.clone(), part));
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                todo.push_front(part);
            }
        } else if todo.is_empty() || fs::symlink_metadata(&next).is_err() {
            steps.push((here, part));
            break;
        } else {
            here = next;
        }
    }
    Ok(steps)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(path: &Path, below: &Path) -> Vec<String> {
        let steps = trail(path).unwrap();
        let shown = |step: &Step| {
            step.0.join(&step.1).strip_prefix(below).unwrap().to_string_lossy().into_owned()
        };
        steps.iter().map(shown).collect()
    }

    #[test]
    fn every_link_on_the_way_is_a_step_and_the_file_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let below = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(below.join("v1")).unwrap();
        fs::write(below.join("v1/rules"), "").unwrap();
        symlink("v1", below.join("current")).unwrap();
        symlink("current/../current/rules", below.join("conf")).unwrap();
        symlink(below.join("conf"), below.join("absolute")).unwrap();
        assert_eq!(names(&below.join("v1/rules"), &below), ["v1/rules"]);
        assert_eq!(
            names(&below.join("absolute"), &below),
            ["absolute", "conf", "current", "current", "v1/rules"]
        );
    }

    #[test]
    fn the_first_thing_that_is_missing_is_the_last_step() {
        let folder = tempfile::tempdir().unwrap();
        let below = fs::canonicalize(folder.path()).unwrap();
        symlink("gone/rules", below.join("conf")).unwrap();
        assert_eq!(names(&below.join("conf"), &below), ["conf", "gone"]);
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(trail(&folder.path().join("a")).is_err());
    }
}
