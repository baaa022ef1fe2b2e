//! The entries of directories through which a path leads.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

use hostinfo_file::way::{LINKS_MAX, STEPS_MAX};

/// One entry of one directory, whose path contains no symbolic link.
pub(crate) type Step = (PathBuf, OsString);

/// Every directory and symbolic link on an absolute path, and then its target or the
/// first thing that is missing. If the path leads nowhere, as in a circle of links, the part of it
/// that the kernel follows: once mended, the path continues from there. It also ends at a link that is not to be followed,
/// and after [`STEPS_MAX`] steps.
pub(crate) fn path_steps(path: &Path, is_followed: fn(&Path) -> bool) -> Vec<Step> {
    let mut todo: VecDeque<OsString> = parts(path).collect();
    let mut here = PathBuf::from("/");
    let (mut steps, mut links) = (Vec::new(), 0);
    while steps.len() < STEPS_MAX
        && let Some(part) = todo.pop_front()
    {
        if part == OsStr::new("..") {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        let link = fs::read_link(&next);
        steps.push((here.clone(), part));
        match link {
            Ok(_) if links == LINKS_MAX || !is_followed(&next) => break,
            Ok(target) => {
                links += 1;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    todo.push_front(part);
                }
            }
            Err(_) if next.is_dir() => here = next,
            Err(_) => break,
        }
    }
    steps
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

    /// The part of the way that is below a folder.
    fn names(path: &Path, below: &Path) -> Vec<String> {
        let steps = path_steps(path, |_| true).into_iter();
        let shown = |step: Step| {
            let path = step.0.join(step.1);
            path.strip_prefix(below).ok().map(|path| path.to_string_lossy().into_owned())
        };
        steps.filter_map(shown).filter(|name| !name.is_empty()).collect()
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let below = fs::canonicalize(folder.path()).unwrap();
        (folder, below)
    }

    #[test]
    fn every_directory_and_link_on_the_way_is_a_step_and_the_file_the_last() {
        let (_folder, below) = folder();
        fs::create_dir_all(below.join("v1")).unwrap();
        fs::write(below.join("v1/rules"), "").unwrap();
        symlink("v1", below.join("current")).unwrap();
        symlink("current/../current/rules", below.join("conf")).unwrap();
        symlink(below.join("conf"), below.join("absolute")).unwrap();
        assert_eq!(names(&below.join("v1/rules"), &below), ["v1", "v1/rules"]);
        assert_eq!(
            names(&below.join("absolute"), &below),
            ["absolute", "conf", "current", "v1", "current", "v1", "v1/rules"]
        );
        let first = below.components().nth(1).unwrap();
        assert_eq!(path_steps(&below, |_| true)[0], ("/".into(), first.as_os_str().to_owned()));
    }

    #[test]
    fn the_first_thing_that_is_missing_is_the_last_step() {
        let (_folder, below) = folder();
        symlink("gone/rules", below.join("conf")).unwrap();
        assert_eq!(names(&below.join("conf"), &below), ["conf", "gone"]);
        fs::write(below.join("gone"), "").unwrap();
        assert_eq!(names(&below.join("conf"), &below), ["conf", "gone"]);
    }

    #[test]
    fn each_link_of_a_circle_is_a_step() {
        let (_folder, below) = folder();
        symlink("b", below.join("a")).unwrap();
        symlink("a", below.join("b")).unwrap();
        symlink("self", below.join("self")).unwrap();
        let steps = names(&below.join("a"), &below);
        assert_eq!(
            (steps.len(), &steps[..3]),
            (LINKS_MAX + 1, &["a", "b", "a"].map(String::from)[..])
        );
        assert_eq!(names(&below.join("self"), &below)[0], "self");
    }
}
