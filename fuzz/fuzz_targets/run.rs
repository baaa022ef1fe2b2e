//! Any packet to hostinfo-run asks for a command of the definitions, or is an error; any packet from it is bounded.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hostinfo_custom::Definition;
use hostinfo_custom::fuzzing::definitions;
use hostinfo_custom::limits::{EXCERPT_MAX, OUTPUT_MAX};
use hostinfo_custom::message::{Answer, PACKET_MAX, Request};
use libfuzzer_sys::fuzz_target;

static DEFINITIONS: LazyLock<BTreeMap<String, Definition>> = LazyLock::new(definitions);

fuzz_target!(|packet: &[u8]| {
    if let Ok(asked) = Request::parse(packet) {
        assert_eq!(asked.to_packet(), packet);
        if let Ok((definition, words)) = asked.command(&DEFINITIONS) {
            assert_eq!(words[0], "/bin/echo");
            let is_own = definition.name == "own";
            assert_eq!(words.len(), if is_own { 3 } else { 2 });
            assert_eq!(words[1], if is_own { &*asked.guest } else { "7" });
            assert!(!words[1].starts_with('-') && !words[1].contains(['/', '\n', '\0']));
        }
    }
    if let Some(answer) = Answer::parse(packet) {
        match &answer {
            Answer::Printed(output) => assert!(output.len() <= OUTPUT_MAX),
            Answer::Failed(_, errors) | Answer::Late(errors) => {
                assert!(errors.len() <= EXCERPT_MAX + 1);
            }
            Answer::Refused(why) => assert!(!why.contains(char::is_control)),
            Answer::TooLong | Answer::NotRun(_) => {}
        }
        let said = answer.to_packet();
        assert!(said.len() <= PACKET_MAX && Answer::parse(&said).is_some());
    }
});
