//! From picks to a list: the names that each pick has, without values. A list does not count against the guest's
//! interval, so one that becomes too long is not worked out to its end.

use std::collections::{HashMap, HashSet};

use hostinfo_catalog::{Scope, StatId};
use hostinfo_wire::Reply;

use crate::select::Pick;
use crate::sources::Sources;

/// Adds a line for everything that is picked.
pub(crate) fn list(picks: Vec<Pick<'_>>, mut sources: Sources<'_, '_>, reply: &mut Reply) {
    let mut listed = Listed::default();
    for pick in picks {
        match pick {
            Pick::Refused(name, refusal) => reply.refuse(&name, &refusal),
            Pick::Stat(stat, instance) => listed.add(stat, instance, &sources, reply),
            Pick::Group(name, scope) => {
                let mut is_empty = true;
                for stat in sources.rows(&scope) {
                    is_empty &= listed.add_row(stat, &scope, &mut sources, reply);
                }
                if is_empty {
                    reply.refuse(&name, &sources.why_empty(&scope));
                }
            }
        }
    }
}

/// What has been listed.
#[derive(Default)]
struct Listed {
    listed: HashSet<(StatId, Option<String>)>,
    /// Rows that were listed with all their instances, and whether they had none.
    whole: HashMap<StatId, bool>,
}

impl Listed {
    fn add(
        &mut self,
        stat: StatId,
        instance: Option<String>,
        sources: &Sources<'_, '_>,
        reply: &mut Reply,
    ) {
        if self.listed.insert((stat, instance.clone())) {
            hostinfo_render::list(&sources.row(stat, instance), reply);
        }
    }

    /// Adds the members of a row in a scope. Returns true if there are none.
    fn add_row(
        &mut self,
        stat: StatId,
        scope: &Scope,
        sources: &mut Sources<'_, '_>,
        reply: &mut Reply,
    ) -> bool {
        if reply.is_too_long() {
            return false;
        }
        let is_whole = stat.stat().has_instances() && scope.is_of_all_instances();
        // Groups overlap, and a row may have thousands of instances, so each row is looked up only
        // once.
        if is_whole && let Some(is_empty) = self.whole.get(&stat) {
            return *is_empty;
        }
        let mut members = sources.members_of(stat, scope).peekable();
        let is_empty = members.peek().is_none();
        for instance in members {
            if reply.is_too_long() {
                break;
            }
            self.add(stat, instance, sources, reply);
        }
        if is_whole {
            self.whole.insert(stat, is_empty);
        }
        is_empty
    }
}
