//! What `--json` prints is what docs/guest.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::host::FakeHost;
use crate::run;

/// The fields of a command in docs/guest.md, with their types.
fn described(command: &str) -> BTreeMap<String, String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guest.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(&format!("\n### {command}\n")).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let row = |line: &str| {
        let (path, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((path.to_owned(), rest.split(" |").next()?.to_owned()))
    };
    section.lines().filter_map(row).collect()
}

/// Checks every field of a value against the page, and returns which were there.
fn compare(fields: &BTreeMap<String, String>, path: &str, value: &Value) -> BTreeSet<String> {
    if let Some(kind) = fields.get(path) {
        let is_of_kind = match kind.trim_end_matches('?') {
            "string" => value.is_string(),
            "int" => value.is_u64(),
            "number" => value.is_number(),
            other => panic!("{other} is no type"),
        };
        assert!(is_of_kind || value.is_null() && kind.ends_with('?'), "{path}: no {kind}: {value}");
        return [path.to_owned()].into();
    }
    let has_data_for_keys = fields
        .keys()
        .any(|field| field.strip_prefix(path).is_some_and(|rest| rest.starts_with("{}")));
    let dot = if path.is_empty() { "" } else { "." };
    let parts: Vec<(String, &Value)> = match value {
        Value::Array(all) => all.iter().map(|value| (format!("{path}[]"), value)).collect(),
        Value::Object(all) if has_data_for_keys => {
            all.values().map(|value| (format!("{path}{{}}"), value)).collect()
        }
        Value::Object(all) => {
            all.iter().map(|(name, value)| (format!("{path}{dot}{name}"), value)).collect()
        }
        _ => panic!("{path} is not in docs/guest.md: {value}"),
    };
    parts.into_iter().flat_map(|(path, value)| compare(fields, &path, value)).collect()
}

#[test]
fn every_command_prints_the_fields_that_are_described_and_no_others() {
    let knows_all = FakeHost::new(|line| match line {
        "version" => "200 hostinfo/1\n",
        "list" => "200 loadavg.1 gauge - the load\n",
        _ => "200-session=a\n200-vm.disk.vda.latency=0.1\n200 verdict.cpu=ok: x\n",
    });
    let knows_nothing = FakeHost::new(|_| "403 this guest may not ask\n");
    let printed = |host, command, arguments| {
        let (_, text, _) = run(host, arguments);
        compare(&described(command), "", &serde_json::from_str(&text).unwrap())
    };
    for (command, arguments) in
        [("list", "list --json"), ("ping", "ping --json"), ("diagnose", "diagnose --for 1s --json")]
    {
        let printed = printed(&knows_all, command, arguments);
        // This machine may have no disk.
        let is_missing = |field: &String| !printed.contains(field) && !field.contains(".disks{}");
        let missing: Vec<String> = described(command).into_keys().filter(is_missing).collect();
        assert!(missing.is_empty(), "{command}: {missing:?}");
    }
    printed(&knows_nothing, "diagnose", "diagnose --for 1s --json");
}
