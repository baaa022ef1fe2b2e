//! The daemon's own program, as it was started: what is executed anew.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nix::unistd::execve;
use rustix::thread::{
    CapabilitySets, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
};

/// The argument of a program that goes on with what waits at its standard input.
pub(crate) const HANDOVER: &str = "--handover";

/// What the kernel adds to the path of a file that was removed: proc(5).
const DELETED: &[u8] = b" (deleted)";

/// A program and its arguments.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Those behind the program's name, without [`HANDOVER`].
    pub(crate) arguments: Vec<OsString>,
}

/// What tells a file from another at its path, and from itself before it was written to: device, inode, size, and the time
/// of its last change (st_ctime in inode(7)), which nobody can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Program {
    /// The file that is at its path now.
    ///
    /// # Errors
    /// Those of stat(2).
    pub(crate) fn file(&self) -> io::Result<FileState> {
        let found = fs::metadata(&self.path)?;
        Ok(FileState {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// This one. Another file may have its path by the time it is executed.
    ///
    /// # Errors
    /// `/proc` does not say which it is.
    pub(crate) fn own() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let arguments = std::env::args_os().skip(1).filter(|argument| argument != HANDOVER);
        Ok(Self { path: without_mark(path.as_os_str()).into(), arguments: arguments.collect() })
    }

    /// Executes it in place of this one, with `waiting` as its standard input and one variable more in its environment.
    /// Returns only if that fails; then everything is as it was.
    ///
    /// # Errors
    /// Those of execve(2).
    pub(crate) fn execute(
        &self,
        waiting: impl AsFd,
        (name, value): (&str, String),
    ) -> io::Result<Infallible> {
        let path = CString::new(self.path.as_os_str().as_bytes())?;
        let mut all = vec![path.clone()];
        for argument in self.arguments.iter().map(OsString::as_os_str).chain([OsStr::new(HANDOVER)])
        {
            all.push(CString::new(argument.as_bytes())?);
        }
        let others = std::env::vars_os().filter(|(other, _)| other != name);
        let environment = others
            .chain([(name.into(), value.into())])
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        let environment: Vec<CString> = environment.collect::<Result<_, _>>()?;
        let before = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
        rustix::stdio::dup2_stdin(waiting)?;
        keep_capabilities();
        let Err(error) = execve(&path, &all, &environment);
        let _ = clear_ambient_capability_set();
        rustix::stdio::dup2_stdin(before)?;
        Err(error.into())
    }
}

/// A program that is executed has only the capabilities in the ambient set, which are not for others that the daemon
/// starts: so it was emptied. What the service manager had put there is inheritable still.
fn keep_capabilities() {
    let Ok(CapabilitySets { permitted, inheritable, .. }) = capabilities(None) else { return };
    for capability in (permitted & inheritable).iter() {
        // What is missing shows in the new program's log.
        let _ = configure_capability_in_ambient_set(capability, true);
    }
}

fn without_mark(path: &OsStr) -> &OsStr {
    let bytes = path.as_bytes();
    OsStr::from_bytes(bytes.strip_suffix(DELETED).unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_is_looked_for_at_its_path() {
        let path = |text: &str| without_mark(OsStr::new(text)).to_str().unwrap().to_owned();
        assert_eq!(path("/usr/sbin/hostinfod (deleted)"), "/usr/sbin/hostinfod");
        assert_eq!(path("/usr/sbin/hostinfod"), "/usr/sbin/hostinfod");
    }

    #[test]
    fn a_file_is_another_once_it_is_written_to_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program { path: folder.path().join("program"), arguments: Vec::new() };
        assert_eq!(program.file().unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&program.path, "a").unwrap();
        let mut before = program.file().unwrap();
        assert_eq!(program.file().unwrap(), before);
        let other = folder.path().join("other");
        let change: [&dyn Fn() -> io::Result<()>; 3] = [
            &|| fs::write(&program.path, "b"),
            &|| fs::write(&other, "b").and_then(|()| fs::rename(&other, &program.path)),
            &|| fs::File::open(&program.path)?.set_modified(std::time::UNIX_EPOCH),
        ];
        for change in change {
            // The kernel's clock for this has ticks of up to 10 ms.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change().unwrap();
            assert_ne!(program.file().unwrap(), before);
            before = program.file().unwrap();
        }
    }

    #[test]
    fn a_program_that_cannot_be_executed_leaves_standard_input_as_it_was() {
        let program = Program { path: "/nonexistent".into(), arguments: Vec::new() };
        let (_reader, writer) = io::pipe().unwrap();
        let inode = || rustix::fs::fstat(io::stdin()).unwrap().st_ino;
        let before = inode();
        let Err(error) = program.execute(&writer, ("NAME", "value".to_owned()));
        assert_eq!((error.kind(), inode()), (io::ErrorKind::NotFound, before));
    }
}
