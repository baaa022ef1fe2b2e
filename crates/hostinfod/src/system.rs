//! As much of the operating system as the daemon needs.

pub(crate) mod account;
pub(crate) mod bound_socket;
pub(crate) mod children;
pub(crate) mod credentials;
pub(crate) mod descriptors;
pub(crate) mod file_error;
pub(crate) mod file_id;
#[cfg(test)]
pub(crate) mod mounts;
pub(crate) mod path_steps;
pub(crate) mod program;
pub(crate) mod signals;
pub(crate) mod systemd;
pub(crate) mod watch;
pub(crate) mod watched_path;
