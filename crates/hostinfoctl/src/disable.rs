//! `disable`: removes guests' ports.

use hostinfo_domains::VHOSTMD_DIR;

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
        let directory = &self.options.directory;
        for (ports, directory) in [
            (&live.ports.hostinfo, directory.clone()),
            (&live.ports.vhostmd, directory.join(VHOSTMD_DIR)),
        ] {
            let unplugged = ports.iter().filter(|port| port.place.is_pluggable());
            unplugged.for_each(|port| remove_socket(&directory.join(&port.socket)));
        }
    }

    fn done(&self) -> &'static str {
        "disabled"
    }
}
