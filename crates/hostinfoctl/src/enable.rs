//! `enable`: gives guests a port through which they can ask their host.

use hostinfo_wire::text::escaped;

use crate::args::{Enable, EnableOptions, Options};
use crate::change::{self, Change};
use crate::directory;
use crate::exit::{Failure, Status, complain};
use crate::facts::Facts;
use crate::plan;
use crate::step::Step;

struct Enabling<'a> {
    options: &'a Options,
    wanted: &'a EnableOptions,
}

/// Enables the wanted guests.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, args: &Enable) -> Result<Status, Failure> {
    directory::check_session_access(options)?;
    let enabling = Enabling { options, wanted: &args.wanted };
    change::run(options, &args.guests, args.dry_run, &enabling)
}

/// Whether the steps give a serial port to a guest that has a console and no serial port.
fn takes_the_console(facts: &Facts, steps: &[Step]) -> bool {
    let is_alone = facts.config.as_ref().is_some_and(|seen| seen.ports.has_lone_console);
    is_alone && steps.iter().any(|step| step.device.starts_with("<serial"))
}

impl Change for Enabling<'_> {
    fn plan(&self, facts: &Facts) -> Result<Vec<Step>, Failure> {
        let steps = plan::enable(facts, self.wanted, &self.options.directory)?;
        if takes_the_console(facts, &steps) {
            complain(format!(
                "note: {}: libvirt makes a guest's first serial port its console, so virsh \
                 console will no longer lead to the one that it has: --transport channel leaves \
                 that as it is",
                escaped(&facts.guest())
            ));
        }
        Ok(steps)
    }

    fn prepare(&self) -> Result<(), Failure> {
        directory::make(self.options, self.wanted.vhostmd)
    }

    fn done(&self) -> &'static str {
        "enabled"
    }

    fn note(&self) -> Option<String> {
        let directory = self.options.directory.display();
        Some(format!("such a guest can be migrated only to a host that has {directory}, too"))
    }
}
