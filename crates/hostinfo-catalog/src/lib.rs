//! The single source of what hostinfo knows about its statistics.
//!
//! [`table::STATS`] is the table. [`resolve`](resolve::resolve) finds what a name in a request or
//! in the rules refers to. [`Source`] says how a value is read; the samplers match it without a
//! wildcard, so that a statistic that nobody samples does not compile.

pub mod about;
pub mod doc;
pub mod id;
pub mod instances;
pub mod metric;
pub mod resolve;
pub mod scope;
pub mod source;
pub mod stat;
pub mod table;
pub mod vhostmd;

pub use about::About;
pub use id::StatId;
pub use instances::Instances;
pub use resolve::{Named, resolve};
pub use scope::Scope;
pub use source::Source;
pub use stat::{Kind, Stat, Unit};
pub use table::STATS;
