//! Clients that watch guests' queries: they get events as they happen, as long as they keep up.

use hostinfo_control::{Event, answer};

use super::Control;
use super::client::Wait;
use crate::admin::daemon::Daemon;
use crate::admin::daemon::answer::failed;
use crate::reactor::Ctx;

impl Control {
    /// Sends an event about the last answered line.
    pub(crate) fn send_event(&mut self, event: &Event, daemon: &mut Daemon<'_>, ctx: &mut Ctx<'_>) {
        let mut gone = Vec::new();
        for (number, client) in self.clients.iter_mut() {
            let make = |left_out| {
                let event = Event { left_out, ..event.clone() };
                answer(serde_json::to_value(event).map_err(failed), true)
            };
            match client.send_event(&event.guest, make, ctx.now) {
                Ok(None) => {}
                Ok(Some(delivery)) => {
                    self.left_out += u64::from(!delivery.is_kept);
                    if !delivery.is_sent {
                        client.await_turn(number, Wait::ToWrite(None), ctx);
                    }
                }
                Err(_) => gone.push(number),
            }
        }
        gone.into_iter().for_each(|number| self.drop_client(number, daemon, ctx));
    }
}
