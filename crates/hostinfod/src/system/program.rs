//! The daemon's own program, as it was started: what is executed anew.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::process::{Child, Command};

use nix::fcntl::AtFlags;
use nix::unistd::execveat;
use rustix::fs::OFlags;
use rustix::io::{Errno, FdFlags};
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

/// The file that was at a program's path, open. It can be executed whatever has the path by then.
#[derive(Debug)]
pub(crate) struct ProgramFile {
    file: fs::File,
    state: FileState,
}

/// What tells a file from another, and from itself before it was written to: device, inode, size, and the time of its last
/// change (st_ctime in inode(7)), which nobody can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl FileState {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl ProgramFile {
    /// A command that executes it.
    pub(crate) fn command(&self) -> Command {
        Command::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Starts that command. Until then, no program that the daemon starts has the descriptor.
    ///
    /// # Errors
    /// It cannot be executed.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Child> {
        rustix::io::fcntl_setfd(&self.file, FdFlags::empty())?;
        let started = command.spawn();
        rustix::io::fcntl_setfd(&self.file, FdFlags::CLOEXEC)?;
        started
    }
}

impl Program {
    /// Opens the file that is at its path now.
    ///
    /// # Errors
    /// Those of open(2).
    pub(crate) fn open(&self) -> io::Result<ProgramFile> {
        let flags = OFlags::PATH.bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        let state = FileState::of(&file.metadata()?);
        Ok(ProgramFile { file, state })
    }

    /// Whether a file is still at its path, and was not written to since it was opened.
    ///
    /// # Errors
    /// Those of stat(2).
    pub(crate) fn is_still(&self, opened: &ProgramFile) -> io::Result<bool> {
        Ok(FileState::of(&fs::metadata(&self.path)?) == opened.state)
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

    /// Executes it in place of this one, from that file, with `waiting` as its standard input and one variable more in its
    /// environment. Returns only if that fails; then everything is as it was.
    ///
    /// # Errors
    /// Those of execveat(2). A script cannot be executed: its interpreter would have to open the file again.
    pub(crate) fn execute(
        &self,
        opened: &ProgramFile,
        waiting: impl AsFd,
        (name, value): (&str, String),
    ) -> io::Result<Infallible> {
        let path = CString::new(self.path.as_os_str().as_bytes())?;
        let mut all = vec![path];
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
        let Err(error) = execveat(&opened.file, c"", &all, &environment, AtFlags::AT_EMPTY_PATH);
        let _ = clear_ambient_capability_set();
        rustix::stdio::dup2_stdin(before)?;
        Err(match error {
            nix::errno::Errno::ENOENT => {
                io::Error::other("it is a script, or its loader is missing")
            }
            error => error.into(),
        })
    }
}

/// Gives this process its program's name. Kernels before 6.14 give it the number of the descriptor that it was executed by.
pub(crate) fn take_name() -> Result<(), Errno> {
    rustix::thread::set_name(c"hostinfod")
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
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Stdio;

    #[test]
    fn the_mark_of_a_deleted_program_is_cut_off_its_path() {
        let path = |text: &str| without_mark(OsStr::new(text)).to_str().unwrap().to_owned();
        assert_eq!(path("/usr/sbin/hostinfod (deleted)"), "/usr/sbin/hostinfod");
        assert_eq!(path("/usr/sbin/hostinfod"), "/usr/sbin/hostinfod");
    }

    #[test]
    fn a_file_is_another_once_it_is_written_to_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program { path: folder.path().join("program"), arguments: Vec::new() };
        assert_eq!(program.open().unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&program.path, "a").unwrap();
        let other = folder.path().join("other");
        let change: [&dyn Fn() -> io::Result<()>; 3] = [
            &|| fs::write(&program.path, "b"),
            &|| fs::write(&other, "b").and_then(|()| fs::rename(&other, &program.path)),
            &|| fs::File::open(&program.path)?.set_modified(std::time::UNIX_EPOCH),
        ];
        for change in change {
            let before = program.open().unwrap();
            assert!(program.is_still(&before).unwrap());
            // The kernel's clock for this has ticks of up to 10 ms.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change().unwrap();
            assert!(!program.is_still(&before).unwrap());
        }
    }

    /// A program that is a script.
    fn script(path: PathBuf, text: &str) -> Program {
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Program { path, arguments: Vec::new() }
    }

    #[test]
    fn what_was_opened_is_run_whatever_has_its_path_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path().join("program"), "echo opened");
        let opened = program.open().unwrap();
        let other = script(folder.path().join("other"), "echo other");
        fs::rename(&other.path, &program.path).unwrap();
        let child = opened.start(opened.command().stdout(Stdio::piped())).unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, b"opened\n");
        assert!(rustix::io::fcntl_getfd(&opened.file).unwrap().contains(FdFlags::CLOEXEC));
    }

    #[test]
    fn a_script_is_not_executed_and_leaves_standard_input_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path().join("program"), "exit 1");
        let (_reader, writer) = io::pipe().unwrap();
        let inode = || rustix::fs::fstat(io::stdin()).unwrap().st_ino;
        let before = inode();
        let opened = program.open().unwrap();
        let Err(error) = program.execute(&opened, &writer, ("NAME", "value".to_owned()));
        assert_eq!(error.to_string(), "it is a script, or its loader is missing");
        assert_eq!(inode(), before);
    }
}
