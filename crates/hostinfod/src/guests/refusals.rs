//! The log lines about connections that are hung up on because they belong to no guest that may ask.

use crate::audit::Event;
use crate::audit::quota::Quota;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;

/// What may be logged about all such connections of one kind together.
pub(super) struct RefusalLog {
    /// Where they come from, for the log.
    origin: &'static str,
    /// When the number of lines left out is due.
    alarm: Alarm,
    quota: Quota,
}

impl RefusalLog {
    /// Nothing was logged yet.
    pub(super) fn new(origin: &'static str, alarm: Alarm) -> Self {
        Self { origin, alarm, quota: Quota::default() }
    }

    /// Logs why a connection at `socket` is refused, or counts it as left out.
    pub(super) fn log(&mut self, socket: &str, why: &str, ctx: &mut Ctx<'_>) {
        if let Some(permit) = self.quota.ask(ctx.now) {
            Event::SocketRefused { socket, why, permit }.log();
        }
        ctx.reactor.set_alarm(self.alarm, self.quota.due(ctx.now));
    }

    /// Logs the number of lines left out, now or when it is due.
    pub(super) fn log_left_out(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(permit) = self.quota.overdue(ctx.now) {
            Event::RefusalsLeftOut { socket: self.origin, permit }.log();
        }
        ctx.reactor.set_alarm(self.alarm, self.quota.due(ctx.now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::reactor::Reactor;

    #[test]
    fn an_alarm_has_the_number_of_lines_left_out_logged_even_if_nobody_connects_any_more() {
        let alarm = Alarm::UnidentifiedLeftOut;
        let (mut reactor, mut log) = (Reactor::new().unwrap(), RefusalLog::new("vsock", alarm));
        let ctx = &mut reactor.now();
        (0..100).for_each(|_| log.log("x", "y", ctx));
        let later = ctx.now + Duration::from_secs(120);
        assert_eq!(ctx.reactor.due(later), Some(alarm));
        log.log_left_out(&mut Ctx { reactor: ctx.reactor, now: later });
        assert_eq!(log.quota.due(later), None);
        assert_eq!(ctx.reactor.due(later), None);
    }
}
