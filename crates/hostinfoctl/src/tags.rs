//! Guests' tags as rules see them: what libvirt has, and what the daemon's settings say of it.

use std::collections::BTreeMap;

use hostinfo_domains::{Domain, TagSources, Uuid};
use hostinfo_rules::Tags;

use crate::args::Options;
use crate::exit::Failure;
use crate::settings;

/// What [`sought`] returns.
pub(crate) type Lookup = Result<Option<TagSources>, Failure>;

/// Which tags there are, as the daemon's settings say; `None` if it does not use libvirt.
///
/// # Errors
/// The file cannot be read, or has errors.
pub(crate) fn sought(options: &Options) -> Lookup {
    let settings = settings::read(options)?;
    Ok(settings.libvirt.enabled.then(|| settings.tags.sought()))
}

/// The tags of a domain with that XML, as rules see them.
pub(crate) fn of(xml: &str, uuid: Uuid, sought: &Lookup) -> Tags {
    match sought {
        Ok(Some(sought)) => {
            read(xml, uuid, sought).map_or(Tags::Unreadable, |tags| tags.into_iter().collect())
        }
        Ok(None) => Tags::NONE,
        Err(_) => Tags::Unreadable,
    }
}

/// The tags of a domain that libvirt has reported on, as rules see them.
pub(crate) fn of_domain(domain: &Domain, sought: &TagSources) -> Tags {
    match domain.tags.clone().with_uuid(domain.uuid, sought) {
        hostinfo_domains::Tags::Known(tags) => tags.into_iter().collect(),
        hostinfo_domains::Tags::Unreadable => Tags::Unreadable,
    }
}

/// The tags of a domain with that XML, by key; `None` if they cannot be read.
pub(crate) fn read(
    xml: &str,
    uuid: Uuid,
    sought: &TagSources,
) -> Option<BTreeMap<String, Option<String>>> {
    match hostinfo_domains::tags(xml, sought).ok()?.with_uuid(uuid, sought) {
        hostinfo_domains::Tags::Known(tags) => Some(tags),
        hostinfo_domains::Tags::Unreadable => None,
    }
}
