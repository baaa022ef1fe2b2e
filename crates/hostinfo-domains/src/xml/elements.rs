//! Elements of a domain's XML, by their names.

use roxmltree::Node;

/// Everything in a domain's `<devices>`, also what is no element.
pub(crate) fn devices<'a, 'i>(domain: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    children(domain, "devices").flat_map(|devices| devices.children())
}

/// The elements of that name directly below.
pub(crate) fn children<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// The paths of a serial port or channel. Consoles repeat a serial port; a disk has a `<serial>`,
/// too, which is a number.
///
/// ```xml
/// <serial type='unix'>
///   <source mode='bind' path='/var/lib/hostinfo/qemu-myguest'/>
///   <target type='isa-serial' port='1'/>
/// </serial>
/// ```
pub(crate) fn paths<'a>(device: Node<'a, '_>) -> impl Iterator<Item = &'a str> {
    let is_port = device.has_tag_name("serial") || device.has_tag_name("channel");
    device
        .children()
        .filter(move |source| is_port && source.has_tag_name("source"))
        .filter_map(|source| source.attribute("path"))
}
