//! The log lines about users who connect and are not served: with `--listen`, everybody may connect.

use std::time::Instant;

use crate::limits::LOG_EVERY;

/// Those that have come.
#[derive(Debug, Default)]
pub(super) struct RefusedPeers {
    logged: Option<Instant>,
    left_out: u64,
}

impl RefusedPeers {
    /// One more has come. Returns how many came since one was logged, if this one is to be logged.
    pub(super) fn come(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now.duration_since(logged) < LOG_EVERY) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_logged_and_counts_the_others() {
        let (mut refused_peers, now) = (RefusedPeers::default(), Instant::now());
        let logged: Vec<_> = (0..1000).filter_map(|_| refused_peers.come(now)).collect();
        assert_eq!(logged, [0]);
        assert_eq!(refused_peers.come(now + LOG_EVERY), Some(999));
        assert_eq!(refused_peers.come(now + 2 * LOG_EVERY), Some(0));
    }
}
