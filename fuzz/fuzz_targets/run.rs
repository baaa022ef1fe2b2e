//! Any packet to hostinfo-run asks for a command of the definitions, or is an error; any packet from it is bounded.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use hostinfo_custom::limits::{EXCERPT_MAX, OUTPUT_MAX};
use hostinfo_custom::message::{Answer, PACKET_MAX, Request};
use hostinfo_custom::{Accounts, Power, parse};
use libfuzzer_sys::fuzz_target;

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
";

fuzz_target!(|packet: &[u8]| {
    let accounts = Accounts::parse("", Power::Itself);
    let definitions = parse(DEFINITIONS, Path::new("x.toml"), &accounts).unwrap();
    let definitions: BTreeMap<_, _> =
        definitions.into_iter().map(|(one, _)| (one.name.clone(), one)).collect();
    if let Ok(asked) = Request::parse(packet) {
        assert_eq!(asked.to_packet(), packet);
        if let Ok((definition, words)) = asked.command(&definitions) {
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
