//! The units the kernel counts in, and conversion to base units.

use hostinfo_wire::Value;

/// Units of the kernel's figures that its files do not state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Ticks of `/proc/stat` in a second: USER_HZ.
    pub ticks_per_second: u64,
    /// Bytes in a page.
    pub page_bytes: u64,
}

impl Default for Units {
    /// The units of the kernel that runs this program: see sysconf(3).
    fn default() -> Self {
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        Self { ticks_per_second: rustix::param::clock_ticks_per_second(), page_bytes }
    }
}

impl Units {
    /// Ticks, in seconds.
    pub(crate) fn ticks(self, ticks: u64) -> Value<'static> {
        let micros = u128::from(ticks) * 1_000_000 / u128::from(self.ticks_per_second.max(1));
        Value::Micro(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Pages, in bytes.
    pub(crate) fn pages(self, pages: u64) -> Value<'static> {
        Value::Whole(pages.saturating_mul(self.page_bytes))
    }
}

/// Millionths.
pub(crate) fn micro(micros: u64) -> Value<'static> {
    Value::Micro(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_hundredths_of_a_second_on_most_hosts_and_not_on_all() {
        let hz = |ticks_per_second| Units { ticks_per_second, page_bytes: 4096 };
        assert_eq!(hz(100).ticks(123).to_string(), "1.23");
        assert_eq!(hz(1024).ticks(1).to_string(), "0.000976");
        assert_eq!(hz(0).ticks(u64::MAX), Value::Micro(i64::MAX));
    }
}
