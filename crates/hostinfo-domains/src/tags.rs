//! Tags: what a domain's XML says about it, for the conditions of rules.

use std::collections::BTreeMap;
use std::str::FromStr;

use hostinfo_wire::name::is_name;
use quick_xml::escape::escape;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::{TAG_KEY_MAX, TAG_MAX};
use crate::xml::Unreadable;
use crate::xml::reader::parse_tagged;

/// The namespace of hostinfo's own tags in a domain's metadata.
pub const TAGS_NAMESPACE: &str = "urn:hostinfo:1";

/// The key of a domain's UUID as a tag.
pub(crate) const UUID: &str = "uuid";

/// The key of a domain's title as a tag.
pub const TITLE: &str = "title";

/// A domain's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tags {
    /// The tags, by key. One without a value has no definite one: it occurs twice, or its value
    /// exceeds [`TAG_MAX`] or has line breaks or other control characters.
    Known(BTreeMap<String, Option<String>>),
    /// It is not known which tags there are: the XML cannot be read, or its tags exceed a limit.
    #[default]
    Unreadable,
}

impl Tags {
    /// With the UUID of their domain, which counts as a tag wherever hostinfo's own tags do.
    pub fn with_uuid(mut self, uuid: Uuid, sought: &TagSources) -> Self {
        if let Self::Known(tags) = &mut self
            && sought.own
        {
            tags.insert(UUID.to_owned(), Some(uuid.to_string()));
        }
        self
    }
}

/// Which tags to look for: `[tags]` in `hostinfod.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagSources {
    /// Whether hostinfo's own tags count, the domain's title and its UUID.
    pub own: bool,
    /// Where other programs put theirs.
    pub sources: Vec<Source>,
}

/// A place in the metadata whose value is a tag. If it occurs twice, also at several places with
/// the same key, the tag has no definite value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The tag's key.
    pub key: String,
    /// The namespace of all elements on the way.
    pub namespace: String,
    /// The elements' names without prefixes, beginning directly below `<metadata>`.
    pub path: Vec<String>,
    /// The attribute of the last element; without one, its text counts.
    pub attribute: Option<String>,
}

/// Where OpenStack's nova puts what belongs to an instance: the namespace of its newer releases, and
/// that of older ones (`nova/virt/libvirt/config.py`, NOVA_NS).
const NOVA: [&str; 2] =
    ["http://openstack.org/xmlns/libvirt/nova/1.1", "http://openstack.org/xmlns/libvirt/nova/1.0"];

/// ```xml
/// <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
///   <nova:flavor name="m1.small"><nova:memory>512</nova:memory></nova:flavor>
///   <nova:owner>
///     <nova:user uuid="6c...">alice</nova:user>
///     <nova:project uuid="e1...">acme</nova:project>
///   </nova:owner>
/// </nova:instance>
/// ```
const OF_NOVA: [(&str, &[&str], Option<&str>); 5] = [
    ("project", &["instance", "owner", "project"], Some("uuid")),
    ("project-name", &["instance", "owner", "project"], None),
    ("user", &["instance", "owner", "user"], Some("uuid")),
    ("user-name", &["instance", "owner", "user"], None),
    ("flavor", &["instance", "flavor"], Some("name")),
];

impl Default for TagSources {
    /// hostinfo's own tags, the title, and what nova puts there.
    fn default() -> Self {
        let sources = NOVA.iter().flat_map(|namespace| {
            OF_NOVA.iter().map(|(key, path, attribute)| Source {
                key: (*key).to_owned(),
                namespace: (*namespace).to_owned(),
                path: path.iter().map(|name| (*name).to_owned()).collect(),
                attribute: attribute.map(str::to_owned),
            })
        });
        Self { own: true, sources: sources.collect() }
    }
}

impl FromStr for TagSources {
    type Err = serde_json::Error;

    /// Reads what [`TagSources::to_json`] wrote.
    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json)
    }
}

impl TagSources {
    /// For the helper's command line.
    pub fn to_json(&self) -> String {
        // It cannot fail: there are no maps in it.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether a key has a meaning without hostinfo's own tags, which therefore cannot have it.
    pub fn is_taken(&self, key: &str) -> bool {
        is_builtin(key) || self.sources.iter().any(|source| source.key == key)
    }
}

/// Whether every domain has such a tag, whatever its metadata.
pub fn is_builtin(key: &str) -> bool {
    [UUID, TITLE].contains(&key)
}

/// Whether a text can be the key of a tag. The rules have no conditions on others.
pub fn is_key(text: &str) -> bool {
    text.len() <= TAG_KEY_MAX && is_name(text)
}

/// Whether a text can be the value of a tag.
pub fn is_value(text: &str) -> bool {
    text.len() <= TAG_MAX && !text.contains(char::is_control)
}

/// The tags in a domain's XML.
///
/// # Errors
/// [`Unreadable`].
pub fn tags(xml: &str, sought: &TagSources) -> Result<Tags, Unreadable> {
    Ok(parse_tagged(xml, sought)?.1)
}

/// hostinfo's own tags in a domain's XML.
///
/// # Errors
/// [`Unreadable`].
pub fn own_tags(xml: &str) -> Result<Tags, Unreadable> {
    let mut own = tags(xml, &TagSources { own: true, sources: Vec::new() })?;
    if let Tags::Known(tags) = &mut own {
        tags.remove(TITLE);
    }
    Ok(own)
}

/// The element of these own tags, for virDomainSetMetadata; `None` if there are none. libvirt adds
/// the namespace.
pub fn own_tags_xml<'t>(tags: impl Iterator<Item = (&'t str, &'t str)>) -> Option<String> {
    let tag = |(key, value)| format!("<tag name='{}'>{}</tag>", escape(key), escape(value));
    let inner: String = tags.map(tag).collect();
    (!inner.is_empty()).then(|| format!("<tags>{inner}</tags>"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain(tags: &str) -> String {
        // As libvirt adds the namespace.
        let tags = tags.replacen("<tags>", "<tags xmlns='urn:hostinfo:1'>", 1);
        format!("<domain type='kvm'><title>t</title><metadata>{tags}</metadata></domain>")
    }

    #[test]
    fn no_tags_are_no_element() {
        assert_eq!(own_tags_xml([].into_iter()), None);
        assert_eq!(own_tags(&domain("")).unwrap(), Tags::Known(BTreeMap::new()));
    }

    proptest! {
        #[test]
        fn own_tags_are_read_as_they_were_written(
            tags in proptest::collection::btree_map("[a-z0-9._-]{0,3}[a-z]", "([!-~]([ -~\u{e9}]{0,9}[!-~])?)?", 0..9),
        ) {
            let tags: BTreeMap<String, String> =
                tags.into_iter().filter(|(key, _)| is_key(key) && !is_builtin(key)).collect();
            let written = own_tags_xml(tags.iter().map(|(key, value)| (&**key, &**value)));
            let read = own_tags(&domain(&written.unwrap_or_default())).unwrap();
            let expected = tags.into_iter().map(|(key, value)| (key, Some(value))).collect();
            prop_assert_eq!(read, Tags::Known(expected));
        }
    }
}
