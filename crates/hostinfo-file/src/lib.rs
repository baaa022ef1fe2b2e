//! Files that a person names: read whole, within a bound, and never waited for; or replaced whole.

#[cfg(unix)]
mod regular;
mod replace;
#[cfg(unix)]
mod target;

#[cfg(unix)]
pub use regular::*;
pub use replace::replace;
