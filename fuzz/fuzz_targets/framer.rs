//! The same bytes are the same lines however they are cut, and no line is longer than it may be.
#![no_main]

use hostinfo_wire::limits::LINE_MAX;
use hostinfo_wire::{Frame, Framer};
use libfuzzer_sys::fuzz_target;

// The first byte says where to cut, so that the fuzzer can try cuts, too.
fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let whole = lines([bytes].into_iter());
    assert_eq!(whole, lines(bytes.chunks(usize::from(*cut) + 1)));
    assert_eq!(whole, lines(bytes.chunks(1)));
});

/// The lines, `None` for one that is too long.
fn lines<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Option<Vec<u8>>> {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    for mut chunk in chunks {
        while let Some(frame) = framer.next(&mut chunk) {
            found.push(match frame {
                Frame::Line(line) => {
                    assert!(!line.is_empty() && line.len() <= LINE_MAX);
                    Some(line.to_vec())
                }
                Frame::TooLong => None,
            });
        }
        assert!(chunk.is_empty());
    }
    found
}
