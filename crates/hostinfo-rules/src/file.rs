//! A rules file's bytes: the one thing here that reads.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The largest file that is read: 100,000 rules of 160 bytes.
pub const FILE_MAX: u64 = 16 * 1024 * 1024;

/// Reads a file, whole or not at all; `None` where there is none.
///
/// # Errors
/// It cannot be read, has over [`FILE_MAX`] bytes, or is a pipe: that could be waited for for ever.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("is a pipe, and has to be a file"));
    }
    let mut text = Vec::new();
    if file.take(FILE_MAX + 1).read_to_end(&mut text)? as u64 > FILE_MAX {
        return Err(io::Error::other(format!("has over {FILE_MAX} bytes: it is no rules file")));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_file_is_read_whole_and_one_that_is_too_long_a_pipe_or_a_directory_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hostinfo.conf");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(&path, "*:\n").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"*:\n");
        File::create(&path).unwrap().set_len(FILE_MAX + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("it is no rules file"));
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        assert!(read(&pipe).unwrap_err().to_string().contains("is a pipe"));
        assert_eq!(read(folder.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
