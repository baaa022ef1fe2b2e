//! `[tags]` of `hostinfod.toml`: which of a domain's tags conditions of rules can ask for, and where
//! they are. `hostinfod` and `hostinfoctl` read it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::limits::{SOURCE_TEXT_MAX, SOURCES_MAX, TAG_DEPTH};
use crate::tags::{Source, TagSources, is_builtin, is_key};

/// What guests are known by besides their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSettings {
    /// Whether hostinfo's own tags count, the domain's title and its UUID.
    own: bool,
    /// Where they are in the metadata, by the tags' keys.
    tags: BTreeMap<String, Location>,
}

/// Where in the metadata a tag's value is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Location {
    namespace: String,
    /// Names of elements, joined by `/`.
    path: String,
    attribute: Option<String>,
}

impl Default for TagSettings {
    fn default() -> Self {
        Self { own: true, tags: BTreeMap::new() }
    }
}

impl TagSettings {
    /// What to look for. A place given here replaces the one that its key has without settings.
    pub fn sought(&self) -> TagSources {
        let mut sources = TagSources::default().sources;
        sources.retain(|source| !self.tags.contains_key(&source.key));
        sources.extend(self.tags.iter().map(|(key, place)| Source {
            key: key.clone(),
            namespace: place.namespace.clone(),
            path: place.path.split('/').map(str::to_owned).collect(),
            attribute: place.attribute.clone(),
        }));
        TagSources { own: self.own, sources }
    }

    fn add<E: Error>(&mut self, key: String, place: Location) -> Result<(), E> {
        let wrong = |what: String| Err(E::custom(format!("tag `{}`: {what}", key.escape_debug())));
        if !is_key(&key) {
            return wrong(
                "a key is letters, digits, `_` and `-`, joined by dots, and at most 64 bytes"
                    .into(),
            );
        }
        if is_builtin(&key) {
            return wrong("it is the domain's own, and needs no setting".into());
        }
        let names = place.path.split('/').chain(place.attribute.as_deref());
        if names.clone().count() > TAG_DEPTH + usize::from(place.attribute.is_some()) {
            return wrong(format!("its path has more than {TAG_DEPTH} elements"));
        }
        if names.chain([&*place.namespace]).any(|text| text.len() > SOURCE_TEXT_MAX) {
            return wrong(format!("a text of more than {SOURCE_TEXT_MAX} bytes"));
        }
        let is_name = |name: &str| !name.is_empty() && !name.contains([':', ' ', '<', '@']);
        if place.namespace.is_empty() || !place.path.split('/').all(is_name) {
            return wrong(
                "expected a namespace, and a path of elements without prefixes, as in \
                 `path = \"instance/owner/project\"`"
                    .into(),
            );
        }
        if !place.attribute.as_deref().is_none_or(is_name) {
            return wrong("expected an attribute without a prefix".into());
        }
        if self.tags.len() == SOURCES_MAX {
            return wrong(format!("at most {SOURCES_MAX} tags can be added"));
        }
        self.tags.insert(key, place);
        Ok(())
    }
}

impl<'de> Deserialize<'de> for TagSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Section)
    }
}

/// `own`, and tags under keys that the administrator chooses.
struct Section;

impl<'de> Visitor<'de> for Section {
    type Value = TagSettings;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("`own = true` or `false`, and KEY = { namespace, path, attribute }")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<TagSettings, M::Error> {
        let mut tags = TagSettings::default();
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "own" => tags.own = map.next_value()?,
                _ => {
                    let place = map.next_value()?;
                    tags.add(key, place)?;
                }
            }
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Result<TagSettings, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn tags_are_added_to_those_that_come_ready_or_replace_them() {
        let before = TagSources::default();
        assert_eq!(tags("").unwrap().sought(), before);
        let added = tags("own = false\ntier = { namespace = 'urn:x', path = 'a/b' }").unwrap();
        let TagSources { own, sources } = added.sought();
        assert!(!own && sources.len() == before.sources.len() + 1);
        let last = sources.last().unwrap();
        assert_eq!(
            (&*last.key, &*last.path, &last.attribute),
            ("tier", &["a".into(), "b".into()][..], &None)
        );
        let place = "project = { namespace = 'urn:x', path = 'a', attribute = 'id' }";
        let sources = tags(place).unwrap().sought().sources;
        let of_key: Vec<_> = sources.iter().filter(|source| source.key == "project").collect();
        assert_eq!(of_key.len(), 1);
        assert_eq!(of_key[0].attribute.as_deref(), Some("id"));
    }

    #[test]
    fn a_setting_that_is_no_place_of_a_tag_is_an_error_that_names_it() {
        let deep = ["a"; TAG_DEPTH + 1].join("/");
        let place = "namespace = 'urn:x', path = 'a'";
        for (text, word) in [
            (format!("'a b' = {{ {place} }}"), "a key is letters"),
            (format!("uuid = {{ {place} }}"), "needs no setting"),
            (format!("a = {{ {place}, attribut = 'b' }}"), "attribut"),
            (format!("a = {{ {place}, attribute = 'b:c' }}"), "without a prefix"),
            ("a = { namespace = '', path = 'a' }".to_owned(), "expected a namespace"),
            ("a = { namespace = 'b', path = '/a' }".to_owned(), "expected a namespace"),
            ("a = { namespace = 'b', path = 'x:a' }".to_owned(), "expected a namespace"),
            ("a = { path = 'a' }".to_owned(), "namespace"),
            (format!("a = {{ namespace = 'b', path = '{deep}' }}"), "more than 8 elements"),
            (format!("a = {{ namespace = '{}', path = 'a' }}", "x".repeat(256)), "255 bytes"),
            ("own = 'yes'".to_owned(), "own"),
            ((0..=SOURCES_MAX).map(|n| format!("t{n} = {{ {place} }}\n")).collect(), "at most 16"),
        ] {
            let error = tags(&text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
