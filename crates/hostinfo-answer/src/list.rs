//! Picks to a list: what there is of each, and no values.

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

/// What has its line.
#[derive(Default)]
struct Listed {
    listed: HashSet<(StatId, Option<String>)>,
    /// Rows that were listed as a whole, and whether nothing was in them.
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

    /// Adds what there is of a row in a scope. True where that is nothing.
    fn add_row(
        &mut self,
        stat: StatId,
        scope: &Scope,
        sources: &mut Sources<'_, '_>,
        reply: &mut Reply,
    ) -> bool {
        let is_whole = stat.stat().has_instances() && scope.is_of_all_instances();
        // Groups overlap, and a row may have thousands of instances: it is looked at once.
        if is_whole && let Some(is_empty) = self.whole.get(&stat) {
            return *is_empty;
        }
        let members = sources.members_of(stat, scope);
        let is_empty = members.is_empty();
        for instance in members {
            self.add(stat, instance, sources, reply);
        }
        if is_whole {
            self.whole.insert(stat, is_empty);
        }
        is_empty
    }
}
