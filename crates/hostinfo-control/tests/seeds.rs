//! The fuzzer's seeds are replies of today's daemon.

#![allow(clippy::unwrap_used, clippy::panic)]

use hostinfo_control::{
    Cleared, Event, Explanation, HostStateReply, Metrics, Notices, Page, Preview, Refusal, Rules,
    SetNotice, Stats, Status,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A reply parsed and written again.
fn again<T: Serialize + DeserializeOwned>(answer: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(answer.clone()).unwrap()).unwrap()
}

#[test]
fn the_seeds_of_the_fuzzer_are_answers_of_today() {
    for seed in std::fs::read_dir("../../fuzz/seeds/answer").unwrap() {
        let path = seed.unwrap().path();
        let answer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let again = match path.file_name().unwrap().to_str().unwrap() {
            "cleared" => again::<Cleared>(&answer),
            "event" => again::<Event>(&answer),
            "explain" => again::<Explanation>(&answer),
            "host-state" => again::<HostStateReply>(&answer),
            "list" => again::<Page>(&answer),
            "metrics" => again::<Metrics>(&answer),
            "notices" => again::<Notices>(&answer),
            "preview" => again::<Preview>(&answer),
            "refusal" => again::<Refusal>(&answer),
            "rules" => again::<Rules>(&answer),
            "set-notice" => again::<SetNotice>(&answer),
            "stats" => again::<Stats>(&answer),
            "status" => again::<Status>(&answer),
            // These are replies of libvirt's helper, which a test of hostinfo-domains reads.
            helper if helper.starts_with("helper-") => continue,
            other => panic!("say here what {other} is"),
        };
        assert_eq!(again, answer, "{}", path.display());
    }
}
