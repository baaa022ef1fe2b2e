//! Memory for the text of files, which all guests' readers share: allocating some for each reading takes as long as
//! parsing a short file.

use std::ops::{Deref, DerefMut};

use super::OpenFiles;

/// As much as is kept for the next reading: nearly all texts are shorter.
const KEPT_MAX: usize = 64 * 1024;

/// Memory that goes back when it is let go.
pub(crate) struct Buffer {
    files: OpenFiles,
    bytes: Vec<u8>,
}

impl Buffer {
    /// What is there; new memory if somebody else has it.
    pub(super) fn of(files: &OpenFiles) -> Self {
        Self { files: files.clone(), bytes: files.0.spare.take() }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.capacity() <= KEPT_MAX {
            self.files.0.spare.replace(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_by_one_at_a_time_and_much_of_it_is_not_kept() {
        let files = OpenFiles::default();
        let capacity = |bytes: usize| {
            let mut buffer = Buffer::of(&files);
            buffer.reserve(bytes);
            assert_eq!(Buffer::of(&files).capacity(), 0, "it is used");
            buffer.capacity()
        };
        let first = capacity(100);
        assert_eq!(capacity(1), first);
        assert!(capacity(KEPT_MAX + 1) > KEPT_MAX);
        assert_eq!(Buffer::of(&files).capacity(), 0);
    }
}
