//! Shows in advance what a domain's XML will be once libvirt has added or removed a device. libvirt
//! itself also adds what it chooses, such as addresses.

use crate::xml::Unreadable;
use crate::xml::reader::parse;

/// Adds a device: after the last of its kind, or else at the end of all devices.
///
/// # Errors
/// [`Unreadable`]; also if there are no devices.
pub fn with(xml: &str, device: &str) -> Result<String, Unreadable> {
    let domain = parse(xml)?;
    let kind = if device.starts_with("<channel") { "channel" } else { "serial" };
    let last = domain.devices().filter(|other| other.name == kind).last();
    let place = match last.or_else(|| domain.devices().last()) {
        Some(other) => other.range.end,
        None => domain
            .child("devices")
            .and_then(|devices| {
                let written = xml.get(devices.range.clone())?;
                Some(devices.range.start + written.rfind("</devices")?)
            })
            .ok_or(Unreadable::NoDomain)?,
    };
    let (before, behind) = xml.split_at_checked(place).ok_or(Unreadable::NoDomain)?;
    let lines: String = device.lines().map(|line| format!("\n    {line}")).collect();
    Ok(format!("{before}{lines}{behind}"))
}

/// Removes a device, given as [`Port::xml`](crate::Port) has it.
pub fn without(xml: &str, device: &str) -> String {
    let Some((before, behind)) = xml.split_once(device) else { return xml.to_owned() };
    let line = before.trim_end_matches([' ', '\t']);
    format!("{}{behind}", line.strip_suffix('\n').unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<domain type='kvm'>
  <devices>
    <serial type='pty'/>
    <console type='pty'/>
  </devices>
</domain>
";

    #[test]
    fn a_device_comes_behind_its_kind_and_goes_without_a_trace() {
        let device = "<serial type='unix'>\n  <x/>\n</serial>";
        let edited = with(XML, device).unwrap();
        let expected = "<serial type='pty'/>\n    <serial type='unix'>\n      <x/>\n    </serial>\n    <console";
        assert!(edited.contains(expected), "{edited}");
        let written = device.replace('\n', "\n    ");
        assert_eq!(without(&edited, &written), XML);
        assert_eq!(without(XML, "<channel/>"), XML);
    }

    #[test]
    fn the_first_of_its_kind_is_the_last_of_all() {
        let edited = with(XML, "<channel/>").unwrap();
        assert!(edited.contains("<console type='pty'/>\n    <channel/>\n  </devices>"), "{edited}");
        let edited = with("<domain type='kvm'><devices></devices></domain>", "<channel/>").unwrap();
        assert!(edited.contains("<devices>\n    <channel/></devices>"), "{edited}");
        for none in ["", "<metadata><devices></devices></metadata><devices/>"] {
            let xml = format!("<domain type='kvm'>{none}</domain>");
            assert!(with(&xml, "<channel/>").is_err(), "{xml}");
        }
    }
}
