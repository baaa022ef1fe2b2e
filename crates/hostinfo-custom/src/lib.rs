//! The administrator's own statistics: `custom.NAME`, from a file or from a command.
//!
//! `docs/custom.md` tells the administrator what the files of the directory
//! `/etc/hostinfo/custom.d` contain, and what a command is given. A daemon that is not root runs
//! commands as itself. While the daemon lives, commands end by their deadline; when it ends
//! normally, they end with it. If it is killed, the service manager has to kill what is left in its
//! control group, as systemd does.
//!
//! The stages of a definition: `directory` (files) -> `parse` (tables), `draft` (their keys, with
//! `account`) -> `custom` (queries) -> `file`, or `pool` and `child` -> `output` (bytes to a value)
//! -> `kept` (values, until they are too old). Other crates decide who may see what.

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
