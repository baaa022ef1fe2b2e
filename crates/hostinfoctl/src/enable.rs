//! `enable`: gives guests a port through which they can ask their host.

use crate::args::{Enable, Options};
use crate::change::{self, Change};
use crate::directory;
use crate::exit::{Failure, Status};
use crate::facts::Facts;
use crate::plan::{self, Wish};
use crate::step::Step;

struct Enabling<'a> {
    options: &'a Options,
    wish: Wish,
}

/// Enables the wanted guests.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: &Enable) -> Result<Status, Failure> {
    let wish = Wish {
        transport: wanted.transport,
        port: wanted.port,
        now: wanted.now,
        vhostmd: wanted.vhostmd,
        repair: wanted.repair,
    };
    change::run(options, &wanted.guests, wanted.dry_run, &Enabling { options, wish })
}

impl Change for Enabling<'_> {
    fn plan(&self, facts: &Facts) -> Result<Vec<Step>, Failure> {
        plan::enable(facts, &self.wish, &self.options.directory)
    }

    fn prepare(&self) -> Result<(), Failure> {
        directory::make(self.options, self.wish.vhostmd)
    }

    fn done(&self) -> &'static str {
        "enabled"
    }

    fn note(&self) -> Option<String> {
        let directory = self.options.directory.display();
        Some(format!("such a guest can be migrated only to a host that has {directory}, too"))
    }
}
