//! The administrator's labels for this host, which guests read: `[labels]` of the settings.

use std::collections::BTreeMap;
use std::ops::Bound;

use hostinfo_custom::limits::{NAME_MAX, TEXT_MAX};
use hostinfo_wire::name::is_name;
use hostinfo_wire::text::printable;
use serde::Deserialize;

/// Texts by name, both as they appear in replies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The label of that name, which is in lower case and without `label.`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The sorted names with that prefix.
    pub fn names<'l>(&'l self, prefix: &'l str) -> impl Iterator<Item = &'l str> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let names = self.0.range::<str, _>(from).map(|(name, _)| name.as_str());
        names.take_while(move |name| name.starts_with(prefix))
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = String;

    fn try_from(written: BTreeMap<String, String>) -> Result<Self, String> {
        let mut labels = BTreeMap::new();
        for (name, text) in written {
            if !is_name(&name) || name.len() > NAME_MAX {
                return Err(format!(
                    "label `{}`: a name is letters, digits, `_` and `-`, joined by dots, and at \
                     most {NAME_MAX} bytes",
                    name.escape_debug()
                ));
            }
            if text.is_empty() || text.len() > TEXT_MAX || printable((&*text).into()) != text {
                return Err(format!(
                    "label `{name}`: expected one line of at most {TEXT_MAX} bytes, without \
                     blanks around it"
                ));
            }
            if labels.insert(name.to_ascii_lowercase(), text).is_some() {
                return Err(format!("label `{name}` already exists in other letter case"));
            }
        }
        Ok(Self(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Result<Labels, String> {
        let pairs = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Labels::try_from(pairs.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn names_are_looked_up_in_lower_case() {
        let labels = labels(&[("Rack", "B 7"), ("site.row", "Ü")]).unwrap();
        assert_eq!((labels.get("rack"), labels.get("Rack")), (Some("B 7"), None));
        assert_eq!(labels.names("").collect::<Vec<_>>(), ["rack", "site.row"]);
    }

    #[test]
    fn a_label_that_is_no_name_or_no_line_of_a_reply_is_an_error_that_names_it() {
        let long = "x".repeat(TEXT_MAX + 1);
        for (name, text) in [
            ("", "x"),
            ("a b", "x"),
            ("a..b", "x"),
            ("n", ""),
            ("n", " x"),
            ("n", "a\nb"),
            ("n", &long),
        ] {
            assert!(labels(&[(name, text)]).unwrap_err().contains(&format!("label `{name}`")));
        }
        assert!(labels(&[("rack", "1"), ("Rack", "2")]).unwrap_err().contains("already"));
    }
}
