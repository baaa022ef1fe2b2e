//! The attributes of an element, and the namespaces that they declare.

use std::borrow::Cow;

use quick_xml::XmlVersion::Implicit1_0;
use quick_xml::events::attributes::Attributes;

use super::Broken;
use crate::limits::ATTRIBUTES_MAX;
use crate::xml::reader::name;

/// An element's attributes.
#[derive(Default)]
pub(super) struct Own<'x> {
    /// Prefixes and their namespaces.
    pub(super) spaces: Vec<(&'x str, Cow<'x, str>)>,
    /// All others.
    pub(super) values: Vec<(&'x str, Cow<'x, str>)>,
}

pub(super) fn attributes(tag: &str) -> Result<Own<'_>, Broken> {
    let mut own = Own::default();
    for (count, attribute) in Attributes::new(tag, name(tag).len()).enumerate() {
        let attribute = attribute.map_err(|_| Broken)?;
        let value = attribute.normalized_value(Implicit1_0).map_err(|_| Broken)?;
        let name = attribute.key.into_inner();
        if count == ATTRIBUTES_MAX {
            return Err(Broken);
        }
        match prefix(name) {
            Some(prefix) => own.spaces.push((prefix, value)),
            None => own.values.push((name, value)),
        }
    }
    Ok(own)
}

/// The namespace that an element gives its own prefix. It may have any number of attributes: here,
/// it need not be one that matters.
pub(super) fn own_space<'x>(tag: &'x str, wanted: &str) -> Option<Cow<'x, str>> {
    let mut attributes = Attributes::new(tag, name(tag).len());
    // Checking for names that occur twice takes time in proportion to the square of their number.
    let attributes = attributes.with_checks(false).flatten();
    let mut spaces =
        attributes.filter(|attribute| prefix(attribute.key.into_inner()) == Some(wanted));
    spaces.next()?.normalized_value(Implicit1_0).ok()
}

/// `nova` for `xmlns:nova`, and the empty text for `xmlns`.
pub(super) fn prefix(attribute: &str) -> Option<&str> {
    let rest = attribute.strip_prefix("xmlns")?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') }
}
