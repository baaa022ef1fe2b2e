//! Whether a whole reply is what this guest may get: its own figures, and what the rules in force permit.

use std::collections::BTreeMap;
use std::time::Instant;

use hostinfo_wire::reply::{ASK_AGAIN, BLOCKED, Code};

use super::excuse::{Excuses, Harm};
use super::guest::{self, Number};
use super::in_force::{Decided, Grant, History};
use super::reply::Reply;

/// The labels' values.
pub const LEFT: &str = "to the left";
/// See [`LEFT`].
pub const RIGHT: &str = "to the right";

/// Whether libvirt knows the guests of the crowd: its helper is a fake one, which speaks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It does.
    ToLibvirt,
    /// It does not: they are known by their sockets' names alone.
    ByName,
}

/// A request and its circumstances.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Who asked.
    pub guest: Number,
    /// When.
    pub sent: Instant,
    /// The earliest content of the rules file that may decide.
    pub not_before: usize,
    /// Whether libvirt's figures were requested a while ago.
    pub has_figures: bool,
}

/// Returns which content of the rules file has decided, or what is wrong.
///
/// # Errors
/// What this guest may not get, or would have to.
pub fn judge(
    reply: &Reply,
    asked: Asked,
    known: Known,
    history: &History,
    excuses: &Excuses,
) -> Result<usize, String> {
    let may = |harm| excuses.covers(harm, asked.sent);
    let decided = match reply {
        Reply::Refused(Code::NotPermitted, text) if text == BLOCKED => {
            if may(Harm::Standing) {
                return Ok(asked.not_before);
            }
            Decided::By(Grant::Blocked)
        }
        Reply::Refused(Code::Unavailable, text) if text == ASK_AGAIN => Decided::Unread,
        Reply::Refused(code, text) => return Err(format!("{code} {text}")),
        Reply::Values(values) => {
            own(values, asked, known, excuses)?;
            decided(values)?
        }
    };
    history
        .decides(asked.guest, decided, asked.sent, asked.not_before, may(Harm::Libvirt))
        .ok_or_else(|| format!("{decided:?} is not what the rules of then say"))
}

/// Its own figures are its own, and there if they have to be.
fn own(
    values: &BTreeMap<String, Result<String, Code>>,
    asked: Asked,
    known: Known,
    excuses: &Excuses,
) -> Result<(), String> {
    let number = asked.guest;
    let may = |harm| excuses.covers(harm, asked.sent);
    let by_libvirt = known == Known::ByName || may(Harm::Libvirt) || may(Harm::Standing);
    let figures = by_libvirt || !asked.has_figures;
    for (name, expected, may_lack) in [
        ("vm.name", guest::name(number), false),
        ("vm.uuid", guest::uuid(number).to_string(), by_libvirt),
        ("vm.memory.current", guest::memory(number).to_string(), figures),
        ("vm.disk.vda.read.bytes", guest::bytes_read(number).to_string(), figures),
    ] {
        match values.get(name) {
            Some(Ok(value)) if *value == expected => {}
            Some(Ok(value)) => return Err(format!("{name}={value}, not {expected}")),
            Some(Err(Code::Unavailable | Code::NoSuchStatistic)) if may_lack => {}
            other => return Err(format!("{name}: {other:?}, not {expected}")),
        }
    }
    match values.get("loadavg.1") {
        Some(Ok(value)) if value.parse::<f64>().is_ok() => Ok(()),
        Some(Err(Code::Unavailable)) if may(Harm::Files) => Ok(()),
        other => Err(format!("loadavg.1: {other:?}")),
    }
}

/// What kind of rule has decided, by the labels.
fn decided(values: &BTreeMap<String, Result<String, Code>>) -> Result<Decided, String> {
    let has = |name: &str, expected: &str| match values.get(name) {
        Some(Ok(value)) if value == expected => Ok(true),
        Some(Err(Code::NotPermitted)) => Ok(false),
        other => Err(format!("{name}: {other:?}")),
    };
    Ok(match (has("label.left", LEFT)?, has("label.right", RIGHT)?) {
        (true, true) => Decided::ByNone,
        (true, false) => Decided::By(Grant::Left),
        (false, true) => Decided::By(Grant::Right),
        (false, false) => Decided::ByTheLast,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::in_force::Rules;
    use std::time::Duration;

    const RULES: Rules = Rules { even: Grant::Left, odd: Grant::Right, by_tag: true };

    fn reply(number: Number) -> BTreeMap<String, Result<String, Code>> {
        let label = |text: &str, is_there: bool| {
            if is_there { Ok(text.to_owned()) } else { Err(Code::NotPermitted) }
        };
        BTreeMap::from([
            ("vm.name".to_owned(), Ok(guest::name(number))),
            ("vm.uuid".to_owned(), Ok(guest::uuid(number).to_string())),
            ("vm.memory.current".to_owned(), Ok(guest::memory(number).to_string())),
            ("vm.disk.vda.read.bytes".to_owned(), Ok(guest::bytes_read(number).to_string())),
            ("label.left".to_owned(), label(LEFT, !guest::is_odd(number))),
            ("label.right".to_owned(), label(RIGHT, guest::is_odd(number))),
            ("loadavg.1".to_owned(), Ok("0.25".to_owned())),
        ])
    }

    fn judged(
        number: Number,
        values: BTreeMap<String, Result<String, Code>>,
        harms: &[Harm],
    ) -> Result<usize, String> {
        let (sent, mut excuses) = (Instant::now(), Excuses::default());
        harms.iter().for_each(|harm| excuses.begin(*harm));
        let history = History::new(RULES, sent.checked_sub(Duration::from_secs(9)).unwrap());
        let asked = Asked { guest: number, sent, not_before: 0, has_figures: true };
        judge(&Reply::Values(values), asked, Known::ToLibvirt, &history, &excuses)
    }

    #[test]
    fn a_guest_gets_its_own_figures_and_what_its_rule_permits() {
        for number in [0, 1, 198, 199] {
            assert_eq!(judged(number, reply(number), &[]), Ok(0));
        }
    }

    #[test]
    fn anothers_figures_are_never_excused() {
        for name in ["vm.name", "vm.uuid", "vm.memory.current", "vm.disk.vda.read.bytes"] {
            let (mut mixed, other) = (reply(2), reply(4));
            mixed.insert(name.to_owned(), other[name].clone());
            let wrong = judged(2, mixed, &Harm::ALL).unwrap_err();
            assert!(wrong.contains(name), "{wrong}");
        }
    }

    #[test]
    fn a_value_that_is_not_permitted_is_never_excused() {
        let mut both = reply(2);
        both.insert("label.right".to_owned(), Ok(RIGHT.to_owned()));
        assert!(judged(2, both, &Harm::ALL).is_err());
        let mut others = reply(3);
        for label in ["label.left", "label.right"] {
            others.insert(label.to_owned(), reply(2)[label].clone());
        }
        assert!(judged(3, others, &Harm::ALL).is_err());
    }

    #[test]
    fn a_value_that_a_fault_takes_away_may_be_missing_only_then() {
        for (name, harm) in [
            ("vm.uuid", Harm::Libvirt),
            ("vm.memory.current", Harm::Libvirt),
            ("loadavg.1", Harm::Files),
        ] {
            let mut without = reply(2);
            without.insert(name.to_owned(), Err(Code::Unavailable));
            assert!(judged(2, without.clone(), &[]).is_err(), "{name}");
            assert_eq!(judged(2, without, &[harm]), Ok(0), "{name}");
        }
        let mut nameless = reply(2);
        nameless.insert("vm.name".to_owned(), Err(Code::Unavailable));
        assert!(judged(2, nameless, &Harm::ALL).is_err());
    }
}
