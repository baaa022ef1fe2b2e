//! The administrator's own statistics: `custom.NAME`, from a file or from a command.
//!
//! Each file `/etc/hostinfo/custom.d/*.toml` holds any number of them:
//!
//! ```toml
//! [custom.rack.temperature]       # the name in rules and requests
//! kind = "gauge"                  # info, gauge or counter
//! unit = "-"                      # bytes, seconds, ratio, hertz, joules, cpus; default "-"
//! help = "degrees Celsius at the rack's inlet"
//! file = "/run/rack/inlet"        # one line: the value
//! every = "30s"                   # read that often at the most; default 10s, from 1s to 24h
//!
//! [custom.backup.age]
//! kind = "gauge"
//! unit = "seconds"
//! help = "time since this guest's last backup"
//! scope = "guest"                 # a value for each guest; default "host", one for all
//! command = ["/usr/local/bin/backup-age", "--guest", "{guest}"]
//! timeout = "5s"                  # then it is killed; default 2s, at most 30s
//! user = "backup"                 # whom it runs as; default nobody, never root
//! ```
//!
//! `{guest}` is the name of the guest's socket (`qemu-web`), as a whole word of a command or
//! as a whole step of a file's path. A command is a list of words, which no shell sees. It has `/`
//! as its directory, `PATH` and `LANG` as its environment and `/dev/null` as its input. It prints
//! its value on one line and exits with 0. What it leaves running in its process group is killed
//! then. Nothing here is read or run but when a guest asks, and a failure is kept as long as a
//! value is.
//!
//! A file is read by the daemon itself, if `user` may read it. Programs and files belong on local
//! file systems: opening and executing are waited for. Users come from `/etc/passwd` alone. A
//! daemon that is not root runs commands as itself. Commands end by their deadline as long as the
//! daemon lives and with it when it ends in order; when it is killed, it is up to the service
//! manager to kill what is left in its control group, as systemd does.
//!
//! The directory and its files belong to root and are writable by nobody else; a file with an
//! error takes away its own statistics and no others.
//!
//! The way of a definition: `directory` (files) -> `parse` (tables), `draft` (their keys, with `account`
//! and `time`) -> `custom` (what is asked for) -> `file`, or `pool` and `child` -> `output` (bytes to a
//! value) -> `kept` (what was had, until it is too old). Who may see what is left to others.

mod account;
mod child;
mod counter;
mod custom;
mod definition;
mod directory;
mod draft;
mod failure;
mod file;
mod kept;
pub mod limits;
mod output;
mod parse;
mod pool;
mod problem;
mod time;

pub use account::{Account, Accounts};
pub use custom::{Answer, Custom};
pub use definition::{Definition, Scope, Source};
pub use parse::parse;
pub use problem::Problem;
