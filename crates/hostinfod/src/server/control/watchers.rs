//! Who watches what guests ask: told as it happens, as far as they keep up.

use hostinfo_control::{Event, answer};

use crate::control::answer::failed;
use crate::reactor::poll::Interest;
use crate::server::Server;

impl Server {
    /// Tells of what was answered in the last turn.
    pub(crate) fn tell_watchers(&mut self) {
        let Some(event) = self.guests.take_seen() else { return };
        let (mut slow, mut gone) = (Vec::new(), Vec::new());
        for (number, client) in self.control.clients.iter_mut() {
            let make = |left_out| {
                let event = Event { left_out, ..event.clone() };
                answer(serde_json::to_value(event).map_err(failed), true)
            };
            match client.tell(&event.guest, make) {
                Ok(None) => {}
                Ok(Some(told)) => {
                    self.control.left_out += u64::from(!told.is_kept);
                    if !told.is_sent {
                        slow.push(number);
                    }
                }
                Err(_) => gone.push(number),
            }
        }
        slow.into_iter().for_each(|number| self.await_client(number, Interest::Write, None));
        gone.into_iter().for_each(|number| self.drop_client(number));
    }
}
