//! vhostmd's metrics disk: a document in a raw file that a guest reads as a block device.
//!
//! A header of four big-endian words (signature, busy flag, checksum, length), the content,
//! zeros. A reader sees the file at any moment. It takes the content for whole where no busy flag
//! was set and the checksum was the same before and after, does not look at the checksum
//! otherwise, and waits for a flag to be cleared without end.

use std::mem;

use crate::vhostmd::EMPTY;

/// The size of the file.
pub const SIZE: usize = 256 * 1024;

/// The longest content: with its header it fills the file.
pub const CONTENT_MAX: usize = SIZE - HEADER;

const HEADER: usize = 4 * mem::size_of::<u32>();
const SIGNATURE: u32 = u32::from_be_bytes(*b"mvbd");

/// Where the header's words are. The checksum's and the length's are written as one.
const SIGNATURE_AT: u64 = 0;
const BUSY_AT: u64 = 4;
const CHECKSUM_AT: u64 = 8;
const CONTENT_AT: u64 = HEADER as u64;

/// What has to be written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From the file's beginning.
    pub offset: u64,
    /// All of it, before the next step.
    pub bytes: Vec<u8>,
}

/// A document does not fit the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a document of {0} bytes does not fit a metrics disk of {SIZE}")]
pub struct TooLong(pub usize);

/// A disk by what was last written on it.
#[derive(Debug, Default)]
pub struct Disk {
    /// `None`: anything may stand there.
    content: Option<Content>,
    /// What stood there before.
    before: Option<Content>,
}

/// What tells one content from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    checksum: u32,
    length: usize,
}

impl Disk {
    /// A file of [`SIZE`] bytes of which nothing is known: a new one, one that a crash left
    /// behind, or one to which a step could not be written. Its first update writes all of it,
    /// which clears a busy flag that was stuck.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps that put `document` in place of what the disk holds, in their order. Where one
    /// of them fails, do what [`Disk::give_up`] says, and go on with a new `Disk`.
    ///
    /// # Errors
    /// The document does not fit; the disk stays as it is.
    pub fn update(&mut self, document: &str) -> Result<[Step; 4], TooLong> {
        let text = other_than(self.content, document);
        if text.len() > CONTENT_MAX {
            return Err(TooLong(text.len()));
        }
        self.before = self.content;
        self.content = Some(Content { checksum: checksum(text), length: text.len() });
        let length = self.before.map_or(CONTENT_MAX, |before| before.length);

        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(length.max(text.len()), 0);
        Ok([
            words(SIGNATURE_AT, &[SIGNATURE, 1]),
            Step { offset: CONTENT_AT, bytes },
            checksum_and_length(text),
            words(BUSY_AT, &[0]),
        ])
    }

    /// The steps that leave a disk with nothing to see on which one of [`Disk::update`]'s failed, as
    /// on a full file system, each to be tried whatever becomes of the others. A reader that found
    /// it busy would wait for ever. They are all within the first page of the file, which those
    /// before them have changed already if any could.
    pub fn give_up(self) -> [Step; 3] {
        let text = other_than(self.before, EMPTY);
        [
            Step { offset: CONTENT_AT, bytes: text.into() },
            checksum_and_length(text),
            words(SIGNATURE_AT, &[SIGNATURE, 0]),
        ]
    }
}

/// The document as it is put in place of what stands there `before`.
///
/// On its disk, vhostmd ends the document with one line end. A second one makes the checksum another
/// where it would be that of the content before: the reader would not see that they were exchanged
/// under its hands, nor that the new one is new.
fn other_than(before: Option<Content>, document: &str) -> &str {
    let short = document.strip_suffix('\n').unwrap_or(document);
    let same = before.is_some_and(|before| before.checksum == checksum(short));
    if same { document } else { short }
}

fn checksum_and_length(text: &str) -> Step {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    words(CHECKSUM_AT, &[checksum(text), length])
}

fn words(offset: u64, words: &[u32]) -> Step {
    Step { offset, bytes: words.iter().flat_map(|word| word.to_be_bytes()).collect() }
}

/// The sum of the bytes, as vhostmd's C has them: signed.
fn checksum(text: &str) -> u32 {
    text.bytes()
        .fold(0u32, |sum, byte| sum.wrapping_add_signed(i32::from(i8::from_ne_bytes([byte]))))
}

#[cfg(test)]
mod tests;
