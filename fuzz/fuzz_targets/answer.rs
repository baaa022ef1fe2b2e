//! Any answer of the daemon's or of libvirt's helper to the administrator's tool is one that can be said
//! again, or an error.
#![no_main]

use hostinfo_control::{
    Cleared, Event, Explanation, HostStateReply, Metrics, Notices, Page, Preview, Refusal, Rules,
    SetNotice, Stats, Status,
};
use hostinfo_domains::Answer;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|bytes: &[u8]| {
    again::<Answer>(bytes);
    again::<Cleared>(bytes);
    again::<Event>(bytes);
    again::<Explanation>(bytes);
    again::<HostStateReply>(bytes);
    again::<Metrics>(bytes);
    again::<Notices>(bytes);
    again::<Page>(bytes);
    again::<Preview>(bytes);
    again::<Refusal>(bytes);
    again::<Rules>(bytes);
    again::<SetNotice>(bytes);
    again::<Stats>(bytes);
    again::<Status>(bytes);
});

fn again<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(heard) = serde_json::from_slice::<T>(bytes) {
        let said = serde_json::to_value(&heard).expect("an answer is JSON");
        let again: T = serde_json::from_value(said.clone()).expect("what was said is an answer");
        assert_eq!(serde_json::to_value(&again).ok(), Some(said));
    }
}
