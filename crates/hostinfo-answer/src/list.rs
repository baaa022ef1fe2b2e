//! Picks to a list: what there is of each, and no values.

use std::collections::HashSet;

use hostinfo_wire::Reply;

use crate::select::Pick;
use crate::sources::Sources;

/// Adds a line for everything that is picked.
pub(crate) fn list(picks: Vec<Pick<'_>>, mut sources: Sources<'_, '_>, reply: &mut Reply) {
    let mut listed = HashSet::new();
    for pick in picks {
        let members = match pick {
            Pick::Refused(name, refusal) => {
                reply.refuse(&name, &refusal);
                continue;
            }
            Pick::Stat(stat, instance) => vec![(stat, instance)],
            Pick::Group(name, scope) => {
                let members = sources.members(&scope);
                if members.is_empty() {
                    reply.refuse(&name, &sources.why_empty(&scope));
                }
                members
            }
        };
        for (stat, instance) in members {
            if listed.insert((stat, instance.clone())) {
                hostinfo_render::list(&sources.row(stat, instance), reply);
            }
        }
    }
}
