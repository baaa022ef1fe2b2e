//! The same bytes of the helper's are the same lines however they are cut, up to one that is too long.
#![no_main]

use hostinfo_domains::fuzzing::lines;
use hostinfo_domains::limits::LINE_MAX;
use libfuzzer_sys::fuzz_target;

// The first byte says where to cut, so that the fuzzer can try cuts, too.
fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let whole = lines([bytes].into_iter());
    assert_eq!(whole, lines(bytes.chunks(usize::from(*cut) + 1)));
    assert!(whole.iter().flatten().all(|line| line.len() < LINE_MAX && !line.contains(&b'\n')));
    let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!(whole.contains(&None) || whole.len() == ends);
});
