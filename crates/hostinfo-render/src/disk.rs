//! vhostmd's metrics disk: a document in a raw file that a guest reads as a block device.
//!
//! It consists of a header of four big-endian words (signature, busy flag, checksum, length), the
//! content, and zeros. A reader may look at the file at any moment. It accepts the content as
//! complete if no busy flag was set and the checksum was the same before and after; it does not
//! verify the checksum otherwise, and waits forever for a flag to be cleared.

use std::mem;

use crate::vhostmd::EMPTY;

/// The size of the file.
pub const SIZE: usize = 256 * 1024;

/// The longest content: with its header, it fills the file.
pub const CONTENT_MAX: usize = SIZE - HEADER;

const HEADER: usize = 4 * mem::size_of::<u32>();
const SIGNATURE: u32 = u32::from_be_bytes(*b"mvbd");

/// The offsets of the header's words. The checksum and the length are written together.
const SIGNATURE_AT: u64 = 0;
const BUSY_AT: u64 = 4;
const CHECKSUM_AT: u64 = 8;
const CONTENT_AT: u64 = HEADER as u64;

/// What to write, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From the file's beginning.
    pub offset: u64,
    /// To be written completely before the next step.
    pub bytes: Vec<u8>,
}

/// A document does not fit the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a document of {0} bytes does not fit a metrics disk of {SIZE}")]
pub struct TooLong(pub usize);

/// A disk, described by what was last written to it.
#[derive(Debug, Default)]
pub struct Disk {
    /// `None`: it may contain anything.
    content: Option<Content>,
    /// The content before that.
    before: Option<Content>,
}

/// What distinguishes one content from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    checksum: u32,
    length: usize,
}

impl Disk {
    /// A file of [`SIZE`] bytes with unknown contents: a new one, one left behind by a crash, or
    /// one where a step could not be written. Its first update writes all of it, which clears a
    /// busy flag that was stuck.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps, in order, that replace the disk's content with `document`. If one of them fails,
    /// carry out the steps of [`Disk::give_up`], and continue with a new `Disk`.
    ///
    /// # Errors
    /// The document does not fit; the disk stays unchanged.
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

    /// The steps that leave nothing to see on a disk where a step of [`Disk::update`] failed, for
    /// instance because the file system is full. Try each of them, whether or not the others
    /// succeed. A reader that found the disk busy would wait forever. They are all within the first
    /// page of the file, which the earlier steps have already changed if any step could.
    pub fn give_up(self) -> [Step; 3] {
        let text = other_than(self.before, EMPTY);
        [
            Step { offset: CONTENT_AT, bytes: text.into() },
            checksum_and_length(text),
            words(SIGNATURE_AT, &[SIGNATURE, 0]),
        ]
    }
}

/// The document in the form that replaces the content `before`.
///
/// On its disk, vhostmd ends the document with one line end. If the checksum would be that of the
/// previous content, a second line end changes it: otherwise the reader would notice neither that
/// the content was replaced while it read, nor that the new content is new.
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

/// The sum of the bytes as C in vhostmd computes it: signed.
fn checksum(text: &str) -> u32 {
    text.bytes()
        .fold(0u32, |sum, byte| sum.wrapping_add_signed(i32::from(i8::from_ne_bytes([byte]))))
}

#[cfg(test)]
mod tests;
