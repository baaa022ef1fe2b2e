//! The users that VMMs run as, of whom one alone may connect at each listener: a user may have another number by now.

use rustix::process::Uid;

use crate::guests::Guests;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::id::PortId;
use crate::system::account::{Accounts, USERS};
use crate::system::credentials::Credentials;

impl Guests {
    /// Looks up anew who may connect where the daemon listens, and hangs up on everybody else.
    pub(crate) fn check_users(&mut self, ctx: &mut Ctx<'_>) {
        if self.listeners().next().is_none() {
            return;
        }
        match Accounts::read(USERS) {
            Ok(users) => self.check_users_of(&users, ctx),
            Err(error) => tracing::error!(
                "[[listen]]: {error}; until SIGHUP, whoever might connect before may connect now"
            ),
        }
    }

    /// Not by a look at the directories, from which those who may write there can keep the daemon.
    pub(super) fn check_users_of(&mut self, users: &Accounts, ctx: &mut Ctx<'_>) {
        let number_of = |(number, port): (PortId, &Port)| {
            let Endpoint::Listener(listener) = &port.endpoint else { return None };
            let guest = self.roster.guests.get(port.guest)?.who.name().guest();
            let user = self.sections.get(listener.section)?.user.of(guest);
            Some((number, users.find(&user).map(Uid::from_raw)))
        };
        let found: Vec<_> = self.listeners().filter_map(number_of).collect();
        found.into_iter().for_each(|(number, user)| self.set_user(number, user, ctx));
    }

    fn listeners(&self) -> impl Iterator<Item = (PortId, &Port)> {
        let ports = self.roster.ports.iter();
        ports.filter(|(_, port)| matches!(port.endpoint, Endpoint::Listener(_)))
    }

    fn set_user(&mut self, number: PortId, user: Option<Uid>, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &mut port.endpoint else { return };
        if listener.user.is_some() && user.is_none() {
            let (section, name) = (listener.section, guest.who.name().guest().to_owned());
            self.remove_listener(number, ctx);
            // It says why the daemon does not listen.
            return self.check_guest_dir(section, &name, ctx);
        }
        // Where it does not listen yet, this is looked up when it does.
        listener.user = listener.user.and(user);
        let guest = port.guest;
        let is_anothers = |port: &Port| {
            let connection = port.connection.as_ref();
            let peer = connection.and_then(|connection| Credentials::of(&connection.stream));
            peer.map(|peer| peer.uid) != user
        };
        let mut others =
            self.ports_at(guest, |at| matches!(at, Endpoint::Accepted(at) if *at == number));
        others.retain(|other| self.roster.ports.get(*other).is_some_and(is_anothers));
        let why = "another user than its own has connected";
        others.into_iter().for_each(|other| self.hang_up(other, why, ctx));
    }
}
