//! What a command line changes in a guest's own tags. Pure: it depends only on the words and on the domain's XML.

use std::collections::{BTreeMap, BTreeSet};

use hostinfo_domains::limits::{OWN_TAGS_MAX, TAG_KEY_MAX, TAG_MAX};
use hostinfo_domains::{TagSources, Uuid, is_key, is_value, own_tags};
use hostinfo_wire::text::escaped;

use crate::args::Tag;
use crate::exit::Failure;

/// A guest's own tags: a value for each key.
pub(super) type Own = BTreeMap<String, String>;

/// Which tags to set, and which to remove.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    set: Own,
    remove: BTreeSet<String>,
}

impl Edit {
    /// What the command line asks for.
    ///
    /// # Errors
    /// [`Failure::Usage`]: a key or a value that cannot be one, or one key twice.
    pub(super) fn of(wanted: &Tag, sought: &TagSources) -> Result<Self, Failure> {
        let mut edit = Self::default();
        for tag in &wanted.tags {
            let Some((key, value)) = tag.split_once('=') else {
                return Err(Failure::Usage(format!(
                    "{tag:?} is not KEY=VALUE; to remove a tag: --remove KEY"
                )));
            };
            if !is_value(value) || value.trim() != value {
                return Err(Failure::Usage(format!(
                    "tag {}: a value has at most {TAG_MAX} bytes, no line breaks or other control \
                     characters, and no blanks around it",
                    escaped(key)
                )));
            }
            if edit.set.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(Failure::Usage(format!("tag {} is given twice", escaped(key))));
            }
        }
        edit.remove.extend(wanted.remove.iter().cloned());
        if let Some(both) = edit.remove.iter().find(|key| edit.set.contains_key(*key)) {
            return Err(Failure::Usage(format!("tag {both} is both set and removed")));
        }
        for key in edit.set.keys().chain(&edit.remove) {
            if !is_key(key) {
                return Err(Failure::Usage(format!(
                    "{key:?} is not the key of a tag: letters, digits, `_` and `-`, joined by dots, \
                     at most {TAG_KEY_MAX} bytes"
                )));
            }
            if sought.is_taken(key) && edit.set.contains_key(key) {
                return Err(Failure::Usage(format!(
                    "tag {key} is not hostinfo's own: it has its value from the domain or from \
                     another program. Choose another key"
                )));
            }
        }
        Ok(edit)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// hostinfo's own tags in the XML of the domain with that `uuid`, before and after. Those that this edit does not
    /// name are kept, so it has to be clear what they are.
    ///
    /// # Errors
    /// [`Failure::Refused`]: the XML cannot be read, a tag that would be kept is unclear, or there would be too many.
    pub(super) fn applied(&self, uuid: Uuid, xml: &str) -> Result<(Own, Own), Failure> {
        let unclear = |what: &str| {
            Failure::Refused(format!(
                "{what}: correct it with virsh metadata --uri urn:hostinfo:1 --key hostinfo --edit {uuid}, \
                 or remove all tags with --remove instead of --edit"
            ))
        };
        let read = own_tags(xml)
            .map_err(|error| Failure::Refused(format!("its XML cannot be read: {error}")))?;
        let hostinfo_domains::Tags::Known(read) = read else {
            return Err(unclear("its tags are malformed, or too many"));
        };
        let mut before = Own::new();
        for (key, value) in read {
            let is_replaced = self.set.contains_key(&key) || self.remove.contains(&key);
            match value {
                Some(value) => drop(before.insert(key, value)),
                // It differs from whatever comes in its place.
                None if is_replaced => drop(before.insert(key, "\0".to_owned())),
                None => {
                    return Err(unclear(&format!("its tag {key} is there twice, or malformed")));
                }
            }
        }
        let mut after = before.clone();
        after.retain(|key, _| !self.remove.contains(key));
        after.extend(self.set.clone());
        if after.len() > OWN_TAGS_MAX {
            return Err(Failure::Refused(format!("a guest can have at most {OWN_TAGS_MAX} tags")));
        }
        Ok((before, after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: Uuid = Uuid::from_u128(7);

    fn edit(tags: &[&str], remove: &[&str]) -> Result<Edit, Failure> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let (tags, remove) = (owned(tags), owned(remove));
        Edit::of(
            &Tag { guest: "web".to_owned(), tags, remove, dry_run: false },
            &TagSources::default(),
        )
    }

    fn domain(tags: &str) -> String {
        format!(
            "<domain type='kvm'><title>x</title><metadata><h:tags xmlns:h='urn:hostinfo:1'>{tags}</h:tags>\
             </metadata></domain>"
        )
    }

    fn own(tags: &[(&str, &str)]) -> Own {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn words_that_cannot_be_tags_are_refused_with_the_reason() {
        for (tags, remove, word) in [
            (&["role"][..], &[][..], "is not KEY=VALUE"),
            (&["role=a\nb"], &[], "no line breaks"),
            (&["role= a"], &[], "no blanks around it"),
            (&["a b=c"], &[], "is not the key of a tag"),
            (&["=c"], &[], "is not the key of a tag"),
            (&["a=1", "a=2"], &[], "given twice"),
            (&["a=1"], &["a"], "both set and removed"),
            (&["uuid=1"], &[], "not hostinfo's own"),
            (&["title=1"], &[], "not hostinfo's own"),
            (&["project=1"], &[], "not hostinfo's own"),
        ] {
            let error = edit(tags, remove).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.status(), 2);
        }
        let long = format!("a={}", "x".repeat(TAG_MAX + 1));
        assert!(edit(&[&long], &[]).is_err());
        assert_eq!(edit(&["a=b=c", "d="], &[]).unwrap().set, own(&[("a", "b=c"), ("d", "")]));
        assert!(edit(&[], &["project"]).is_ok(), "one from before the key meant something else");
    }

    #[test]
    fn tags_that_are_not_named_are_kept() {
        let xml = domain("<h:tag name='a'>1</h:tag><h:tag name='b'>2</h:tag>");
        let (before, after) = edit(&["c=3", "a=4"], &["b"]).unwrap().applied(UUID, &xml).unwrap();
        assert_eq!(before, own(&[("a", "1"), ("b", "2")]));
        assert_eq!(after, own(&[("a", "4"), ("c", "3")]));
        let (before, after) = edit(&["a=1"], &["z"]).unwrap().applied(UUID, &xml).unwrap();
        assert_eq!(before, after);
    }

    #[test]
    fn an_unclear_tag_cannot_be_kept_but_can_be_replaced() {
        let xml = domain("<h:tag name='a'>1</h:tag><h:tag name='a'>2</h:tag>");
        let error = edit(&["b=1"], &[]).unwrap().applied(UUID, &xml).unwrap_err().to_string();
        assert!(error.contains("tag a is there twice"), "{error}");
        assert!(
            error.contains(&format!("--edit {UUID}, ")),
            "virsh takes a name for an ID: {error}"
        );
        let (before, after) = edit(&["a=3"], &[]).unwrap().applied(UUID, &xml).unwrap();
        assert!(before != after && after == own(&[("a", "3")]));
        let nameless = domain("<h:tag>1</h:tag>");
        assert!(edit(&["b=1"], &[]).unwrap().applied(UUID, &nameless).is_err());
    }
}
