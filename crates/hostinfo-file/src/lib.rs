//! Files that a person names: read whole, within a bound and without blocking; or replaced as a whole.

#[cfg(unix)]
mod regular;
mod replace;
#[cfg(unix)]
mod target;

#[cfg(unix)]
pub use regular::*;
pub use replace::replace;
