//! Replies about the host alone, which all guests of one rule share that ask the same within one step
//! of the grid: rendered once.
//!
//! A reply is found only by the very grant that it was made under, so no guest of another rule gets it, and
//! nobody does when the rules have changed, or in another step. What counts for each guest by itself
//! (whether it may ask, its interval, its flow) is not known here.

use std::sync::Arc;

use hostinfo_catalog::{Scope, Source, StatId};
use hostinfo_rules::Grant;
use hostinfo_wire::Reply;
use hostinfo_wire::limits::{SHARED_REPLIES, SHARED_REPLY_MAX};

use crate::allowance::Cost;
use crate::select::Pick;

/// The replies of one step.
#[derive(Default)]
pub(crate) struct Shared {
    /// [`Moment::slot`](hostinfo_sample::Moment::slot).
    step: u64,
    replies: Vec<One>,
}

struct One {
    /// Held, so that no other grant can come to be at its place.
    grant: Arc<Grant>,
    line: Box<[u8]>,
    reply: Reply,
    cost: Cost,
}

impl Shared {
    /// The reply to `line` under that grant, and what it costs whoever gets it.
    pub(crate) fn find(
        &self,
        line: &[u8],
        grant: &Arc<Grant>,
        step: u64,
    ) -> Option<(&Reply, Cost)> {
        let is_it = |one: &&One| *one.line == *line && Arc::ptr_eq(&one.grant, grant);
        let one = self.replies.iter().find(is_it).filter(|_| self.step == step)?;
        Some((&one.reply, one.cost))
    }

    /// Keeps a reply for the rest of its step, where there is room.
    pub(crate) fn keep(
        &mut self,
        line: &[u8],
        grant: &Arc<Grant>,
        step: u64,
        reply: &Reply,
        cost: Cost,
    ) {
        if self.step != step {
            self.step = step;
            self.replies.clear();
        }
        if self.replies.len() < SHARED_REPLIES && reply.len() <= SHARED_REPLY_MAX {
            let (grant, reply) = (Arc::clone(grant), reply.clone());
            self.replies.push(One { grant, line: line.into(), reply, cost });
        }
    }
}

/// Whether these picks are about the host alone, so that all who may see the same get the same.
pub(crate) fn are_of_host(picks: &[Pick<'_>]) -> bool {
    let is_of_host = |stat: StatId| matches!(stat.stat().source, Source::Host(_));
    picks.iter().all(|pick| match pick {
        Pick::Refused(..) => false,
        Pick::Stat(stat, _) => is_of_host(*stat),
        Pick::Group(_, scope) => *scope != Scope::ALL && scope.rows().all(is_of_host),
    })
}
