//! Lists of CPUs and nodes, as sysfs writes them.

use crate::text::number;

/// The most CPUs a host may have: the largest number the kernel can be built for (x86, MAXSMP).
pub(crate) const CPUS_MAX: usize = 8192;

/// ```text
/// 0-3,5,7-511
/// ```
///
/// The numbers, in order. `None` if it is not a list, is empty, or is over [`CPUS_MAX`].
pub(crate) fn parse(text: &[u8]) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim_ascii().split(|byte| *byte == b',') {
        let mut ends = part.splitn(2, |byte| *byte == b'-').map(cpu);
        let first = ends.next()??;
        let last = ends.next().unwrap_or(Some(first))?;
        let count = usize::try_from(last.checked_sub(first)?).ok()?;
        if cpus.len() + count >= CPUS_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

fn cpu(word: &[u8]) -> Option<u32> {
    number(word)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_has_numbers_and_ranges() {
        assert_eq!(parse(b"0\n").unwrap(), [0]);
        assert_eq!(parse(b"0-3,5,7-9\n").unwrap(), [0, 1, 2, 3, 5, 7, 8, 9]);
        assert_eq!(parse(b"4,0-1,1").unwrap(), [0, 1, 4]);
        assert_eq!(parse(b"0-8191").unwrap().len(), 8192);
    }

    #[test]
    fn a_text_that_is_no_list_of_cpus_is_none() {
        for text in
            ["", "\n", "-", "3-1", "0-", "1,,2", "0-1-2", "x", "-1", "0-4294967295", "0-8192"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer_of_bounded_size(bytes: Vec<u8>, list in "[0-9,-]{0,40}") {
            parse(&bytes);
            prop_assert!(parse(list.as_bytes()).is_none_or(|cpus| cpus.len() <= CPUS_MAX));
        }
    }
}
