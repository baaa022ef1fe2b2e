//! `disable`: removes guests' ports.

use std::path::{Path, PathBuf};

use hostinfo_domains::{Port, Ports, VHOSTMD_DIR};

use crate::args::{Disable, Options};
use crate::change::{self, Change};
use crate::directory::remove_socket;
use crate::exit::{Failure, Status};
use crate::facts::Facts;
use crate::plan;
use crate::step::Step;
use crate::uri::is_remote;

struct Disabling<'a> {
    options: &'a Options,
    now: bool,
}

/// Disables the wanted guests.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: &Disable) -> Result<Status, Failure> {
    let disabling = Disabling { options, now: wanted.now };
    change::run(options, &wanted.guests, wanted.dry_run, &disabling)
}

impl Change for Disabling<'_> {
    fn plan(&self, facts: &Facts) -> Result<Vec<Step>, Failure> {
        plan::disable(facts, self.now)
    }

    fn clean_up(&self, before: &Facts) {
        let is_unplugged = self.now && !is_remote(&self.options.connect);
        let Some(live) = before.live.as_ref().filter(|_| is_unplugged) else { return };
        let left = left_behind(&live.ports, &self.options.directory);
        left.iter().for_each(|socket| remove_socket(socket));
    }

    fn done(&self) -> &'static str {
        "disabled"
    }
}

/// The sockets that a guest's channels leave behind when they are unplugged. One that its XML names and that is another
/// guest's is left to that guest.
fn left_behind(ports: &Ports, directory: &Path) -> Vec<PathBuf> {
    let is_left = |port: &&Port| port.target.is_pluggable() && ports.is_right(port);
    let of = |found: &[Port], directory: &Path| -> Vec<PathBuf> {
        found.iter().filter(is_left).map(|port| directory.join(&port.socket)).collect()
    };
    [of(&ports.hostinfo, directory), of(&ports.vhostmd, &directory.join(VHOSTMD_DIR))].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::Directory;

    #[test]
    fn only_a_guests_own_sockets_go_with_its_channels() {
        let directory = Path::new("/var/lib/hostinfo");
        let left = |mode: &str, socket: &str, device: &str| {
            let xml = format!(
                "<domain type='kvm'><name>web</name><devices><{device} type='unix'>
                 <source mode='{mode}' path='/var/lib/hostinfo/{socket}'/>
                 <target type='virtio' name='org.hostinfo.0' port='1'/></{device}></devices></domain>"
            );
            left_behind(&Ports::find(&xml, &Directory::of_text(directory)).unwrap(), directory)
        };
        assert_eq!(left("bind", "qemu-web", "channel"), [directory.join("qemu-web")]);
        let of_vhostmd = left("bind", "vhostmd/qemu-web", "channel");
        assert_eq!(of_vhostmd, [directory.join("vhostmd/qemu-web")]);
        // A serial port cannot be unplugged.
        for (mode, socket, device) in [
            ("connect", "qemu-db", "channel"),
            ("bind", "qemu-db", "channel"),
            ("connect", "qemu-web", "channel"),
            ("bind", "qemu-web", "serial"),
        ] {
            assert!(left(mode, socket, device).is_empty(), "{mode} {socket} {device}");
        }
    }
}
