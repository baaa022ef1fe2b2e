//! Elements of a domain's XML, by their names.

use std::borrow::Cow;
use std::ops::Range;

/// An element that is kept, with what is kept of it.
#[derive(Debug, Default)]
pub(crate) struct Element<'x> {
    /// As it is written: libvirt writes what is its own without a prefix, and `qemu:commandline`.
    pub(crate) name: &'x str,
    /// Where it stands in the XML.
    pub(crate) range: Range<usize>,
    /// The elements directly below, as far as they are kept.
    pub(crate) children: Vec<Element<'x>>,
    /// The text in it, without that of the elements in it, nor blanks before it.
    pub(crate) text: String,
    pub(super) attributes: Vec<(&'x str, Cow<'x, str>)>,
}

impl<'x> Element<'x> {
    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value)
    }

    /// The values of all attributes of these names.
    pub(crate) fn attributes(&self, names: &[&str]) -> impl Iterator<Item = &str> {
        let named = self.attributes.iter().filter(|(own, _)| names.contains(own));
        named.map(|(_, value)| &**value)
    }

    /// The elements of that name directly below.
    pub(crate) fn children(&self, name: &str) -> impl Iterator<Item = &Element<'x>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first of them.
    pub(crate) fn child(&self, name: &str) -> Option<&Element<'x>> {
        self.children(name).next()
    }

    /// Every device of a domain.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &Element<'x>> {
        self.children("devices").flat_map(|devices| &devices.children)
    }

    /// Whether it is a serial port or a channel: what hostinfo can be given as.
    pub(crate) fn is_port(&self) -> bool {
        matches!(self.name, "serial" | "channel")
    }

    /// The paths of a serial port or channel.
    ///
    /// ```xml
    /// <serial type='unix'>
    ///   <source mode='bind' path='/var/lib/hostinfo/qemu-myguest'/>
    ///   <target type='isa-serial' port='1'/>
    /// </serial>
    /// ```
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let sources = self.children("source").filter(|_| self.is_port());
        sources.filter_map(|source| source.attribute("path"))
    }
}
