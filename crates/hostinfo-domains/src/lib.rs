//! What libvirt knows about the guests, and the helper process that asks it.
//!
//! libvirt can hang, and a hanging call cannot be cancelled from within its process. So the daemon
//! does not link libvirt: `hostinfo-libvirt` does, and the two exchange [`Ask`]s and [`Message`]s
//! over a socket. A [`Helper`] starts that program, kills it if it does not answer, and keeps the
//! last [`Snapshot`] of its reports. [`Whose`] finds the domain that a socket belongs to. Other
//! crates map figures to statistics.
//!
//! For the administrator's tool, the same program takes [`Order`]s, one after the other, from an
//! [`Administrator`]. [`Ports`] lists the ports that a domain has for hostinfo, and [`Clause`]
//! creates one.

/// The default directory of guests' sockets.
pub const SOCKET_DIR: &str = "/var/lib/hostinfo";

/// The default libvirt.
pub const URI: &str = "qemu:///system";

mod administrator;
mod backoff;
mod believed;
mod clause;
mod collector;
mod conflict;
mod cut;
mod directory;
mod domain;
pub mod edit;
mod errors;
#[cfg(any(test, feature = "examples"))]
pub mod examples;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handover;
mod helper;
mod iotune;
mod libvirt_settings;
pub mod limits;
mod lines;
mod marks;
mod message;
mod names;
mod order;
mod pauses;
mod ports;
mod presence;
mod process;
mod shell;
mod snapshot;
mod tag_settings;
mod tags;
mod target;
mod wanted;
mod whose;
mod xml;

pub use administrator::{Access, Administrator, Unanswered};
pub use backoff::doubled;
pub use clause::{Clause, Unfit};
pub use conflict::Conflict;
pub use cut::cut;
pub use directory::Directory;
pub use domain::{Disk, Domain, Figures, Io, Net, State, Traffic, Vcpu};
pub use handover::Known;
pub use helper::{Helper, is_there};
pub use iotune::{Limit, Limits};
pub use libvirt_settings::LibvirtSettings;
pub use marks::{CGROUP_MAX, CMDLINE_MAX, Marks};
pub use message::{Ask, Bad, Hypervisor, Message, VERSION, ask, message, to_line};
pub use names::Names;
pub use order::{Act, Answer, Entry, Failure, FailureKind, Form, Order, order, order_line};
pub use ports::{Port, Ports, Slot};
pub use process::{PROGRAM, programs};
pub use shell::{operand, shell};
pub use snapshot::{Guest, Run, Snapshot};
pub use tag_settings::TagSettings;
pub use tags::{
    Source, TAGS_NAMESPACE, TITLE, TagSources, Tags, is_builtin, is_key, is_value, own_tags,
    own_tags_xml, tags,
};
pub use target::{CHANNEL, Target};
pub use uuid::Uuid;
pub use whose::{Claim, Whose};
pub use xml::vhostmd::{DISK_DIR, VHOSTMD_DIR};
pub use xml::{Configured, Description, Unreadable, describe};
