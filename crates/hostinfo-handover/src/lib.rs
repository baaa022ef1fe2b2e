//! How a daemon writes down what the program that takes its place goes on with.
//!
//! A [`Document`] is JSON in a sealed memory file, memfd_create(2). The modules below say how JSON has what it has no
//! form for: times of the monotonic clock, maps whose keys are no strings, arrays, and bytes of any kind or of text. What a document is about
//! is its crates' affair: each says of its own types what of them outlives the program.

pub mod array;
pub mod bytes;
mod document;
pub mod instant;
pub mod pairs;
pub mod text;

pub use document::{DOCUMENT_MAX, Document, Error};
pub use instant::At;
