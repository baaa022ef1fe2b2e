//! The messages between the administrator's tool and the helper: one JSON value per line, and one
//! answer to each order. The helper's first message is the same as to the daemon.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::ORDER_MAX;

/// An order to the helper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// List every domain: [`Answer::Entry`] for each, then [`Answer::Done`].
    List,
    /// Send a domain's XML: [`Answer::Xml`].
    Tell {
        /// Which domain.
        uuid: Uuid,
        /// Which of its two forms.
        form: Form,
    },
    /// Send a domain's XML as libvirt would write it if it were defined: [`Answer::Xml`]. Nothing
    /// is defined.
    Rewrite {
        /// The XML.
        xml: String,
    },
    /// Add a device to a domain, or remove it: [`Answer::Done`].
    Change {
        /// Which domain.
        uuid: Uuid,
        /// Which of its two forms.
        form: Form,
        /// Whether to add or remove it.
        act: Act,
        /// The device's XML.
        device: String,
    },
    /// Replace all of hostinfo's own tags of a domain: [`Answer::Done`].
    Tag {
        /// Which domain.
        uuid: Uuid,
        /// Which of its two forms.
        form: Form,
        /// The element, as [`own_tags_xml`](crate::own_tags_xml) writes it; `None` for no tags.
        tags: Option<String>,
    },
}

/// A domain has up to two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// What it is started from.
    Config,
    /// What is running.
    Live,
}

/// What to do with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// virDomainAttachDeviceFlags.
    Attach,
    /// virDomainDetachDeviceFlags.
    Detach,
}

/// A message from the helper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Its first message, sent before it calls libvirt; then comes [`Answer::Done`] or
    /// [`Answer::Failed`].
    Hello {
        /// [`VERSION`](crate::VERSION).
        version: u32,
    },
    /// A domain.
    Entry(Entry),
    /// A domain's XML.
    Xml(String),
    /// The order was carried out.
    Done,
    /// The order failed, and nothing has changed.
    Failed(Failure),
}

/// A domain in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Stays the same when the domain is renamed.
    pub uuid: Uuid,
    /// Any text.
    pub name: String,
    /// Whether it runs or is paused: it then has [`Form::Live`].
    pub is_live: bool,
    /// Whether it outlives its run: it then has [`Form::Config`].
    pub is_defined: bool,
    /// Whether its next start continues from a saved state, with the devices it had then.
    pub is_saved: bool,
}

/// Why libvirt did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    /// Decides what the administrator can do about it.
    pub kind: FailureKind,
    /// libvirt's own words.
    pub words: String,
}

/// A kind of [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// This user lacks the permission.
    Denied,
    /// The domain no longer exists.
    NoDomain,
    /// This hypervisor, or this domain in its current form, does not support it.
    Unsupported,
    /// The domain is busy with something else.
    Busy,
    /// libvirt cannot be reached.
    Unreachable,
    /// Anything else.
    Other,
}

/// A line, with its end; `None` if it would be longer than [`ORDER_MAX`].
pub fn order_line(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(value).ok()?;
    line.push(b'\n');
    (line.len() <= ORDER_MAX).then_some(line)
}

/// Reads a line from the tool.
///
/// # Errors
/// The line is not an order.
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
            Order::Rewrite { xml: "<domain/>".to_owned() },
            Order::Change {
                uuid: Uuid::max(),
                form: Form::Config,
                act: Act::Detach,
                device: "<serial type='unix'>\n</serial>".to_owned(),
            },
            Order::Tag { uuid: Uuid::max(), form: Form::Live, tags: Some("<tags/>".to_owned()) },
            Order::Tag { uuid: Uuid::max(), form: Form::Config, tags: None },
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
