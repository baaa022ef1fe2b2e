use super::*;
use std::fs;

use proptest::prelude::*;
use serde_json::Value;

/// A document of a daemon with guests of several kinds, as the fuzzer has it.
fn seed() -> Vec<u8> {
    fs::read("../../fuzz/seeds/handover/guests").unwrap()
}

/// With the elements of lists in an order of their own: maps are written as lists of pairs, in any order.
fn in_order(value: Value) -> Value {
    match value {
        Value::Array(all) => {
            let mut all: Vec<Value> = all.into_iter().map(in_order).collect();
            all.sort_by_key(Value::to_string);
            Value::Array(all)
        }
        Value::Object(all) => all.into_iter().map(|(key, one)| (key, in_order(one))).collect(),
        other => other,
    }
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<(), Refused> {
    let mut value: Value = serde_json::from_slice(&seed()).unwrap();
    change(&mut value);
    Handover::parse(&serde_json::to_vec(&value).unwrap()).map(drop)
}

/// Where this fails, something that is handed over has changed: give the format another [`VERSION`], and write the seed
/// anew, with a daemon whose program was replaced by `#!/bin/sh` and `cat /proc/self/fd/0 >FILE; exit 1`.
#[test]
fn the_seed_is_a_document_of_this_version_and_all_of_it_is_kept() {
    let seed = seed();
    let again = serde_json::to_value(Handover::parse(&seed).unwrap()).unwrap();
    let whole: Value = serde_json::from_slice(&seed).unwrap();
    assert_same(&in_order(again), &in_order(whole));
}

/// Both as text, whose difference can be read.
fn assert_same(one: &Value, other: &Value) {
    let [one, other] = [one, other].map(|value| serde_json::to_string_pretty(value).unwrap());
    for (one, other) in one.lines().zip(other.lines()) {
        assert_eq!(one, other);
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn a_document_of_an_older_or_a_newer_version_is_refused_and_its_release_named() {
    for version in [VERSION - 1, VERSION + 1] {
        let refused = changed(|value| {
            value["version"] = version.into();
            value["release"] = "9.8.7".into();
            value["guests"] = "of another form".into();
        });
        let why = refused.unwrap_err().to_string();
        assert!(
            why.starts_with(&format!("hostinfod 9.8.7 hands over in version {version} ")),
            "{why}"
        );
    }
}

#[test]
fn a_document_that_was_cut_is_refused_wherever_that_was() {
    let seed = seed();
    for length in (0..seed.len()).step_by(97).chain([seed.len() - 1]) {
        assert!(Handover::parse(&seed[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_document_that_no_daemon_hands_over_is_refused() {
    assert!(matches!(
        changed(|value| {
            let guest = value["guests"]["guests"]["qemu-a"].clone();
            value["guests"]["guests"]["no/name"] = guest;
        }),
        Err(Refused::Invalid("a guest has a name that no guest can have"))
    ));
    let unsent = "00".repeat(hostinfo_wire::limits::REPLY_MAX + 1);
    let refused = changed(|value| {
        let ports = &mut value["guests"]["guests"]["qemu-a"]["ports"];
        ports[0]["connection"]["unsent"] = serde_json::json!({ "bytes": unsent, "since": 0 });
    });
    assert!(
        matches!(refused, Err(Refused::Invalid("a reply is longer than any can be"))),
        "{refused:?}"
    );
    assert!(changed(|value| value["start"] = u64::MAX.into()).is_err());
    assert!(changed(|value| value["more"] = 1.into()).is_err());
    assert!(changed(|value| drop(value.as_object_mut().unwrap().remove("tally"))).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_document_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let _ = Handover::parse(&bytes);
    }

    #[test]
    fn a_document_with_one_byte_changed_is_a_document_or_an_error(
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut seed = seed();
        let at = at.index(seed.len());
        seed[at] = byte;
        let _ = Handover::parse(&seed);
    }
}
