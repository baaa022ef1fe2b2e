//! What the fuzzer's seeds in `fuzz/seeds/run` ask for.

// A test should fail on anything unexpected.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Accounts, Definition, Power, parse};

const DEFINITIONS: &str = "
[custom.all]
kind = 'gauge'
help = 'h'
command = ['/bin/echo', '7']
[custom.own]
kind = 'info'
help = 'h'
scope = 'guest'
command = ['/bin/echo', '{guest}', 'x']
[custom.file]
kind = 'info'
help = 'h'
file = '/a'
";

/// A command for all guests, one for each guest, and a file.
///
/// # Panics
/// Never.
pub fn definitions() -> BTreeMap<String, Definition> {
    let accounts = Accounts::parse("", Power::Itself);
    let found = parse(DEFINITIONS, Path::new("x.toml"), &accounts).unwrap();
    found.into_iter().map(|(definition, _)| (definition.name.clone(), definition)).collect()
}
