//! Domains for tests, those of other crates too.

use uuid::Uuid;

use crate::domain::{Domain, State};
use crate::names::Names;

/// One of that UUID that runs and has the socket `qemu-NAME`.
pub fn domain(number: u128, name: &str) -> Domain {
    Domain {
        uuid: Uuid::from_u128(number),
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
