//! Shared by the whole-system tests and the demo: a real daemon, real guests, and a fake QEMU for
//! what the real one does not do on demand.
//!
//! Every wait has a deadline, and errors include the output of the guest, QEMU and the daemon.
//! Nothing that is started here outlives the thread that started it.

pub mod cgroup;
pub mod chaos;
pub mod container;
pub mod ctl;
pub mod daemon;
pub mod deadline;
pub mod fake;
pub mod follower;
pub mod guest;
pub mod held;
pub mod host;
pub mod install;
pub mod lab;
pub mod libvirtd;
pub mod paths;
pub mod process;
pub mod prometheus;
pub mod readme;
pub mod selinux;
pub mod upgrading;
pub mod user;
pub mod wine;

pub use cgroup::Cgroup;
pub use ctl::hostinfoctl;
pub use daemon::Daemon;
pub use fake::{FakeGuest, FakeQemu};
pub use follower::Follower;
pub use guest::{Domain, DomainGuest, Guest, Port, serial};
pub use held::Held;
pub use host::Host;
pub use lab::{Lab, LabGuest};
pub use libvirtd::Libvirtd;
pub use wine::Wine;
