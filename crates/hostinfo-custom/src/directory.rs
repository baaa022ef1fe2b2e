//! The directory of definitions: who may write to it, and what its files define.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostinfo_catalog::metric::Metric;
use hostinfo_file::in_words;
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::account::Accounts;
use crate::definition::Definition;
use crate::limits::{FILE_MAX, FILES_MAX};
use crate::parse::parse;
use crate::problem::Problem;

/// The definitions of a directory, by name, and what is wrong with it.
#[derive(Clone, Default)]
pub(crate) struct Found {
    pub(crate) definitions: BTreeMap<String, Definition>,
    pub(crate) problems: Vec<Problem>,
    /// Something could not be read for a reason that passes by itself: no descriptors or no memory are left.
    pub(crate) is_passing: bool,
    places: BTreeMap<String, (PathBuf, usize)>,
}

/// Reads the directory's `*.toml` files in the order of their names. Hidden files, such as those
/// that editors create, are skipped. Directory and files must belong to `owner`, and nobody else
/// may be able to write to them. A directory that does not exist defines nothing.
pub(crate) fn read(directory: &Path, owner: u32, accounts: &Accounts) -> Found {
    let mut found = Found::default();
    let (opened, names) = match open(directory, owner) {
        Ok(opened) => opened,
        Err(Refused::Gone) => return found,
        Err(refused) => {
            found.refuse(directory, &refused);
            return found;
        }
    };
    if names.len() > FILES_MAX {
        let message =
            format!("holds over {FILES_MAX} files: those that come after them are not read");
        found.problems.push(Problem::of(directory, message));
    }
    for name in names.iter().take(FILES_MAX) {
        let name = Path::new(OsStr::from_bytes(name));
        let path = directory.join(name);
        match text(&opened, name, owner) {
            Ok(text) => found.add(parse(&text, &path, accounts), &path),
            Err(Refused::Gone) => {}
            Err(refused) => found.refuse(&path, &refused),
        }
    }
    found.name_metrics();
    found
}

impl Found {
    /// These definitions, with nothing wrong.
    #[cfg(test)]
    pub(crate) fn of(definitions: BTreeMap<String, Definition>) -> Self {
        Self { definitions, ..Self::default() }
    }

    fn refuse(&mut self, path: &Path, refused: &Refused) {
        self.is_passing |= refused.is_passing();
        self.problems.push(Problem::of(path, refused.to_string()));
    }

    /// Adds either all of a file or none of it.
    fn add(&mut self, parsed: Result<Vec<(Definition, usize)>, Vec<Problem>>, path: &Path) {
        let definitions = match parsed {
            Ok(definitions) => definitions,
            Err(problems) => return self.problems.extend(problems),
        };
        let before = self.problems.len();
        for (definition, line) in &definitions {
            if let Some((other, at)) = self.places.get(&definition.name) {
                let (name, other) = (&definition.name, other.display());
                let message = format!("custom.{name} is already defined at {other}:{at}");
                let line = Some(*line);
                self.problems.push(Problem { line, ..Problem::of(path, message) });
            }
        }
        if self.problems.len() > before {
            return;
        }
        for (definition, line) in definitions {
            self.places.insert(definition.name.clone(), (path.to_owned(), line));
            self.definitions.insert(definition.name.clone(), definition);
        }
    }

    /// OpenMetrics allows neither dots nor hyphens, so two statistics can end up with the same
    /// name. The first of them gets it, whichever is asked for.
    fn name_metrics(&mut self) {
        let mut taken: HashMap<String, &str> = HashMap::new();
        for (name, definition) in &mut self.definitions {
            let metric = Metric::of_custom(name, definition.about.kind, definition.about.unit);
            let names = metric.names();
            if let Some(first) = names.iter().find_map(|name| taken.get(name)) {
                let message = format!(
                    "custom.{name} is left out of `metrics`: as {} it could not be told from \
                     custom.{first}",
                    metric.sample
                );
                let place = self.places.get(name);
                let (path, line) = place.map_or((Path::new(""), None), |(p, l)| (p, Some(*l)));
                self.problems.push(Problem { line, ..Problem::of(path, message) });
                continue;
            }
            taken.extend(names.into_iter().map(|metric| (metric, name.as_str())));
            Arc::make_mut(&mut definition.about).metric = Some(metric);
        }
    }
}

/// Why a directory or a file is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it is gone")]
    Gone,
    #[error("it belongs to user {is}, not to user {wanted}: `chown {wanted}` it, or remove it")]
    Owner { is: u32, wanted: u32 },
    #[error("users other than its owner can write to it: `chmod go-w` it")]
    Writable,
    #[error("it is not a directory: put a directory in its place, or take it away")]
    NotADirectory,
    #[error("it is {0}, not a regular file: put a regular file in its place, or take it away")]
    NotAFile(&'static str),
    #[error("it has over {FILE_MAX} bytes: spread it over several files")]
    TooLong,
    #[error("it is not UTF-8: save it as UTF-8")]
    NotText,
    #[error("it cannot be read: {}", in_words(.0))]
    Unread(io::Error),
}

impl Refused {
    fn is_passing(&self) -> bool {
        matches!(self, Self::Unread(error) if hostinfo_file::is_passing(error))
    }
}

impl From<Errno> for Refused {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::Gone,
            Errno::NOTDIR => Self::NotADirectory,
            error => Self::Unread(error.into()),
        }
    }
}

impl From<hostinfo_file::Error> for Refused {
    fn from(error: hostinfo_file::Error) -> Self {
        match error {
            hostinfo_file::Error::NotAFile(what) => Self::NotAFile(what),
            hostinfo_file::Error::TooLong(_) => Self::TooLong,
            hostinfo_file::Error::Failed(error) => Self::Unread(error),
        }
    }
}

/// Checks by the descriptor, so that what is checked is what is read, wherever the path leads in
/// the meantime. An ACL that lets others write shows in the group bits.
fn check(fd: impl AsFd, owner: u32) -> Result<(), Refused> {
    let stat = rustix::fs::fstat(fd)?;
    if stat.st_uid != owner {
        return Err(Refused::Owner { is: stat.st_uid, wanted: owner });
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(Refused::Writable);
    }
    Ok(())
}

/// The directory and the names of its files.
fn open(directory: &Path, owner: u32) -> Result<(OwnedFd, Vec<Vec<u8>>), Refused> {
    let flags = hostinfo_file::FLAGS | OFlags::DIRECTORY;
    let fd = rustix::fs::open(directory, flags, Mode::empty())?;
    check(&fd, owner)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&fd)? {
        let name = entry?.file_name().to_bytes().to_owned();
        if name.ends_with(b".toml") && !name.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok((fd, names))
}

fn text(directory: &OwnedFd, name: &Path, owner: u32) -> Result<String, Refused> {
    let fd = rustix::fs::openat(directory, name, hostinfo_file::FLAGS, Mode::empty())?;
    check(&fd, owner)?;
    let bytes = hostinfo_file::read_from(&File::from(fd), FILE_MAX)?;
    String::from_utf8(bytes).map_err(|_| Refused::NotText)
}

#[cfg(test)]
mod tests;
