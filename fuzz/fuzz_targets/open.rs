//! Any packet to the opener asks for a socket that the settings permit, or is an error.
#![no_main]

use hostinfo_open::{Answer, Request, Sockets};
use libfuzzer_sys::fuzz_target;

const SETTINGS: &str = "[[sockets]]\npreset = 'proxmox'\nguests = ['qemu-1*']\n\
                        [[sockets]]\npath = '/srv/{name}/h'\ndriver = 'x'\nguests = ['*']";

fuzz_target!(|packet: &[u8]| {
    let sockets = Sockets::parse(SETTINGS).unwrap();
    if let Ok(asked) = Request::parse(packet) {
        assert_eq!(asked.to_packet(), packet);
        if let Ok(entry) = asked.entry(&sockets) {
            let segments = entry.pattern.segments(&asked.name);
            assert!(segments.iter().all(|segment| !segment.contains('/') && segment != ".."));
            assert_eq!(entry.pattern.name(&segments[0]), Some(&*asked.name));
        }
    }
    if let Some(answer) = Answer::parse(packet) {
        assert!(Answer::parse(&answer.to_packet()).is_some());
    }
});
