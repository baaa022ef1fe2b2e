//! Whether a guest may ask, and see a statistic; and why not.

use std::borrow::Cow;

use hostinfo_catalog::StatId;
use hostinfo_rules::{Origin, Why};
use hostinfo_wire::reply::{ASK_AGAIN, BLOCKED};
use hostinfo_wire::{Code, Reply};

use super::Requester;
use crate::standing::Standing;

impl Requester {
    /// Whether it may ask at all.
    pub fn may_ask(&self) -> bool {
        self.grant.enabled() && !self.is_undecided() && self.standing.may_ask()
    }

    /// Whether its rule depends on tags that cannot be read.
    pub fn is_undecided(&self) -> bool {
        self.undecided.is_some()
    }

    /// The only line of its reply if it may not ask.
    pub(crate) fn refuse(&self, reply: &mut Reply) {
        match self.is_undecided() && self.standing.may_ask() {
            true => reply.line(Code::Unavailable, ASK_AGAIN),
            false => reply.line(Code::NotPermitted, BLOCKED),
        }
    }

    /// Whether it may see a statistic (and that instance of it), and which line of the rules file
    /// decides. If there is no line, the built-in default decides or [`Requester::refusal`] applies.
    pub fn explain(&self, stat: StatId, instance: Option<&str>) -> Why {
        if self.may_ask() {
            return self.grant.explain(stat, instance);
        }
        let line = self.grant.disabled_by().filter(|_| self.standing.may_ask());
        Why { permitted: false, line }
    }

    /// Why it may not ask at all.
    pub fn refusal(&self) -> Option<Cow<'_, str>> {
        match &self.standing {
            Standing::Refused(why) => Some(Cow::Borrowed(why)),
            Standing::Awaited => Some(Cow::Borrowed(
                "libvirt does not answer, and has to confirm whose process this is",
            )),
            Standing::Unnamed | Standing::Domain(..) => match self.undecided.as_deref() {
                Some(Origin { pattern, line }) => Some(Cow::Owned(format!(
                    "the tags that decide whether rule {pattern} (line {line}) applies cannot be \
                     read"
                ))),
                None if self.grant.enabled() => None,
                None => Some(Cow::Borrowed("its rule says enabled = 0")),
            },
        }
    }
}
