//! Elements of a domain's XML, by name.

use std::borrow::Cow;
use std::ops::Range;

/// An element that is kept, with its kept contents.
#[derive(Debug, Default)]
pub(crate) struct Element<'x> {
    /// As written: libvirt writes its own elements without a prefix, and `qemu:commandline` with
    /// one.
    pub(crate) name: &'x str,
    /// Its position in the XML.
    pub(crate) range: Range<usize>,
    /// The kept elements directly below it.
    pub(crate) children: Vec<Element<'x>>,
    /// Its own text, without that of nested elements, and without leading blanks.
    pub(crate) text: String,
    pub(super) attributes: Vec<(&'x str, Cow<'x, str>)>,
}

impl<'x> Element<'x> {
    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value)
    }

    /// The values of all attributes with these names.
    pub(crate) fn attributes(&self, names: &[&str]) -> impl Iterator<Item = &str> {
        let named = self.attributes.iter().filter(|(own, _)| names.contains(own));
        named.map(|(_, value)| &**value)
    }

    /// The elements with that name directly below.
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

    /// Whether it is a serial port or a channel, the two kinds of device that a hostinfo port can
    /// be.
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
