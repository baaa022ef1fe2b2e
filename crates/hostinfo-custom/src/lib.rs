//! The administrator's own statistics: `custom.NAME`, from a file or from a command.
//!
//! `docs/custom.md` tells the administrator what the files of the directory
//! `/etc/hostinfo/custom.d` contain, and what a command is given. Commands are run by another program,
//! `hostinfo-run` (`runner`), which reads the same files: `message` says how it is asked. They end by their deadline,
//! or when the daemon does, however that ends. If hostinfo-run is killed, the service manager has to kill what is left
//! in its control group, as systemd does.
//!
//! The stages of a definition: `directory` (files) -> `parse` (tables), `draft` (their keys, with
//! `account`) -> `custom` (queries) -> `reads`, `file` (`way`), or `pool`, `run` and hostinfo-run -> `output` (bytes to a value)
//! -> `stored` (values, until they are too old). Other crates decide who may see what.

mod account;
mod counter;
mod custom;
mod definition;
mod directory;
mod draft;
#[cfg(any(test, feature = "examples"))]
pub mod examples;
mod failure;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handover;
pub mod limits;
pub mod message;
mod output;
mod parse;
mod pool;
mod problem;
mod queue;
mod reads;
mod run;
pub mod runner;
mod stored;
mod way;

pub use account::{Account, Accounts, Power};
pub use custom::{Answer, Custom, NewValues};
pub use definition::{Definition, Scope, Source};
pub use handover::CustomState;
pub use parse::parse;
pub use problem::Problem;

/// Where hostinfo-run listens.
pub const SOCKET: &str = "/run/hostinfo-run.sock";
