//! A libvirt that has told all that it ever will.

use super::*;
use hostinfo_domains::{Domain, Message, Names, State, Uuid, VERSION, to_line};
use rustix::event::{PollFd, PollFlags, Timespec};

pub(crate) const UUID: Uuid = Uuid::from_u128(7);

/// A domain that runs and has the socket `qemu-NAME`.
pub(crate) fn domain(name: &str) -> Domain {
    Domain {
        uuid: if name == "a" { UUID } else { Uuid::from_u128(8) },
        name: name.to_owned(),
        driver: "qemu".to_owned(),
        is_kvm: true,
        id: Some(1),
        state: State::Running,
        migrating: false,
        vcpus: 2,
        vcpus_max: 4,
        names: Names { clauses: vec![format!("qemu-{name}")], ..Names::default() },
        channel: None,
        unread: None,
    }
}

/// One that knows these domains, and no figures.
pub(crate) fn libvirt(domains: &[Domain], required: bool) -> Libvirt {
    let told = domains.iter().map(|domain| Message::Domain(domain.clone()));
    telling(told.collect(), required)
}

fn telling(told: Vec<Message>, required: bool) -> Libvirt {
    let mut said = vec![Message::Hello { version: VERSION }];
    said.extend(told);
    said.push(Message::Done(0));
    let lines: Vec<u8> = said.iter().flat_map(|said| to_line(said).unwrap()).collect();
    let script = "printf '%s' \"$0\"; exec cat >/dev/null";
    let arguments = ["-c", script, std::str::from_utf8(&lines).unwrap()].map(Into::into);
    let mut helper = Helper::new(vec!["/bin/sh".into()], arguments.into()).unwrap();
    let now = Instant::now();
    helper.want(now);
    assert!(!helper.on_time(now));
    while helper.snapshot().outage().is_some() {
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        let mut polled = [PollFd::new(&helper, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1), "nothing comes");
        let _ = helper.on_ready(now);
    }
    Libvirt { helper: Some(helper), is_own: false, required, ..Libvirt::none() }
}
