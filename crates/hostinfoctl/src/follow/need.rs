//! What a domain needs, as far as libvirt's report on all domains shows it. Pure.

use hostinfo_domains::{Claim, Conflict, Domain, State, TagSources, Whose, operand};
use hostinfo_rules::Met;

use crate::follow::selection::Selection;
use crate::tags;

/// What a running domain that is followed needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// A port.
    Port,
    /// Nothing: it has a port, whoever gave it that.
    Nothing,
    /// It gets no port, for this reason, until somebody has corrected that.
    Blocked(String),
}

/// What the domain needs; `None` if it is not one of those that are followed, does not run, or has
/// not finished starting, or is about to end. `whose`: which sockets all domains name.
pub(crate) fn need(
    domain: &Domain,
    selection: &Selection,
    sought: &TagSources,
    whose: &Whose,
) -> Option<Need> {
    let runs = matches!(domain.state, State::Running | State::Paused | State::Asleep);
    if !domain.is_live() || !runs || !selection.names(&domain.driver, &domain.name) {
        return None;
    }
    if let Some(why) = &domain.unread {
        return Some(Need::Blocked(format!("its XML cannot be read: {why}")));
    }
    match selection.met_by(&tags::of_domain(domain, sought)) {
        Met::No => None,
        Met::Unknown => Some(Need::Blocked(format!(
            "its tags cannot be read, so it is not known whether it is to be followed: see \
             hostinfoctl tag {}",
            operand(&domain.name)
        ))),
        Met::Yes => Some(of_ports(domain, whose)),
    }
}

/// What it needs, by its ports alone.
fn of_ports(domain: &Domain, whose: &Whose) -> Need {
    let conflict = |socket: &str| match whose.of(socket) {
        // Of the domain that cannot be read it is not known that it has this socket; if it had, it
        // would not be served there.
        Claim::Refused(Conflict::Unread(_)) => None,
        Claim::Named(_) | Claim::Portless(_) | Claim::Unnamed => None,
        Claim::Refused(conflict) => Some(Need::Blocked(conflict.to_string())),
    };
    let own = domain.socket_name();
    let clauses = &domain.names.clauses;
    if !clauses.is_empty() {
        return clauses.iter().find_map(|socket| conflict(socket)).unwrap_or(Need::Nothing);
    }
    // libvirt removes whatever is at the path of a channel that it attaches.
    let mut beside = domain.names.others.iter().chain(&domain.names.hidden);
    if beside.any(|name| *name == own) {
        return Need::Blocked(format!(
            "it has a device that is no hostinfo port at its socket {own:?}, or in a directory that \
             cannot be read and may be the socket's: give the device another path with virsh edit \
             {}, then shut it down and start it",
            domain.uuid
        ));
    }
    conflict(&own).unwrap_or(Need::Port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::{Names, Tags, Uuid, examples};

    /// It has no port.
    fn domain(number: u128, name: &str) -> Domain {
        let tags = Tags::Known([("role".to_owned(), Some("db".to_owned()))].into());
        Domain { names: Names::default(), tags, ..examples::domain(number, name) }
    }

    fn clauses(sockets: &[&str]) -> Names {
        let clauses = sockets.iter().map(|&socket| socket.to_owned()).collect();
        Names { clauses, ..Names::default() }
    }

    /// What the first of these domains needs.
    fn need_of(domains: &[Domain], words: &[&str]) -> Option<Need> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let selection = Selection::of(&words).unwrap();
        need(&domains[0], &selection, &TagSources::default(), &Whose::new(domains))
    }

    fn why(domains: &[Domain], words: &[&str]) -> String {
        match need_of(domains, words) {
            Some(Need::Blocked(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_domain_that_matches_and_runs_needs_a_port_also_while_it_is_paused() {
        assert_eq!(need_of(&[domain(1, "web")], &["w*", "role=d*"]), Some(Need::Port));
        for (state, expected) in [
            (State::Paused, Some(Need::Port)),
            (State::Asleep, Some(Need::Port)),
            (State::Moving, None),
            (State::ShuttingDown, None),
            (State::Crashed, None),
        ] {
            assert_eq!(need_of(&[Domain { state, ..domain(1, "web") }], &["*"]), expected);
        }
        assert_eq!(need_of(&[Domain { id: None, ..domain(1, "web") }], &["*"]), None);
    }

    #[test]
    fn another_domain_needs_nothing_and_neither_does_one_that_has_a_port() {
        for words in [&["db*"][..], &["*", "role=web"], &["*", "project=acme"]] {
            assert_eq!(need_of(&[domain(1, "web")], words), None, "{words:?}");
        }
        let has = Domain { names: clauses(&["qemu-web"]), ..domain(1, "web") };
        assert_eq!(need_of(&[has], &["*"]), Some(Need::Nothing));
    }

    #[test]
    fn a_tag_that_cannot_be_read_is_not_one_that_matches() {
        let unclear =
            Domain { tags: Tags::Known([("role".to_owned(), None)].into()), ..domain(1, "web") };
        assert!(
            why(std::slice::from_ref(&unclear), &["*", "role=db"]).contains("tags cannot be read")
        );
        assert_eq!(need_of(&[unclear], &["*"]), Some(Need::Port), "nobody asked for tags");
        let unread = Domain { unread: Some("too deep".to_owned()), ..domain(1, "web") };
        assert!(why(&[unread], &["*"]).contains("too deep"));
    }

    #[test]
    fn a_socket_that_another_domain_uses_is_not_taken_from_it() {
        let clone = Domain { names: clauses(&["qemu-web"]), ..domain(2, "clone") };
        assert!(why(&[domain(1, "web"), clone.clone()], &["*"]).contains("\"clone\" uses"));
        assert!(why(&[clone], &["*"]).contains("--repair"), "its own port is wrong");
        let own = vec!["qemu-web".to_owned()];
        for names in [
            Names { others: own.clone(), ..Names::default() },
            Names { hidden: own.clone(), ..Names::default() },
        ] {
            let console = Domain { names, ..domain(1, "web") };
            assert!(
                why(&[console], &["*"]).contains(&format!("virsh edit {},", Uuid::from_u128(1)))
            );
        }
    }

    #[test]
    fn a_domain_that_cannot_be_read_and_ports_of_other_kinds_are_in_nobodys_way() {
        let unread = Domain { unread: Some("x".to_owned()), ..domain(2, "b") };
        assert_eq!(need_of(&[domain(1, "web"), unread], &["web"]), Some(Need::Port));
        let vhostmd = Names { vhostmd: vec!["qemu-web".to_owned()], ..Names::default() };
        assert_eq!(
            need_of(&[Domain { names: vhostmd, ..domain(1, "web") }], &["*"]),
            Some(Need::Port)
        );
    }
}
