//! hostinfo.conf: which guest may ask what, how often.
//!
//! [`parse`] turns a file's bytes into [`Rules`] or into all its [`Problem`]s.
//! [`Rules::decide`] finds the one rule that a guest is under, and the [`Grant`] that it gets
//! says what is permitted and why. Nothing here reads, waits or logs.
//!
//! The way of a file: `binary` (whether it is text), `lex` (a line's pieces) -> `glob` and `setting` (what the pieces mean) ->
//! `parse` (rules) -> `unreachable` (rules that can never match, by `cover`).

mod binary;
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

pub use decide::change::Changes;
pub use decide::{Grant, Origin, Why};
pub use glob::BadPattern;
pub use parse::{FILE_MAX, Parsed, parse, parse_tagged};
pub use pattern::Pattern;
pub use problem::{PROBLEMS_MAX, Problem};
pub use rules::{Decision, Rules};
pub use tags::{Tag, Tags};
