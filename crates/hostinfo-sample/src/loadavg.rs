//! `/proc/loadavg`: how many tasks were running, ready to run, or waiting for a disk.

use hostinfo_catalog::source::Load;
use hostinfo_wire::Value;

use crate::Absent;
use crate::open_files::Reader;
use crate::root::LINE_BYTES;
use crate::text::{millionths, words};
use crate::units::micro;

const UNTOLD: Absent = Absent::untold("/proc/loadavg does not begin with three load averages");

/// Millionths, over 1, 5 and 15 minutes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoadAverages([Option<u64>; 3]);

pub(crate) fn read(roots: &Reader, buffer: &mut Vec<u8>) -> Result<LoadAverages, Absent> {
    let text = roots.kept(&["loadavg"], LINE_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    Ok(parse(text))
}

/// ```text
/// 0.52 0.43 0.33 1/90 24092
/// ```
pub(crate) fn parse(text: &[u8]) -> LoadAverages {
    let mut words = words(text);
    LoadAverages(std::array::from_fn(|_| words.next().and_then(millionths)))
}

impl LoadAverages {
    pub(crate) fn value(&self, what: Load) -> Result<Value<'static>, Absent> {
        let [one, five, fifteen] = self.0;
        match what {
            Load::One => one,
            Load::Five => five,
            Load::Fifteen => fifteen,
        }
        .map(micro)
        .ok_or(UNTOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn load_averages_are_exact() {
        let load = parse(b"0.52 12.40 1024.00 1/90 24092\n");
        let text = [Load::One, Load::Five, Load::Fifteen]
            .map(|what| load.value(what).unwrap().to_string());
        assert_eq!(text, ["0.52", "12.4", "1024"]);
    }

    #[test]
    fn a_load_average_that_is_no_number_is_missing_alone() {
        let load = parse(b"-0.52 0.43");
        assert_eq!(load, LoadAverages([None, Some(430_000), None]));
        assert_eq!(load.value(Load::One), Err(UNTOLD));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
