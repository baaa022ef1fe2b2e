//! The administrator's own statistics: `custom.NAME`, from a file or from a command.
//!
//! `docs/custom.md` tells the administrator what files of the directory `/etc/hostinfo/custom.d` hold,
//! and what a command is given. A daemon that is not root runs commands as itself. Commands end by
//! their deadline as long as the daemon lives and with it when it ends in order; when it is killed,
//! it is up to the service manager to kill what is left in its control group, as systemd does.
//!
//! The way of a definition: `directory` (files) -> `parse` (tables), `draft` (their keys, with
//! `account`) -> `custom` (what is asked for) -> `file`, or `pool` and `child` -> `output` (bytes to a
//! value) -> `kept` (what was had, until it is too old). Who may see what is left to others.

mod account;
mod child;
mod counter;
mod custom;
mod definition;
mod directory;
mod draft;
#[cfg(feature = "examples")]
pub mod examples;
mod failure;
mod file;
mod kept;
pub mod limits;
mod output;
mod parse;
mod pool;
mod problem;
mod queue;

pub use account::{Account, Accounts, Power};
pub use custom::{Answer, Custom, News};
pub use definition::{Definition, Scope, Source};
pub use parse::parse;
pub use problem::Problem;
