//! Domains for tests, including those of other crates.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::{Domain, State};
use crate::names::Names;
use crate::tags::Tags;

/// A running domain with that UUID and the socket `qemu-NAME`.
pub fn domain(number: u128, name: &str) -> Domain {
    Domain {
        uuid: Uuid::from_u128(number),
        hwuuid: None,
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
        cid: None,
        tags: Tags::Known(BTreeMap::new()),
        unread: None,
    }
}
