//! Whole hosts and guests: captured trees, trees that change while they are read, and this
//! program's own threads.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod big_host;
mod cgroup_lacks;
mod cgroups;
mod counters;
mod cpus;
mod energy;
mod golden;
mod hardware;
mod junk;
mod limits;
mod memory;
mod open_files;
mod qemu;
mod samples;
mod threads;
mod together;
mod tree;
mod vmm;

use std::time::Duration;

/// Only something that hangs takes this long.
const PATIENCE: Duration = Duration::from_secs(180);
