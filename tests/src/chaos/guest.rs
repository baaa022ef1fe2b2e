//! What each guest of the chaos test is, by its number: no two have a figure in common, so one that got another's
//! shows.

use hostinfo_domains::{Domain, Names, State, Tags, Uuid};

/// A guest's number, from 0.
pub type Number = u32;

/// libvirt's driver. QEMU's processes are told from others by their marks, which the test's own has not.
const DRIVER: &str = "ch";

/// The guest's name.
pub fn name(number: Number) -> String {
    format!("g{number:03}")
}

/// Its socket.
pub fn socket(number: Number) -> String {
    format!("{DRIVER}-{}", name(number))
}

/// Its UUID.
pub fn uuid(number: Number) -> Uuid {
    Uuid::from_u128(0x1000 + u128::from(number))
}

/// Bytes of memory that its balloon leaves it.
pub fn memory(number: Number) -> u64 {
    (1 << 30) + u64::from(number) * 4096
}

/// Bytes that it has read from its disk.
pub fn bytes_read(number: Number) -> u64 {
    1_000_000 + u64::from(number)
}

/// Whether the rules know it by its tag, and not by its name.
pub fn is_odd(number: Number) -> bool {
    number % 2 == 1
}

/// Its domain.
pub fn domain(number: Number) -> Domain {
    domain_at(number, number)
}

/// Its domain, with the socket of another guest.
pub fn domain_at(number: Number, socket_of: Number) -> Domain {
    let half = if is_odd(number) { "odd" } else { "even" };
    Domain {
        uuid: uuid(number),
        hwuuid: None,
        name: name(number),
        driver: DRIVER.to_owned(),
        is_kvm: false,
        id: Some(number + 1),
        state: State::Running,
        migrating: false,
        vcpus: 1,
        vcpus_max: 1,
        names: Names { clauses: vec![socket(socket_of)], ..Names::default() },
        channel: None,
        cid: None,
        tags: Tags::Known([("half".to_owned(), Some(half.to_owned()))].into()),
        unread: None,
    }
}
