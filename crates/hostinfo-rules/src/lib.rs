//! hostinfo.conf: which guest may ask for what, and how often.
//!
//! [`parse()`] turns a file's bytes into [`Rules`] or into all its [`Problem`]s. [`Rules::decide`] finds the one
//! rule that applies to a guest; the resulting [`Grant`] says what is permitted and why. Nothing here reads
//! files, waits or logs.
//!
//! The stages for a file: `binary` (whether it is text), `lex` (a line's parts) -> `glob` and `setting` (what
//! the parts mean) -> `parse` (rules) -> `unreachable` (rules that can never match, using `cover`).

mod binary;
mod conditions;
mod cover;
mod decide;
mod glob;
mod lex;
mod nearest;
mod parse;
mod pattern;
mod problem;
mod rules;
mod setting;
mod tags;
mod unreachable;
mod value;

pub use conditions::{BadCondition, Conditions};
pub use decide::change::Changes;
pub use decide::{Grant, Origin, Why};
pub use glob::BadPattern;
pub use parse::{FILE_MAX, Parsed, check, parse};
pub use pattern::Pattern;
pub use problem::{PROBLEMS_MAX, Problem};
pub use rules::{Decision, Rules};
pub use tags::{Met, Tag, Tags};
