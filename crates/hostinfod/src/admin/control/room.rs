//! Which clients there is room for at the control socket.

use hostinfo_control::limits::{
    CLIENTS_MAX, CLIENTS_PER_USER, CLIENTS_RESERVED, WATCHERS_MAX, WATCHERS_RESERVED,
};
use rustix::process::Uid;

use super::Control;
use super::client::{Client, is_trusted};

impl Control {
    /// Why there is no room for another client of that user.
    pub(super) fn no_room(&self, user: Uid) -> Option<String> {
        let of = |user: Uid| self.count(|client| client.user() == user);
        let others = self.count(|client| !client.is_trusted());
        if self.clients.len() >= CLIENTS_MAX {
            Some("too many clients of the control socket: end some".to_owned())
        } else if is_trusted(user) {
            None
        } else if of(user) >= CLIENTS_PER_USER {
            Some(format!(
                "user {user} already has {CLIENTS_PER_USER} connections to the control socket: end some",
                user = user.as_raw()
            ))
        } else if others >= CLIENTS_MAX - CLIENTS_RESERVED {
            Some(
                "the group already has as many clients of the control socket as it may have: end \
                 some, or ask as root"
                    .to_owned(),
            )
        } else {
            None
        }
    }

    /// Why there is no room for that user to watch.
    pub(super) fn no_room_to_watch(&self, user: Uid) -> Option<String> {
        let all = self.count(Client::watches);
        let others = self.count(|client| client.watches() && !client.is_trusted());
        let is_full = others >= WATCHERS_MAX - WATCHERS_RESERVED && !is_trusted(user);
        (all >= WATCHERS_MAX || is_full)
            .then(|| format!("{all} clients already watch: end one of them"))
    }

    fn count(&self, which: impl Fn(&Client) -> bool) -> usize {
        self.clients.iter().filter(|(_, client)| which(client)).count()
    }
}
