//! What libvirt knows of the guests, and the helper process that asks it.
//!
//! libvirt can hang, and a call that hangs cannot be cancelled from within its process. So the
//! daemon does not link it: `hostinfo-libvirt` does, and the two exchange [`Ask`]s and
//! [`Message`]s over a socket. A [`Helper`] starts that program, kills it when it does not
//! answer, and keeps the last [`Snapshot`] of what it told. [`Whose`] says which domain a socket
//! belongs to. Which figure is which statistic is left to others.

mod backoff;
mod board;
mod domain;
mod helper;
pub mod limits;
mod lines;
mod message;
mod pauses;
mod presence;
mod process;
mod snapshot;
mod wanted;
mod whose;
mod xml;

pub use domain::{Disk, Domain, Figures, Io, Net, State, Traffic};
pub use helper::{Helper, is_there};
pub use message::{Ask, Bad, Hypervisor, Message, VERSION, ask, cut, message, to_line};
pub use process::{PROGRAM, programs};
pub use snapshot::{Guest, Run, Snapshot};
pub use uuid::Uuid;
pub use whose::{Claim, Conflict, Whose};
pub use xml::{DISK_DIR, VHOSTMD_DIR};
pub use xml::{Description, Limits, Unreadable, describe};
