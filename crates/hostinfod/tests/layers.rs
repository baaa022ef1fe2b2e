//! The daemon's files stand in layers, as ARCHITECTURE.md says.

// What surprises a test is to end it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The folders and files of `src` in the order of the table, from the top down.
fn order() -> Vec<String> {
    let page = include_str!("../../../ARCHITECTURE.md");
    let (_, page) = page.split_once("In `hostinfod`, from the top down").unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with('|'));
    let places = rows.take_while(|line| line.starts_with('|')).skip(2).flat_map(|row| {
        row.split('|').nth(1).unwrap().split(", ").map(|word| word.trim().trim_matches('`'))
    });
    let mut order: Vec<String> = Vec::new();
    for top in places.map(|place| place.split('/').next().unwrap().to_owned()) {
        // A row may name more of the folder that is named before it.
        let is_place = Path::new("src").join(&top).with_extension("rs").exists();
        if is_place && !order.contains(&top) {
            order.push(top);
        }
    }
    order
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_test = |path: &Path| path.ends_with("tests") || path.ends_with("tests.rs");
    let entries = entries.filter(|path| !is_test(path));
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn each_folder_uses_only_what_stands_below_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|one| one == name);
    for file in files(Path::new("src")) {
        let top = file.strip_prefix("src").unwrap().components().next().unwrap();
        let top = Path::new(top.as_os_str()).file_stem().unwrap().to_str().unwrap();
        let own = place(top).unwrap_or_else(|| panic!("ARCHITECTURE.md does not name {top}"));
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for used in code.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            let below = place(used).is_some_and(|used| used >= own);
            assert!(below, "{}: crate::{used} stands above {top}", file.display());
        }
    }
}
