//! Files that a person names: read whole, within a bound and without blocking; or replaced as a whole. And what went
//! wrong with one, in words. [`aside`] has threads for files and directories that others can keep from being read, [`way`]
//! looks at each symbolic link on the way to one.

#[cfg(unix)]
pub mod aside;
#[cfg(unix)]
mod regular;
mod replace;
#[cfg(unix)]
mod target;
#[cfg(unix)]
pub mod way;
mod words;

#[cfg(unix)]
pub use regular::*;
pub use replace::replace;
pub use words::in_words;
