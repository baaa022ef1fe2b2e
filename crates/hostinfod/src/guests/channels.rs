//! libvirt's own channels for vhostmd's clients: a guest that was set up for vhostmd is served as
//! its domain, and nothing in it has to be changed.
//!
//! Only if hostinfod.toml says `vhostmd_channels = true`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hostinfo_answer::{Dialect, Name};
use hostinfo_file::aside::Late;

use super::Guests;
use super::standing::cannot_be_served;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::id::PortId;

impl Guests {
    /// Goes on with channels that were found late: at most so many.
    pub(super) fn take_late_channels(&mut self, most: usize, ctx: &mut Ctx<'_>) {
        for Late { of: (port, path), found, has_changed } in self.channels.take_late(most) {
            if self.has_channel(port, &path) {
                self.forget_held(port, &path);
                self.take_late_socket(port, found, ctx);
                if has_changed {
                    self.try_connect(port, ctx);
                }
            }
        }
    }

    /// Whether a port still is that of the channel at that path.
    pub(super) fn has_channel(&self, port: PortId, path: &Path) -> bool {
        let endpoint = self.roster.ports.get(port).map(|port| &port.endpoint);
        matches!(endpoint, Some(Endpoint::Channel(of)) if **of == *path)
    }

    /// Makes the ports match the channels of running domains.
    pub(super) fn find_channels(&mut self, ctx: &mut Ctx<'_>) {
        let Some(known) = self.responder.libvirt().known_with_channels() else { return };
        let channels = known.guests().filter_map(|guest| {
            let path = PathBuf::from(guest.domain.channel.as_ref()?);
            Some((path, Name::parse(&guest.domain.socket_name())?))
        });
        let mut channels: HashMap<PathBuf, Name> = channels.collect();
        let (mut gone, mut silent) = (Vec::new(), Vec::new());
        for (number, port) in self.roster.ports.iter() {
            let Endpoint::Channel(path) = &port.endpoint else { continue };
            match channels.remove(&**path) {
                None => gone.push(number),
                Some(_) if port.connection.is_none() => silent.push(number),
                Some(_) => {}
            }
        }
        for number in gone {
            self.remove_port(number, ctx);
        }
        // There is no event that says when such a channel can be connected to.
        for number in silent {
            self.try_connect(number, ctx);
        }
        for (path, name) in channels {
            match self.guest(&name, ctx.now) {
                Ok(guest) => {
                    let endpoint = Endpoint::Channel(path.into());
                    let port = Port::new(guest, endpoint, Dialect::Vhostmd, ctx.now);
                    let number = self.roster.add_port(port);
                    self.try_connect(number, ctx);
                }
                Err(error) => cannot_be_served(&name, &error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use hostinfo_domains::examples::domain;
    use hostinfo_domains::{Domain, Helper, Message, VERSION};
    use hostinfo_file::aside::Patience;

    use crate::guests::tests::guests;
    use crate::libvirt::Libvirt;
    use crate::reactor::Reactor;
    use crate::sockets::ConnectError;
    use crate::sockets::place::{at_last, spend};

    #[test]
    fn a_channel_is_connected_to_only_where_the_settings_say_so_whatever_the_helper_reports() {
        for has_channels in [false, true] {
            let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
            let channel = folder.path().join("channel").to_str().map(str::to_owned);
            let said = [
                Message::Hello { version: VERSION },
                Message::Domain(Domain { channel, ..domain(7, "a") }),
                Message::Done(0),
            ];
            let helper = Libvirt::helper_that_says(&said);
            let mut guests = guests(folder.path());
            *guests.responder.libvirt() = Libvirt::asked_by(helper).with_channels(has_channels);
            let begun = Instant::now();
            guests.responder.libvirt().begin(begun);
            guests.turn_of_helper(Helper::on_time, &mut reactor.now());
            while guests.responder.libvirt().known().is_none() {
                assert!(begun.elapsed() < Duration::from_secs(60), "nothing comes");
                std::thread::sleep(Duration::from_millis(1));
                guests.turn_of_helper(Helper::on_ready, &mut reactor.now());
            }
            assert_eq!(guests.roster.ports.iter().next().is_some(), has_channels);
        }
    }

    #[test]
    fn a_channel_that_is_asked_for_again_while_it_is_looked_for_is_looked_for_again() {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let (mut guests, ctx) = (guests(folder.path()), &mut reactor.now());
        let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
        let path = folder.path().join("channel");
        let endpoint = Endpoint::Channel(path.as_path().into());
        let number = guests.roster.add_port(Port::new(guest, endpoint, Dialect::Vhostmd, ctx.now));
        let mut patience = Patience::default();
        spend(&mut patience, ctx.now + Duration::from_secs(3600));
        let (let_go, held) = mpsc::channel();
        let look = move || {
            held.recv().unwrap();
            Err(ConnectError::Gone)
        };
        let of = (number, path);
        assert!(guests.channels.look(&of, &mut patience, look, ctx.now).is_none());
        guests.try_connect(number, ctx);
        let _socket = UnixListener::bind(&of.1).unwrap();
        let_go.send(()).unwrap();
        let is_connected = |guests: &mut Guests| guests.roster.is_connected(guest).then_some(());
        at_last(&mut guests, is_connected, |guests| guests.take_late_channels(9, ctx));
    }
}
