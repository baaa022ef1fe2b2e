//! What the administrator's tool and the helper say to each other: a JSON value a line, and an
//! answer to each order. The helper's first words are the same as to the daemon.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::ORDER_MAX;

/// What the helper is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Tell every domain: [`Answer::Entry`] for each, then [`Answer::Done`].
    List,
    /// Tell a domain's XML: [`Answer::Xml`].
    Tell {
        /// Which domain.
        uuid: Uuid,
        /// Which of its two.
        form: Form,
    },
    /// Put a device into a domain, or take it out: [`Answer::Done`].
    Change {
        /// Which domain.
        uuid: Uuid,
        /// Which of its two forms.
        form: Form,
        /// Which of both.
        act: Act,
        /// The device's XML.
        device: String,
    },
}

/// A domain has up to two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// What it is started from.
    Config,
    /// What runs.
    Live,
}

/// What is done to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// virDomainAttachDeviceFlags.
    Attach,
    /// virDomainDetachDeviceFlags.
    Detach,
}

/// What the helper says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Its first words, before it calls libvirt; then comes [`Answer::Done`] or
    /// [`Answer::Failed`].
    Hello {
        /// [`VERSION`](crate::VERSION).
        version: u32,
    },
    /// A domain.
    Entry(Entry),
    /// A domain's XML.
    Xml(String),
    /// The order is carried out.
    Done,
    /// It is not, and nothing has changed.
    Failed(Failure),
}

/// A domain in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Stays when the domain is renamed.
    pub uuid: Uuid,
    /// Any text.
    pub name: String,
    /// It runs, or is paused: it has [`Form::Live`].
    pub is_live: bool,
    /// It outlives its run: it has [`Form::Config`].
    pub is_defined: bool,
    /// Its next start goes on from where it was saved, with the devices of then.
    pub is_saved: bool,
}

/// Why libvirt does not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    /// What the administrator can do about it depends on this.
    pub kind: FailureKind,
    /// libvirt's own words.
    pub words: String,
}

/// A kind of [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// This user may not.
    Denied,
    /// There is no such domain any more.
    NoDomain,
    /// This hypervisor, or this domain as it is, cannot.
    Unsupported,
    /// The domain is busy with something else.
    Busy,
    /// libvirt is not there.
    Unreachable,
    /// Anything else.
    Other,
}

/// A line, with its end; `None` where it would be longer than [`ORDER_MAX`].
pub fn order_line(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(value).ok()?;
    line.push(b'\n');
    (line.len() <= ORDER_MAX).then_some(line)
}

/// Reads a line of the tool's.
///
/// # Errors
/// It is no order.
pub fn order(line: &[u8]) -> Result<Order, serde_json::Error> {
    serde_json::from_slice(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::XML_MAX;

    #[test]
    fn an_order_is_heard_as_it_was_given() {
        for given in [
            Order::List,
            Order::Tell { uuid: Uuid::max(), form: Form::Live },
            Order::Change {
                uuid: Uuid::max(),
                form: Form::Config,
                act: Act::Detach,
                device: "<serial type='unix'>\n</serial>".to_owned(),
            },
        ] {
            assert_eq!(order(&order_line(&given).unwrap()).unwrap(), given);
        }
        assert!(order(b"{}\n").is_err());
    }

    #[test]
    fn the_longest_xml_fits_a_line_whatever_is_in_it() {
        for text in ["\n", "\"", "\\", "\t", "\u{e9}"] {
            let xml = text.repeat(XML_MAX / text.len());
            assert!(order_line(&Answer::Xml(xml)).is_some(), "{text:?}");
        }
        assert!(order_line(&Answer::Xml("\n".repeat(ORDER_MAX))).is_none());
    }
}
