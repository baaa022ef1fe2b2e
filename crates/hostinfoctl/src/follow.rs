//! `enable --follow`: gives guests a channel when they start.
//!
//! Two helper processes ask libvirt. One has a read-only connection, as for the daemon, and reports
//! which domains there are (`reporter`). `need` decides what each of them needs, `queue` which one is
//! next, and `attach` gives it its channel over the other one's connection, which may change domains
//! (`connection`). One domain is changed at a time. Nothing has to be saved: after an interruption of
//! any kind, the first report says who has no port.

mod attach;
mod connection;
mod dry_run;
mod follower;
mod lines;
mod need;
mod queue;
mod reporter;
mod selection;

use hostinfo_domains::TagSources;

use crate::args::{Enable, Options};
use crate::directory;
use crate::exit::{Failure, Status, complain};
use crate::tags;
use connection::Connection;
use follower::Follower;
use reporter::{Reporter, Stop};
use selection::Selection;

/// Follows the guests until a signal ends it, or shows what it would do now.
///
/// # Errors
/// [`Failure`]: libvirt cannot be reached at the start, or the programs do not belong together.
pub(crate) fn run(options: &Options, wanted: &Enable) -> Result<Status, Failure> {
    let selection = Selection::of(&wanted.guests)?;
    let sought = sought(options, &selection)?;
    directory::check_session_access(options)?;
    let driver = options.connect.split([':', '+']).next().unwrap_or_default();
    if let Some((word, meant)) = selection.meant_for_whole_names(driver) {
        complain(format!(
            "note: patterns match guests' names without {driver}-: instead of {word:?}, \
             did you mean {meant:?}?"
        ));
    }
    if wanted.dry_run {
        return dry_run::run(options, &selection, &sought);
    }
    let stop = Stop::catch()?;
    let connection = Connection::open(options)?;
    directory::make(options, false)?;
    let reporter = Reporter::start(options, &sought)?;
    Follower::new(options, selection, sought, connection, reporter).run(&stop)
}

/// Which tags there are, if there are conditions on any.
fn sought(options: &Options, selection: &Selection) -> Result<TagSources, Failure> {
    let none = TagSources { own: false, sources: Vec::new() };
    let conditions = selection.conditions();
    if conditions.is_empty() {
        return Ok(none);
    }
    let sought = tags::sought(options)?.unwrap_or(none);
    let is_known = |key: &&str| sought.own || sought.sources.iter().any(|one| one.key == **key);
    match conditions.keys().find(|key| !is_known(key)) {
        None => Ok(sought),
        Some(key) => Err(Failure::Refused(format!(
            "no guest can have the tag {key}: {} says [tags] own = false or [libvirt] enabled = \
             false, and has no place for it",
            options.config.display()
        ))),
    }
}
