//! Picks tags out of `<metadata>` while it is skipped.
//!
//! Only elements on the way to a tag are looked at, and their number is limited; everything else is
//! skipped as a whole. What exceeds a limit makes the tags unreadable, never the domain.

mod attributes;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem::take;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::Unreadable;
use super::element::Element;
use super::reader::{Wrong, name, position, resolved, tag};
use crate::limits::{TAG_ELEMENTS_MAX, TAG_TEXT_MAX, TAGS_MAX};
use crate::tags::{TAGS_NAMESPACE, TITLE, TagSources, Tags, is_key, is_value};

use attributes::{Own, attributes, own_space, prefix};

/// Finds a domain's tags.
pub(super) struct Finder<'s> {
    sought: &'s TagSources,
    wanted: Vec<Wanted<'s>>,
    found: BTreeMap<String, Option<String>>,
    /// Elements looked at.
    count: usize,
    is_broken: bool,
}

/// A place that may hold a tag.
struct Wanted<'s> {
    key: Key<'s>,
    namespace: &'s str,
    path: Vec<&'s str>,
    attribute: Option<&'s str>,
}

#[derive(Clone, Copy)]
enum Key<'s> {
    Is(&'s str),
    /// The element's attribute `name` has it.
    Named,
}

/// An element on the way to a tag.
#[derive(Default)]
struct Level<'x> {
    /// Prefixes and the namespaces that it gives them.
    spaces: Vec<(&'x str, Cow<'x, str>)>,
    /// Places that are below it, as indices into the wanted ones.
    below: Vec<usize>,
    /// Keys whose value is its text.
    keys: Vec<String>,
    text: String,
    /// Whether the text is not the whole content, or is too long.
    is_unclear: bool,
}

/// The tags cannot be read.
struct Broken;

impl<'s> Finder<'s> {
    pub(super) fn new(sought: &'s TagSources) -> Self {
        let sources = sought.sources.iter().map(|source| Wanted {
            key: Key::Is(&source.key),
            namespace: &source.namespace,
            path: source.path.iter().map(String::as_str).collect(),
            attribute: source.attribute.as_deref(),
        });
        let own = sought.own.then(|| Wanted {
            key: Key::Named,
            namespace: TAGS_NAMESPACE,
            path: vec!["tags", "tag"],
            attribute: None,
        });
        let wanted = sources.chain(own).collect();
        Self { sought, wanted, found: BTreeMap::new(), count: 0, is_broken: false }
    }

    /// Reads up to the end of `<metadata>`, whose tag this is.
    pub(super) fn read<'x>(
        &mut self,
        xml: &'x str,
        metadata: &'x str,
        domain: &Element<'x>,
        reader: &mut Reader<&'x [u8]>,
    ) -> Result<(), Wrong> {
        let mut open = vec![self.outermost(metadata, domain)];
        while let Some(level) = open.last_mut() {
            let start = position(reader);
            match reader.read_event()? {
                Event::Start(event) => {
                    level.is_unclear = true;
                    match self.enter(&open, tag(xml, start, position(reader))) {
                        Some(level) => open.push(level),
                        None => {
                            reader.read_to_end(event.to_end().name())?;
                        }
                    }
                }
                Event::Empty(_) => {
                    level.is_unclear = true;
                    if let Some(level) = self.enter(&open, tag(xml, start, position(reader))) {
                        self.leave(level);
                    }
                }
                Event::End(_) => {
                    if let Some(level) = open.pop() {
                        self.leave(level);
                    }
                }
                Event::Text(text) => level.add(&text.xml10_content()),
                Event::CData(text) => level.add(&text.xml10_content()),
                Event::GeneralRef(reference) if !level.keys.is_empty() => {
                    level.add(&resolved(&reference)?);
                }
                Event::GeneralRef(_) | Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err(Wrong::Bound(Unreadable::DocType)),
                Event::Eof => return Err(Wrong::Bound(Unreadable::CutShort)),
            }
        }
        Ok(())
    }

    /// The tags found, with the title.
    pub(super) fn finish(mut self, domain: &Element<'_>) -> Tags {
        for title in domain.children("title").filter(|_| self.sought.own) {
            let text = Some(title.text.trim()).filter(|_| title.children.is_empty());
            self.add(TITLE, text);
        }
        if self.is_broken { Tags::Unreadable } else { Tags::Known(self.found) }
    }

    fn outermost<'x>(&mut self, metadata: &'x str, domain: &Element<'x>) -> Level<'x> {
        let of_domain = domain
            .attributes
            .iter()
            .filter_map(|(name, value)| Some((prefix(name)?, value.clone())));
        let mut spaces: Vec<_> = of_domain.collect();
        match attributes(metadata) {
            // The innermost is the last.
            Ok(own) => spaces.extend(own.spaces),
            Err(Broken) => self.is_broken = true,
        }
        Level { spaces, below: (0..self.wanted.len()).collect(), ..Level::default() }
    }

    /// An element in `open`, if a tag may be in it.
    fn enter<'x>(&mut self, open: &[Level<'x>], tag: &'x str) -> Option<Level<'x>> {
        let name = name(tag);
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let depth = open.len().checked_sub(1)?;
        let is_here = |at: &usize| {
            self.wanted.get(*at).is_some_and(|wanted| wanted.path.get(depth) == Some(&local))
        };
        let mut here: Vec<usize> = open.last()?.below.iter().copied().filter(is_here).collect();
        if here.is_empty() || self.is_broken {
            return None;
        }
        let namespace = own_space(tag, prefix).or_else(|| {
            let outer = open.iter().rev().flat_map(|level| level.spaces.iter().rev());
            outer.clone().find(|(own, _)| *own == prefix).map(|(_, space)| space.clone())
        });
        here.retain(|at| {
            let wanted = self.wanted.get(*at);
            wanted.is_some_and(|wanted| Some(wanted.namespace) == namespace.as_deref())
        });
        // Directly below `<metadata>`, other programs have as many elements as they like.
        self.count += usize::from(depth > 0 || !here.is_empty());
        if here.is_empty() && self.count <= TAG_ELEMENTS_MAX {
            return None;
        }
        let level = self.level(here, depth, tag);
        self.is_broken |= level.is_err() || self.count > TAG_ELEMENTS_MAX;
        level.ok()
    }

    fn level<'x>(
        &mut self,
        here: Vec<usize>,
        depth: usize,
        tag: &'x str,
    ) -> Result<Level<'x>, Broken> {
        let Own { spaces, values } = attributes(tag)?;
        let value =
            |name: &str| values.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value);
        let (mut below, mut keys, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for at in here {
            let Some(wanted) = self.wanted.get(at) else { continue };
            if wanted.path.len() > depth + 1 {
                below.push(at);
                continue;
            }
            let key = match wanted.key {
                Key::Is(key) => key,
                Key::Named => value("name").ok_or(Broken)?,
            };
            if !is_key(key) {
                return Err(Broken);
            }
            match wanted.attribute {
                Some(name) => found.extend(value(name).map(|value| (key, value))),
                None if matches!(wanted.key, Key::Named) && self.sought.is_taken(key) => {}
                None => keys.push(key.to_owned()),
            }
        }
        for (key, value) in found {
            self.add(key, Some(value));
        }
        Ok(Level { spaces, below, keys, ..Level::default() })
    }

    fn leave(&mut self, level: Level<'_>) {
        let text = Some(level.text.trim()).filter(|_| !level.is_unclear);
        for key in &level.keys {
            self.add(key, text);
        }
    }

    fn add(&mut self, key: &str, value: Option<&str>) {
        let is_full = self.found.len() >= TAGS_MAX;
        match self.found.get_mut(key) {
            Some(twice) => drop(take(twice)),
            None if is_full => self.is_broken = true,
            None => {
                let value = value.filter(|value| is_value(value)).map(str::to_owned);
                self.found.insert(key.to_owned(), value);
            }
        }
    }
}

impl Level<'_> {
    fn add(&mut self, text: &str) {
        if self.keys.is_empty() || self.is_unclear {
            return;
        }
        let text = if self.text.is_empty() { text.trim_start() } else { text };
        if self.text.len() + text.len() > TAG_TEXT_MAX {
            self.is_unclear = true;
        } else {
            self.text.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests;
