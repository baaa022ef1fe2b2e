//! Answers go to stdout or a file; everything else goes to stderr.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::{Failure, Outcome, complain};
use crate::system::take_after;
use crate::wrap::wrapped;

/// The visible form of a reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// For stdout.
    pub(crate) text: String,
    /// Whether `text` is sentences, which a terminal may show on more lines than they have.
    pub(crate) is_prose: bool,
    /// For stderr: what was refused, and why.
    pub(crate) refusals: Vec<String>,
    /// Whether `text` itself mentions more that was not answered.
    pub(crate) partial: bool,
    /// The exit status, if the result has one of its own.
    pub(crate) status: Option<u8>,
}

impl Shown {
    /// Writes it to a file or, without one, to stdout. Colours are only kept on a terminal, and
    /// only if NO_COLOR is not set.
    ///
    /// # Errors
    /// Writing failed. A file is left unchanged then, and also if there is nothing to write.
    pub(crate) fn write(&self, file: Option<&Path>) -> Result<Outcome, Failure> {
        match file {
            None => {
                let text = match columns().filter(|_| self.is_prose) {
                    Some(columns) => wrapped(&self.text, columns).into(),
                    None => Cow::from(&self.text),
                };
                let mut stdout = anstream::stdout().lock();
                stdout.write_all(text.as_bytes())?;
                stdout.flush()?;
            }
            Some(_) if self.text.is_empty() => {}
            Some(file) => {
                let text = anstream::adapter::strip_str(&self.text).to_string();
                replace(file, text.as_bytes())
                    .map_err(|why| Failure::File { path: file.to_owned(), why })?;
            }
        }
        self.refusals.iter().for_each(complain);
        let is_complete = self.refusals.is_empty() && !self.partial;
        Ok(match self.status {
            Some(status) => Outcome::Status(status),
            None if is_complete => Outcome::Complete,
            None => Outcome::Partial,
        })
    }
}

/// The width of a console that does not say its own, such as a serial one.
const USUAL_COLUMNS: u16 = 80;

/// How wide the terminal on stdout is. `None` if there is no terminal.
pub(crate) fn columns() -> Option<usize> {
    let told = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0);
    io::stdout().is_terminal().then(|| told.unwrap_or(USUAL_COLUMNS).into())
}

/// The same of the terminal on stderr.
pub(crate) fn stderr_columns() -> Option<usize> {
    let told = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0);
    io::stderr().is_terminal().then(|| told.unwrap_or(USUAL_COLUMNS).into())
}

/// Replaces a file with one of that content, so that a reader sees either the old or the new one
/// and never a part. The new one has the owner and the mode of the old one; a symbolic link stays
/// one, and what it leads to is replaced.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let file = &behind_links(file)?;
    let before = match fs::metadata(file) {
        // A device such as /dev/stdout would be replaced by a file.
        Ok(meta) if !meta.is_file() => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        before => before.ok(),
    };
    let partial = beside(file)?;
    // One that was left there, or that somebody else has put there, is not written to.
    let _ = fs::remove_file(&partial);
    let written = File::create_new(&partial).and_then(|mut file| {
        before.iter().try_for_each(|before| take_after(&file, before))?;
        file.write_all(content)?;
        file.sync_data()
    });
    let replaced = written.and_then(|()| fs::rename(&partial, file));
    if replaced.is_err() {
        let _ = fs::remove_file(&partial);
    }
    replaced
}

/// The path behind symbolic links: where a shell would write to with `>`.
///
/// # Errors
/// The system does not follow the link, such as one that another user has put into /tmp (see
/// fs.protected_symlinks in proc_sys_fs(5)), or this user may not write to what is behind it.
fn behind_links(file: &Path) -> io::Result<PathBuf> {
    /// As many as Linux follows: path_resolution(7).
    const LINKS_MAX: usize = 40;
    let mut path = file.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        match File::options().write(true).open(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Ok(path)
}

/// A name in the same folder that no collector of metrics reads, and no other process uses.
fn beside(file: &Path) -> io::Result<PathBuf> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(file.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Shown {
        Shown { text: text.to_owned(), ..Shown::default() }
    }

    /// The names in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_written_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.prom");
        for text in ["a 1\n", "\u{1b}[32mb\u{1b}[0m 2\n"] {
            assert_eq!(shown(text).write(Some(&file)).unwrap(), Outcome::Complete);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "b 2\n", "without colours");
        assert_eq!(names(folder.path()), ["host.prom"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_keeps_its_mode_and_a_link_to_it_stays_a_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o7777;
        fs::write(path("file"), "before").unwrap();
        for mode_before in [0o600, 0o664] {
            fs::set_permissions(path("file"), fs::Permissions::from_mode(mode_before)).unwrap();
            shown("then").write(Some(&path("file"))).unwrap();
            assert_eq!(mode("file"), mode_before);
        }
        fs::create_dir(path("below")).unwrap();
        symlink("../file", path("below/link")).unwrap();
        symlink("below/link", path("link")).unwrap();
        symlink("new", path("leads-nowhere")).unwrap();
        for (link, target) in [("link", "file"), ("leads-nowhere", "new")] {
            shown("through a link").write(Some(&path(link))).unwrap();
            assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(path(target)).unwrap(), "through a link");
        }
        symlink("circle", path("circle")).unwrap();
        assert!(shown("x").write(Some(&path("circle"))).is_err());
        assert_eq!(names(folder.path()).len(), 6, "nothing is left beside them");
    }

    #[test]
    fn where_there_is_nothing_to_write_or_no_room_the_file_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.prom");
        fs::write(&file, "before").unwrap();
        shown("").write(Some(&file)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        for place in [Path::new("/dev/full"), &folder.path().join("none/host.prom"), folder.path()]
        {
            let failed = shown("x").write(Some(place));
            assert!(matches!(failed, Err(Failure::File { .. })), "{}", place.display());
        }
        assert_eq!(names(folder.path()), ["host.prom"]);
    }
}
