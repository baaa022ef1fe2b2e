//! Replies that concern only the host. They are rendered once for all guests of one rule that ask
//! the same within one step of the grid.
//!
//! `step_cache.rs` decides which guests may share a reply. What is counted for each guest (whether it may
//! ask, its interval, its flow) is not handled here.

use std::sync::Arc;

use hostinfo_catalog::{Scope, Source, StatId};
use hostinfo_rules::Grant;
use hostinfo_wire::Reply;
use hostinfo_wire::limits::{SHARED_REPLIES, SHARED_REPLY_MAX};

use crate::allowance::Cost;
use crate::select::Pick;
use crate::sources::is_ratio;
use crate::step_cache::StepCache;

/// The replies of one step.
#[derive(Default)]
pub(crate) struct SharedReplies(StepCache<SharedReply>);

struct SharedReply {
    line: Box<[u8]>,
    reply: Reply,
    cost: Cost,
}

impl SharedReplies {
    /// The reply to `line` under that grant, and its cost for each guest that gets it.
    pub(crate) fn find(
        &self,
        line: &[u8],
        grant: &Arc<Grant>,
        step: u64,
    ) -> Option<(&Reply, Cost)> {
        let shared = self.0.find(grant, step, |shared| *shared.line == *line)?;
        Some((&shared.reply, shared.cost))
    }

    /// Keeps a reply for the rest of its step, if there is room.
    pub(crate) fn keep(
        &mut self,
        line: &[u8],
        grant: &Arc<Grant>,
        step: u64,
        reply: &Reply,
        cost: Cost,
    ) {
        if reply.len() <= SHARED_REPLY_MAX {
            let shared = || SharedReply { line: line.into(), reply: reply.clone(), cost };
            self.0.keep(grant, step, shared, SHARED_REPLIES);
        }
    }
}

/// Whether these picks concern only the host, so that guests with the same permissions get the same
/// reply. A ratio covers the time since the guest's own last question.
pub(crate) fn are_of_host(picks: &[Pick<'_>]) -> bool {
    let is_of_host = |stat: StatId| {
        let source = stat.stat().source;
        matches!(source, Source::Host(_)) && !is_ratio(source)
    };
    picks.iter().all(|pick| match pick {
        Pick::Refused(..) => false,
        Pick::Stat(stat, _) => is_of_host(*stat),
        Pick::Group(_, scope) => *scope != Scope::ALL && scope.rows().all(is_of_host),
    })
}
