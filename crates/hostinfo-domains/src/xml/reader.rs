//! Parses XML into the elements that are needed, in one pass and within limits.
//!
//! Everything else is skipped, however large: what management programs keep in `<metadata>`, with
//! their namespaces, can be larger than all the rest. Tags are picked out of it on the way. The time
//! is linear in the length, since skipped text is never looked at again, and what is kept is
//! bounded.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::XmlVersion::Implicit1_0;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::Unreadable;
use super::element::Element;
use super::metadata::Finder;
use crate::limits::{ATTRIBUTES_MAX, ELEMENTS_MAX, XML_DEPTH, XML_MAX};
use crate::tags::{TagSources, Tags};

/// Elements of a domain that are kept.
const KEPT: [&str; 7] = ["name", "title", "hwuuid", "vcpu", "os", "devices", "qemu:commandline"];

/// The outermost element, with its kept contents.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn parse(xml: &str) -> Result<Element<'_>, Unreadable> {
    Ok(read(xml, None)?.0)
}

/// The same, and the domain's tags.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn parse_tagged<'x>(
    xml: &'x str,
    sought: &TagSources,
) -> Result<(Element<'x>, Tags), Unreadable> {
    let (domain, finder) = read(xml, Some(Finder::new(sought)))?;
    let tags = finder.map(|finder| finder.finish(&domain)).unwrap_or_default();
    Ok((domain, tags))
}

fn read<'x, 's>(
    xml: &'x str,
    finder: Option<Finder<'s>>,
) -> Result<(Element<'x>, Option<Finder<'s>>), Unreadable> {
    if xml.len() > XML_MAX {
        return Err(Unreadable::TooLong);
    }
    let mut reader = Reader::from_str(xml);
    let mut tree = Tree { xml, finder, open: Vec::new(), root: None, kept: 0 };
    let ended = tree.read(&mut reader);
    ended.map_err(|wrong| match wrong {
        Wrong::Bound(unreadable) => unreadable,
        Wrong::Xml(error) => Unreadable::NoXml { at: reader.buffer_position(), error },
    })?;
    Ok((tree.root.ok_or(Unreadable::NoDomain)?, tree.finder))
}

struct Tree<'x, 's> {
    xml: &'x str,
    /// Looks for tags, if any are wanted.
    finder: Option<Finder<'s>>,
    /// Elements that have not ended, the outermost first; at most [`XML_DEPTH`].
    open: Vec<Element<'x>>,
    root: Option<Element<'x>>,
    kept: usize,
}

/// Why reading stopped.
pub(super) enum Wrong {
    Bound(Unreadable),
    Xml(quick_xml::Error),
}

impl<E: Into<quick_xml::Error>> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self::Xml(error.into())
    }
}

impl<'x> Tree<'x, '_> {
    fn read(&mut self, reader: &mut Reader<&'x [u8]>) -> Result<(), Wrong> {
        loop {
            let start = position(reader);
            match reader.read_event()? {
                Event::Start(tag) if self.wants(&tag)? => {
                    let element = self.element(start, position(reader))?;
                    self.open.push(element);
                }
                Event::Start(tag) if self.is_metadata(&tag) => {
                    let metadata = self::tag(self.xml, start, position(reader));
                    if let (Some(finder), [domain]) = (&mut self.finder, &*self.open) {
                        finder.read(self.xml, metadata, domain, reader)?;
                    }
                }
                Event::Start(tag) => {
                    reader.read_to_end(tag.to_end().name())?;
                }
                Event::Empty(tag) => {
                    if self.wants(&tag)? {
                        let element = self.element(start, position(reader))?;
                        self.close(element, position(reader));
                    }
                }
                Event::End(_) => {
                    if let Some(element) = self.open.pop() {
                        self.close(element, position(reader));
                    }
                }
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => self.text(&resolved(&reference)?)?,
                // libvirt never writes one, and it could declare text of any length.
                Event::DocType(_) => return Err(Wrong::Bound(Unreadable::DocType)),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.open.is_empty() => return Ok(()),
                Event::Eof => return Err(Wrong::Bound(Unreadable::CutShort)),
            }
        }
    }

    /// Whether to keep an element.
    fn wants(&self, tag: &BytesStart<'_>) -> Result<bool, Wrong> {
        match self.open.len() {
            0 if self.root.is_some() => Err(Wrong::Bound(Unreadable::NoDomain)),
            1 => Ok(KEPT.contains(&tag.name().into_inner())),
            depth => Ok(depth < XML_DEPTH),
        }
    }

    /// Whether an element that is not kept may hold tags that are wanted.
    fn is_metadata(&self, tag: &BytesStart<'_>) -> bool {
        self.finder.is_some() && self.open.len() == 1 && tag.name().into_inner() == "metadata"
    }

    /// An element, from its tag at this position.
    fn element(&mut self, start: usize, end: usize) -> Result<Element<'x>, Wrong> {
        self.kept += 1;
        if self.kept > ELEMENTS_MAX {
            return Err(Wrong::Bound(Unreadable::TooManyElements));
        }
        let tag = tag(self.xml, start, end);
        let name = name(tag);
        let mut attributes = Vec::new();
        for attribute in Attributes::new(tag, name.len()) {
            if attributes.len() == ATTRIBUTES_MAX {
                return Err(Wrong::Bound(Unreadable::TooManyAttributes(name.to_owned())));
            }
            let attribute = attribute?;
            attributes.push((attribute.key.into_inner(), attribute.normalized_value(Implicit1_0)?));
        }
        Ok(Element { name, range: start..end, attributes, ..Element::default() })
    }

    fn close(&mut self, mut element: Element<'x>, end: usize) {
        element.range.end = end;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Wrong> {
        match self.open.last_mut() {
            Some(Element { text: own, .. }) if own.is_empty() => own.push_str(text.trim_start()),
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(Wrong::Bound(Unreadable::NoDomain)),
        }
        Ok(())
    }
}

/// A tag at this position, without its brackets.
pub(super) fn tag(xml: &str, start: usize, end: usize) -> &str {
    let tag = xml.get(start..end).unwrap_or_default();
    tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/')
}

/// The name in a tag, with its prefix.
pub(super) fn name(tag: &str) -> &str {
    tag.split([' ', '\t', '\r', '\n']).next().unwrap_or_default()
}

pub(super) fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// `&amp;` or `&#45;`
pub(super) fn resolved<'r>(reference: &'r BytesRef<'_>) -> Result<Cow<'r, str>, Wrong> {
    if let Some(character) = reference.resolve_char_ref()? {
        return Ok(character.to_string().into());
    }
    let known = resolve_predefined_entity(reference);
    Ok(known.ok_or_else(|| Wrong::Bound(Unreadable::Entity(reference.to_string())))?.into())
}
