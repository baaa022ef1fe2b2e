//! Any bytes on the control socket are half a message, broken, or a message that can be answered.
#![no_main]

use hostinfo_control::limits::REQUEST_MAX;
use hostinfo_control::{Asked, Front, answer, front};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match front(bytes) {
        Front::Incomplete => assert!(bytes.len() <= REQUEST_MAX && !bytes.contains(&0)),
        Front::Broken => {}
        Front::Message(request, consumed) => {
            assert_eq!(bytes.iter().position(|byte| *byte == 0), Some(consumed - 1));
            let reply = match request.what {
                Ok(Asked::Call(call)) => {
                    // What was understood is understood again.
                    let text = serde_json::to_vec(&call).expect("a call is JSON");
                    assert_eq!(serde_json::from_slice(&text).ok(), Some(call));
                    return;
                }
                Ok(Asked::About(about)) => answer(Ok(about), request.more),
                Err(refusal) => answer(Err(refusal), request.more),
            };
            assert_eq!(reply.iter().position(|byte| *byte == 0), Some(reply.len() - 1));
        }
    }
});
