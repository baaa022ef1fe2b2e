//! The README's examples, so that tests and the demo try what people are told to type.

use anyhow::{Context as _, Result};

const README: &str = include_str!("../../README.md");

/// The lines of shell of the `number`th example below "First answer".
///
/// # Errors
/// There is none.
pub fn example(number: usize) -> Result<&'static str> {
    let (_, rest) = README.split_once("## First answer").context("no such part")?;
    rest.split("```\n").nth(2 * number + 1).context("no such example")
}

/// How to ask with a shell alone.
///
/// # Errors
/// There is no such example.
pub fn ask_loadavg() -> Result<&'static str> {
    example(1)
}

/// The same without its last line, which asks: the function `ask`.
///
/// # Errors
/// There is no such example.
pub fn ask_function() -> Result<&'static str> {
    ask_loadavg()?.strip_suffix("ask loadavg\n").context("it does not end with asking")
}
