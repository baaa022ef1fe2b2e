//! Any text is a domain's XML whose names can be files' names and fit a message, or an error; and
//! its ports stand in it as they are told.
#![no_main]

use std::path::Path;

use hostinfo_domains::limits::{DEV_MAX, DISKS_MAX, NAME_MAX, TAG_KEY_MAX, TAGS_MAX};
use hostinfo_domains::{
    Claim, Clause, Directory, Domain, Message, Ports, State, TagSources, Tags, Target, Uuid, Whose,
    describe, edit, is_value, to_line,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|xml: &str| {
    let path = Path::new("/var/lib/hostinfo");
    let directory = Directory::of_text(path);
    if let Ok(ports) = Ports::find(xml, &directory) {
        for port in ports.hostinfo.iter().chain(&ports.vhostmd) {
            assert!(xml.contains(&port.xml));
            let _ = Ports::find(&edit::without(xml, &port.xml), &directory);
        }
        let clause = Clause::new(Target::channel(), path, "qemu-myguest").unwrap();
        if let Ok(more) = edit::with(xml, &clause.xml()) {
            let more = Ports::find(&more, &directory).unwrap();
            assert!(more.hostinfo.iter().any(|port| port.socket == "qemu-myguest"));
        }
    }
    let Ok(found) = describe(xml, &directory, &TagSources::default()) else { return };
    if let Tags::Known(tags) = &found.tags {
        assert!(tags.len() <= TAGS_MAX);
        assert!(tags.keys().all(|key| key.len() <= TAG_KEY_MAX));
        assert!(tags.values().flatten().all(|value| is_value(value)));
    }
    for name in found.names.clauses.iter().chain(found.names.beside()) {
        assert!(Path::new("/").join(name).file_name().is_some_and(|file| file == name.as_str()));
        assert!(name.len() <= NAME_MAX);
    }
    assert!(found.channel.iter().all(|path| Path::new(path).is_absolute()));
    assert!(found.disks.len() <= DISKS_MAX);
    assert!(found.disks.iter().all(|disk| disk.dev.len() <= DEV_MAX));
    let domain = Domain {
        uuid: Uuid::from_u128(1),
        hwuuid: found.hwuuid,
        name: "myguest".to_owned(),
        driver: found.driver,
        is_kvm: found.is_kvm,
        id: Some(3),
        state: State::Running,
        migrating: false,
        vcpus: found.vcpus,
        vcpus_max: found.vcpus_max,
        names: found.names,
        channel: found.channel,
        cid: found.cid,
        tags: found.tags,
        unread: None,
    };
    let whose = Whose::new([&domain]);
    for name in domain.names.clauses.iter().chain(domain.names.beside()) {
        let is_right = *name == domain.socket_name() && domain.names.clauses.len() <= 1;
        assert_eq!(whose.of(name) == Claim::Named(domain.uuid), is_right);
    }
    assert!(to_line(&Message::Domain(domain)).is_some());
});
