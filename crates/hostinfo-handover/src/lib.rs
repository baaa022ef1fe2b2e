//! How a daemon writes down its state for the program that takes its place.
//!
//! A [`Document`] is JSON in a sealed memory file, memfd_create(2). The modules below write
//! what JSON and serde have no form for: times of the monotonic clock, maps whose keys are not strings, arrays, paths
//! and bytes. The content of a document is not decided here: each crate says which of its own state outlives the program.

pub mod array;
pub mod bytes;
mod document;
pub mod instant;
pub mod pairs;
pub mod path;
pub mod text;

pub use document::{DOCUMENT_MAX, Document, Error};
pub use instant::At;
