//! The number of log lines that could not be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter shared by the writers of the log and by what reports the number.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeftOut(Arc<AtomicU64>);

impl LeftOut {
    /// Counts one more.
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts that many more.
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number so far.
    pub(crate) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Reports the lines left out since `told`, with a line written by `log`. If that line is left
    /// out as well, it does not count, and the report is repeated later.
    pub(super) fn tell(&self, told: &mut u64, log: impl FnOnce(u64)) {
        let so_far = self.so_far();
        if so_far == *told {
            return;
        }
        log(so_far - *told);
        if self.so_far() == so_far {
            *told = so_far;
        } else {
            self.0.store(so_far, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_lines_left_out_is_written_once_and_as_soon_as_possible() {
        let (left_out, mut told) = (LeftOut::default(), 0);
        left_out.tell(&mut told, |_| panic!("nothing was left out"));
        (0..3).for_each(|_| left_out.count());
        for _ in 0..2 {
            left_out.tell(&mut told, |_| left_out.count());
            assert_eq!(left_out.so_far(), 3);
        }
        let mut lines = Vec::new();
        left_out.tell(&mut told, |count| lines.push(count));
        left_out.count();
        left_out.tell(&mut told, |count| lines.push(count));
        left_out.tell(&mut told, |count| lines.push(count));
        assert_eq!((lines, left_out.so_far()), (vec![3, 1], 4));
    }
}
