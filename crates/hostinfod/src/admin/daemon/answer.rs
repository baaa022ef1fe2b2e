//! An answer on the control socket: as JSON, and bounded in length.

use hostinfo_control::limits::REPLY_MAX;
use hostinfo_control::{Refusal, answer};
use serde::Serialize;
use serde_json::Value;

/// As JSON.
pub(in crate::admin) fn value(answer: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(failed)
}

/// A failure for which the interface has no error of its own.
pub(in crate::admin) fn failed(why: impl ToString) -> Refusal {
    Refusal::Failed { message: why.to_string() }
}

/// The bytes of an answer, or of a refusal if the answer is too long.
pub(in crate::admin) fn bounded(answered: Result<Value, Refusal>) -> Vec<u8> {
    let bytes = answer(answered, false);
    if bytes.len() <= REPLY_MAX {
        return bytes;
    }
    answer(Err(failed(format!("the answer has over {REPLY_MAX} bytes: ask for less"))), false)
}
