//! Documents for vhostmd's clients: see `docs/vhostmd.md`.

use std::sync::Arc;

use hostinfo_catalog::StatId;
use hostinfo_catalog::vhostmd::Context;
use hostinfo_render::Answer;
use hostinfo_render::vhostmd::{Common, Custom, Extra};
use hostinfo_rules::Grant;
use hostinfo_sample::Spare;
use serde::{Deserialize, Serialize};

use crate::allowance::Cost;
use crate::gather::gather;
use crate::pending::Pending;
use crate::sources::{Lookups, Sources};
use crate::step_cache::StepCache;

/// A guest's last document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) text: Box<str>,
    pub(crate) cost: Cost,
    /// Faults that were met for it, besides those for what guests have in common.
    pub(crate) faults: u64,
    /// The step of the samples' grid in which it would be made the same again; `None` if that is not known.
    step: Option<u64>,
}

impl Document {
    /// A text that cost nothing.
    pub(crate) fn of(text: &str) -> Self {
        Self { text: text.into(), cost: Cost::Nothing, faults: 0, step: None }
    }

    /// Whether it would be made the same again in that step.
    pub(crate) fn is_of(&self, step: u64) -> bool {
        self.step == Some(step)
    }

    /// The guest is another: a document made now would not be the same.
    pub(crate) fn expire(&mut self) {
        self.step = None;
    }
}

/// The common part of documents, and the look-ups for it.
pub(crate) type CommonParts = StepCache<(Arc<Common>, Lookups)>;

/// Most grants whose documents are kept: hosts have one rule or a few. A document has about 2 KB,
/// so this is 32 KB.
const COMMON_PARTS_MAX: usize = 16;

/// The document for a guest that may ask.
///
/// # Errors
/// Some values are on their way.
pub(crate) fn document(
    grant: &Arc<Grant>,
    sources: &mut Sources<'_, '_>,
    common_parts: &mut CommonParts,
    os_name: Option<&str>,
) -> Result<Document, Pending> {
    let permits = |stat| grant.permits(stat, None);
    let needed = hostinfo_catalog::vhostmd::stats().iter().copied();
    sources.read_ahead(needed.filter(|stat| permits(*stat)))?;
    let customs = customs(sources)?;
    let wants_spare = permits(StatId::named("memory.cached"));
    let Spare { buffers, swap_cached } =
        if wants_spare { sources.spare_memory() } else { Spare::default() };
    let extra = Extra { os_name, buffers, swap_cached, id: sources.number() };
    let step = sources.slot();
    let (common, lookups) =
        common_parts.find(grant, step, |_| true).cloned().unwrap_or_else(|| {
            let (common, lookups) = sources.count_apart(|sources| {
                Common::new(permits, |stat| sources.value(stat, None).ok(), &extra)
            });
            let made = (Arc::new(common), lookups);
            common_parts.keep(grant, step, || made.clone(), COMMON_PARTS_MAX);
            made
        });
    sources.add_lookups(lookups);
    let before = sources.failures();
    let value = |stat| sources.value(stat, None).ok();
    let text = hostinfo_render::vhostmd::document(&common, permits, value, &extra, &customs);
    let faults = sources.failures().saturating_sub(before);
    // Values of commands and files come at any time.
    let step = Some(step).filter(|_| !sources.has_customs());
    Ok(Document { text: text.into(), cost: sources.cost(), faults, step })
}

/// The custom statistics that the guest may see, under their own names.
fn customs<'g>(sources: &mut Sources<'g, '_>) -> Result<Vec<Custom<'g>>, Pending> {
    if !sources.has_customs() {
        return Ok(Vec::new());
    }
    let picks = sources.select("custom");
    sources.ask(&picks)?;
    let values = gather(picks, sources).into_iter().filter_map(|answer| match answer {
        Answer::Refused { .. } => None,
        Answer::Value { row, value } => {
            let is_of_guest = row.instance.as_deref().is_some_and(|name| sources.is_of_guest(name));
            let context = if is_of_guest { Context::Vm } else { Context::Host };
            Some(Custom { name: row.name(), context, unit: row.unit(), value })
        }
    });
    Ok(values.collect())
}

/// NAME of os-release(5), which may be quoted.
///
/// `NAME="Debian GNU/Linux"`
pub fn os_name(os_release: &str) -> Option<String> {
    let name = os_release.lines().find_map(|line| line.strip_prefix("NAME="))?;
    let name = name.trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_system_may_be_quoted_or_missing() {
        let text = "PRETTY_NAME=\"x\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n";
        assert_eq!(os_name(text).as_deref(), Some("Debian GNU/Linux"));
        assert_eq!(os_name("NAME=Fedora").as_deref(), Some("Fedora"));
        assert_eq!(os_name("ID=x\nNAME=\n"), None);
    }
}
