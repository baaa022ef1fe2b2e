//! Whole hosts: captured trees, and trees that are made and changed while they are looked at.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod big_host;
mod golden;
mod junk;
mod samples;
mod tree;
