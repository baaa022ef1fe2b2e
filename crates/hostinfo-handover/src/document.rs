//! The document: JSON in a sealed memory file.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;
use serde::Serialize;

/// The longest document, in bytes. A guest that asks takes 2 KiB and one that is watched 12 KiB, so 10,000 watched
/// guests take 117 MiB. If there is more to hand over, the upgrade is refused.
pub const DOCUMENT_MAX: u64 = 256 * 1024 * 1024;

/// Bytes written at a time.
const CHUNK: usize = 64 * 1024;

/// All of them: what was written stays as it is.
const SEALS: SealFlags =
    SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// A memory file with JSON that nobody can change any more: F_SEAL_WRITE and others, fcntl(2).
#[derive(Debug)]
pub struct Document(File);

/// Why a document cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It has more than [`DOCUMENT_MAX`] bytes.
    #[error("it has over {} MiB", DOCUMENT_MAX / 1024 / 1024)]
    Long,
    /// It can still be changed, or is not a memory file.
    #[error("it is not a sealed memory file")]
    Unsealed,
    /// Something in it has no form in JSON, such as a path that is not UTF-8.
    #[error("{0}")]
    Unwritable(serde_json::Error),
    /// A system call failed.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl Document {
    /// Writes a document. Its descriptor is closed when another program is executed, unless FD_CLOEXEC is cleared,
    /// fcntl(2).
    ///
    /// # Errors
    /// [`Error`].
    pub fn write(what: &impl Serialize) -> Result<Self, Error> {
        let file = File::from(memory_file()?);
        let bounded = Bounded { to: &file, left: DOCUMENT_MAX };
        let mut writer = BufWriter::with_capacity(CHUNK, bounded);
        let written = serde_json::to_writer(&mut writer, what);
        written.and_then(|()| writer.flush().map_err(serde_json::Error::io)).map_err(Error::of)?;
        drop(writer);
        fcntl_add_seals(&file, SEALS).map_err(io::Error::from)?;
        Ok(Self(file))
    }

    /// Takes over a document that another program wrote.
    ///
    /// # Errors
    /// [`Error::Unsealed`].
    pub fn open(file: OwnedFd) -> Result<Self, Error> {
        match fcntl_get_seals(&file) {
            Ok(seals) if seals.contains(SEALS) => Ok(Self(File::from(file))),
            _ => Err(Error::Unsealed),
        }
    }

    /// Its JSON.
    ///
    /// # Errors
    /// [`Error::Long`] or [`Error::Failed`].
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let length = self.length()?;
        if length > DOCUMENT_MAX {
            return Err(Error::Long);
        }
        let mut file = &self.0;
        file.rewind()?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(DOCUMENT_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Its length in bytes.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn length(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }
}

/// An empty memory file that cannot be executed; kernels before 6.3 have no flag for that, and make an
/// ordinary one. Where the kernel has the flag, a daemon that has confined itself can make no other.
fn memory_file() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let create = |flags| memfd_create("hostinfo-handover", flags);
    Ok(match create(flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => create(flags),
        created => created,
    }?)
}

impl AsFd for Document {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Error {
    fn of(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(io::ErrorKind::FileTooLarge) => Self::Long,
            Some(_) => Self::Failed(error.into()),
            None => Self::Unwritable(error),
        }
    }
}

/// Writes no more than a number of bytes.
struct Bounded<W> {
    to: W,
    left: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u64;
        self.left = self.left.checked_sub(length).ok_or(io::ErrorKind::FileTooLarge)?;
        self.to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_what_was_written_however_often_it_is_read() {
        let document = Document::write(&["a", "b"]).unwrap();
        let again = Document::open(document.as_fd().try_clone_to_owned().unwrap()).unwrap();
        for document in [&document, &again, &again] {
            assert_eq!(document.bytes().unwrap(), br#"["a","b"]"#);
        }
        assert_eq!(document.length().unwrap(), 9);
    }

    #[test]
    fn a_document_cannot_be_changed() {
        let document = Document::write(&7).unwrap();
        assert!((&document.0).write_all(b"8").is_err());
        assert!(document.0.set_len(0).is_err());
    }

    #[test]
    fn a_document_cannot_be_executed_if_the_kernel_can_refuse_that() {
        use std::os::unix::fs::PermissionsExt as _;
        let may_refuse = memfd_create("x", MemfdFlags::NOEXEC_SEAL).is_ok();
        let mode = Document::write(&7).unwrap().0.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o111 == 0, may_refuse, "{mode:o}");
    }

    #[test]
    fn a_document_that_could_still_change_is_not_read() {
        let open = |fd| Document::open(fd).unwrap_err();
        let flags = MemfdFlags::ALLOW_SEALING;
        assert!(matches!(open(memfd_create("x", flags).unwrap()), Error::Unsealed));
        assert!(matches!(open(File::open("/dev/null").unwrap().into()), Error::Unsealed));
    }

    #[test]
    fn a_document_that_is_too_long_is_not_written() {
        let mut bounded = Bounded { to: Vec::new(), left: 3 };
        bounded.write_all(b"abc").unwrap();
        let error = bounded.write_all(b"d").unwrap_err();
        assert!(matches!(Error::of(serde_json::Error::io(error)), Error::Long));
        assert_eq!(bounded.to, b"abc");
    }
}
