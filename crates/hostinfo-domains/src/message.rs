//! The messages between daemon and helper: one JSON value per line.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Domain, Figures};
use crate::limits::LINE_MAX;
use crate::tags::TagSources;

/// The version of these messages. Daemon and helper must use the same.
pub const VERSION: u32 = 4;

/// A message from the helper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Its first message, sent before it calls libvirt.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// A domain is new or has changed.
    Domain(Domain),
    /// A domain no longer exists, live or defined.
    Gone(Uuid),
    /// A domain went back to a snapshot, in the same run.
    Reverted(Uuid),
    /// The current figures of a domain.
    Figures(Uuid, Figures),
    /// The hypervisor that runs the guests.
    Hypervisor(Hypervisor),
    /// Everything sent so far is consistent. The number is that of the last [`Ask`] that this
    /// answers; 0 for unsolicited reports, the first of which covers every domain.
    Done(u64),
    /// libvirt cannot be reached, in its own words. The helper then ends.
    Down(String),
}

/// The hypervisor that runs the guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypervisor {
    /// libvirt's name for it, such as `QEMU`.
    pub name: String,
    /// Such as `7.2.22`.
    pub version: String,
}

/// A request from the daemon, one at a time, numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Check whether domains have come, changed their state or gone.
    Look {
        /// Comes back in [`Message::Done`].
        number: u64,
    },
    /// The same, plus the figures of these live domains.
    Figures {
        /// Comes back in [`Message::Done`].
        number: u64,
        /// Empty means all.
        of: Vec<Uuid>,
    },
    /// Look for these tags from now on, and in all domains again.
    Tags {
        /// Comes back in [`Message::Done`].
        number: u64,
        /// Which tags.
        sought: TagSources,
    },
}

/// A line that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("not a message of hostinfo-libvirt, version {VERSION}: {0}")]
pub struct Bad(#[from] serde_json::Error);

/// Reads a line from the helper.
///
/// # Errors
/// [`Bad`].
pub fn message(line: &[u8]) -> Result<Message, Bad> {
    Ok(serde_json::from_slice(line)?)
}

/// Reads a line from the daemon.
///
/// # Errors
/// [`Bad`].
pub fn ask(line: &[u8]) -> Result<Ask, Bad> {
    Ok(serde_json::from_slice(line)?)
}

/// A line, with its end; `None` if it would be longer than [`LINE_MAX`].
pub fn to_line(value: &impl Serialize) -> Option<Vec<u8>> {
    // None of these types can fail to serialize: the keys of maps are text.
    let mut line = serde_json::to_vec(value).ok()?;
    line.push(b'\n');
    (line.len() <= LINE_MAX).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Disk, Io, Net, State, Traffic, Vcpu};
    use crate::iotune::{Limit, Limits};
    use crate::limits::{
        DEV_MAX, DISKS_MAX, NAME_MAX, NAMES_MAX, NETS_MAX, SOCKET_PATH_MAX, TAG_KEY_MAX, TAG_MAX,
        TAGS_MAX, VCPUS_MAX, WORDS_MAX,
    };
    use crate::names::Names;
    use crate::tags::Tags;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let domain = Domain {
            uuid: Uuid::from_u128(7),
            hwuuid: Some(Uuid::from_u128(8)),
            name: "a \"b\"\n\u{e9}".to_owned(),
            driver: "qemu".to_owned(),
            is_kvm: true,
            id: Some(3),
            state: State::Paused,
            migrating: true,
            vcpus: 1,
            vcpus_max: 2,
            names: Names { clauses: vec!["qemu-a".to_owned()], ..Names::default() },
            channel: Some("/run/libvirt/qemu/channel/3-a/org.github.vhostmd.1".to_owned()),
            cid: Some(7),
            tags: Tags::Known(
                [("role".to_owned(), Some("db".to_owned())), ("twice".to_owned(), None)].into(),
            ),
            unread: Some("it is no XML".to_owned()),
        };
        for said in [
            Message::Hello { version: VERSION },
            Message::Domain(domain),
            Message::Gone(Uuid::from_u128(7)),
            Message::Reverted(Uuid::from_u128(7)),
            Message::Done(1),
            Message::Down("no".to_owned()),
        ] {
            let line = to_line(&said).unwrap();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(message(&line).unwrap(), said);
        }
        let asked = Ask::Figures { number: 4, of: vec![Uuid::from_u128(7)] };
        assert_eq!(ask(&to_line(&asked).unwrap()).unwrap(), asked);
        let asked = Ask::Tags { number: 5, sought: TagSources::default() };
        assert_eq!(ask(&to_line(&asked).unwrap()).unwrap(), asked);
    }

    #[test]
    fn the_largest_domain_fits_a_line() {
        // A control character takes six bytes in JSON.
        let worst = |length| "\u{1}".repeat(length);
        let names = vec![worst(NAME_MAX); NAMES_MAX];
        let domain = Domain {
            uuid: Uuid::max(),
            hwuuid: Some(Uuid::max()),
            name: worst(NAME_MAX),
            driver: worst(NAME_MAX),
            is_kvm: false,
            id: Some(u32::MAX),
            state: State::ShuttingDown,
            migrating: false,
            vcpus: u64::MAX,
            vcpus_max: u64::MAX,
            names: Names {
                clauses: names.clone(),
                vhostmd: names.clone(),
                disks: names.clone(),
                others: names.clone(),
                hidden: names,
            },
            channel: Some(worst(SOCKET_PATH_MAX)),
            cid: Some(u32::MAX),
            tags: Tags::Known(
                (0..TAGS_MAX)
                    .map(|number| {
                        let key = format!("{number:02}{}", worst(TAG_KEY_MAX - 2));
                        (key, Some(worst(TAG_MAX)))
                    })
                    .collect(),
            ),
            unread: Some(worst(WORDS_MAX)),
        };
        assert!(to_line(&Message::Domain(domain)).is_some());
        let most = Some(u64::MAX);
        let io = Io { bytes: most, ops: most, nanos: most };
        let limit = Limit { total: most, read: most, write: most };
        let disk = Disk {
            dev: worst(DEV_MAX),
            read: io,
            write: io,
            flush: io,
            errors: most,
            limits: Limits { bytes: limit, ops: limit, is_unclear: false },
        };
        let traffic = Traffic { bytes: most, packets: most, drops: most, errors: most };
        let net =
            Net { number: u32::MAX, rx: traffic, tx: traffic, rx_limit: most, tx_limit: most };
        let vcpu = Vcpu {
            number: u32::MAX,
            exits: most,
            io_exits: most,
            mmio_exits: most,
            halt_exits: most,
            irqs: most,
            halt_poll: most,
        };
        let figures = Figures {
            memory_current: most,
            memory_maximum: most,
            block_job: Some(false),
            vcpus: vec![vcpu; VCPUS_MAX],
            halt_poll: most,
            disks: vec![disk; DISKS_MAX],
            nets: vec![net; NETS_MAX],
        };
        assert!(to_line(&Message::Figures(Uuid::max(), figures)).is_some());
    }

    #[test]
    fn the_seeds_of_the_fuzzer_are_messages_of_today() {
        for seed in std::fs::read_dir("../../fuzz/seeds/message").unwrap() {
            let path = seed.unwrap().path();
            let line = std::fs::read(&path).unwrap();
            let said = match message(&line) {
                Ok(heard) => to_line(&heard),
                Err(_) => to_line(&ask(&line).unwrap()),
            };
            // The seed must also be of the current version, with no obsolete field and none
            // missing.
            let said = String::from_utf8(said.unwrap()).unwrap();
            assert_eq!(said, String::from_utf8(line).unwrap(), "{}", path.display());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes: Vec<u8>) {
            let _ = message(&bytes);
            let _ = ask(&bytes);
        }
    }
}
