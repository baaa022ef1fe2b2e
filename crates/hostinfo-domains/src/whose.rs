//! Finds the domain that a socket belongs to.
//!
//! A socket that a live domain's XML names is served only as that domain. If that is in any doubt,
//! it is not served at all until the administrator has put it right.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::conflict::Conflict;
use crate::domain::Domain;
use crate::marks::QEMU;
use crate::names::Names;

/// How many domains are named where many are unreadable or use one socket: enough to begin with.
const TOLD_MAX: usize = 8;

/// The owner of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim<'a> {
    /// It belongs to this domain, and the domain's XML is as it should be.
    Named(Uuid),
    /// Its domain's XML, or another's, is wrong: it is not served.
    Refused(&'a Conflict),
    /// No live domain names it, but this one has its name: if it names a socket at all, it can only name this one. A QEMU can
    /// have libvirt take a port out of the XML of the domain that it runs, and keep the socket.
    Portless(Uuid),
    /// No live domain names it or has its name.
    Unnamed,
}

/// All sockets that live domains name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whose {
    judged: HashMap<String, Result<Uuid, Arc<Conflict>>>,
    /// Those that a live domain could name, and none does.
    portless: HashMap<String, Uuid>,
    /// Which live domain of QEMU's has which [run](Domain::id).
    runs: HashMap<u32, Uuid>,
    /// What holds for all other sockets if it is not known which ones a live domain names.
    others: Option<Conflict>,
}

impl Whose {
    /// Collects the sockets of all domains; domains that are not live name nothing.
    pub fn new<'a>(domains: impl IntoIterator<Item = &'a Domain>) -> Self {
        let live: Vec<&Domain> = domains.into_iter().filter(|domain| domain.is_live()).collect();
        let mut owners: HashMap<&str, Vec<&Domain>> = HashMap::new();
        for domain in &live {
            for name in domain.names.clauses.iter().chain(domain.names.beside()) {
                let of_one = owners.entry(name).or_default();
                // A domain can have one path twice.
                if of_one.last().is_none_or(|last| last.uuid != domain.uuid) {
                    of_one.push(domain);
                }
            }
        }
        // What is wrong with a domain's ports names all of them and is the same for each, so it is kept once for a domain.
        let several: HashMap<Uuid, Arc<Conflict>> = live
            .iter()
            .filter(|domain| domain.names.clauses.len() > 1)
            .filter_map(|domain| Some((domain.uuid, ports(domain, &domain.names.clauses)?)))
            .collect();
        let judged = owners
            .into_iter()
            .map(|(name, of_one)| (name.to_owned(), judge(name, &of_one, &several)));
        let mut judged: HashMap<_, _> = judged.collect();
        // The paths of libvirt's own channels contain their domains' numbers, so they are never in
        // doubt.
        for domain in live.iter().filter(|domain| domain.channel.is_some()) {
            judged.entry(domain.socket_name()).or_insert(Ok(domain.uuid));
        }
        let portless = live.iter().map(|domain| (domain.socket_name(), domain.uuid));
        let portless = portless.filter(|(name, _)| !judged.contains_key(name)).collect();
        let of_qemu = live.iter().filter(|domain| domain.driver == QEMU);
        let runs = of_qemu.filter_map(|domain| Some((domain.id?, domain.uuid))).collect();
        let unread = live.iter().filter(|domain| domain.unread.is_some());
        let mut unread: Vec<String> = unread.map(|domain| domain.name.clone()).collect();
        unread.sort();
        unread.truncate(TOLD_MAX);
        let others = (!unread.is_empty()).then_some(Conflict::Unread(unread));
        Self { judged, portless, runs, others }
    }

    /// The domain that has this run.
    pub(crate) fn run(&self, id: u32) -> Option<Uuid> {
        self.runs.get(&id).copied()
    }

    /// The owner of the socket with that name.
    pub fn of(&self, socket: &str) -> Claim<'_> {
        match self.judged.get(socket) {
            Some(Ok(uuid)) => Claim::Named(*uuid),
            Some(Err(conflict)) => Claim::Refused(conflict),
            None => match (&self.others, self.portless.get(socket)) {
                (Some(conflict), _) => Claim::Refused(conflict),
                (None, Some(uuid)) => Claim::Portless(*uuid),
                (None, None) => Claim::Unnamed,
            },
        }
    }
}

/// The domain that has the socket, or the conflict to mend first: a device that `hostinfoctl` cannot repair, then two
/// domains with one path, where it is impossible to tell which is at the other end, then the ports of one domain, which are
/// in `several` if it has more than one.
fn judge(
    name: &str,
    domains: &[&Domain],
    several: &HashMap<Uuid, Arc<Conflict>>,
) -> Result<Uuid, Arc<Conflict>> {
    if let Some(conflict) = domains.iter().find_map(|domain| beside_ports(name, domain)) {
        return Err(Arc::new(conflict));
    }
    let [domain] = domains else {
        let mut names: Vec<String> = domains.iter().map(|domain| domain.name.clone()).collect();
        names.sort();
        names.truncate(TOLD_MAX);
        return Err(Arc::new(Conflict::Shared(names)));
    };
    // With one port or none, the name can also come from what it has for vhostmd's clients.
    let conflict = several.get(&domain.uuid).map(Arc::clone);
    conflict.or_else(|| ports(domain, &[name.to_owned()])).map_or(Ok(domain.uuid), Err)
}

fn ports(domain: &Domain, sockets: &[String]) -> Option<Arc<Conflict>> {
    let sockets: Vec<&str> = sockets.iter().map(|socket| &**socket).collect();
    Conflict::of(&domain.name, &domain.socket_name(), &sockets).map(Arc::new)
}

/// What is wrong if a domain uses another's name through something other than a port that
/// hostinfoctl repairs.
fn beside_ports(name: &str, domain: &Domain) -> Option<Conflict> {
    let Names { clauses, vhostmd, disks, others, hidden } = &domain.names;
    let (expected, uuid, domain) = (domain.socket_name(), domain.uuid, domain.name.clone());
    let is_in = |list: &[String]| list.iter().any(|one| one == name);
    if name == expected || is_in(clauses) || is_in(vhostmd) {
        None
    } else if is_in(disks) {
        Some(Conflict::Disk { domain, uuid, expected })
    } else if is_in(others) {
        Some(Conflict::Device { domain, uuid, name: name.to_owned() })
    } else {
        is_in(hidden).then(|| Conflict::Hidden { domain, uuid, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    fn domain(number: u128, name: &str, clauses: &[&str]) -> Domain {
        let clauses = clauses.iter().map(|&name| name.to_owned()).collect();
        Domain { names: Names { clauses, ..Names::default() }, ..examples::domain(number, name) }
    }

    /// The remedy for a domain of that number, whatever its name is.
    fn edit(number: u128) -> String {
        format!("virsh edit {},", Uuid::from_u128(number))
    }

    #[test]
    fn a_socket_belongs_to_the_domain_whose_driver_and_name_it_has() {
        let whose = Whose::new(&[domain(1, "a", &["qemu-a"]), domain(2, "my-b", &["qemu-my-b"])]);
        assert_eq!(whose.of("qemu-a"), Claim::Named(Uuid::from_u128(1)));
        assert_eq!(whose.of("qemu-my-b"), Claim::Named(Uuid::from_u128(2)));
        assert_eq!(whose.of("qemu-c"), Claim::Unnamed);
        assert!(whose.judged.values().all(Result::is_ok));
    }

    #[test]
    fn another_name_or_driver_is_refused_and_told_what_would_be_right() {
        for clause in ["qemu-old", "kvm-a", "qemu-A", "a", "qemu-a "] {
            let whose = Whose::new(&[domain(1, "a", &[clause])]);
            let Claim::Refused(conflict) = whose.of(clause) else { panic!("{clause} is served") };
            assert!(conflict.to_string().contains("its own would be \"qemu-a\""), "{conflict}");
            assert_eq!(whose.of("qemu-a"), Claim::Portless(Uuid::from_u128(1)));
        }
    }

    #[test]
    fn a_domain_with_two_ports_is_served_at_neither() {
        for clauses in [["qemu-a", "qemu-b"], ["qemu-a", "qemu-a"]] {
            let whose = Whose::new(&[domain(1, "a", &clauses)]);
            for name in clauses {
                let Claim::Refused(conflict) = whose.of(name) else { panic!("{name} is served") };
                assert!(matches!(conflict, Conflict::Several { .. }), "{conflict}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_domain_of_several_ports_is_kept_once_however_many_names_it_has() {
        let mut of_a = domain(1, "a", &["x", "y"]);
        of_a.names.vhostmd = vec!["z".to_owned()];
        let whose = Whose::new(&[of_a]);
        let conflicts = ["x", "y", "z"].map(|name| match whose.of(name) {
            Claim::Refused(conflict) => std::ptr::from_ref(conflict),
            other => panic!("{other:?}"),
        });
        assert!(conflicts.iter().all(|one| *one == conflicts[0]));
    }

    #[test]
    fn two_live_domains_with_one_path_are_both_refused_even_the_right_one() {
        let whose = Whose::new(&[domain(1, "a", &["qemu-a"]), domain(2, "clone", &["qemu-a"])]);
        let Claim::Refused(conflict) = whose.of("qemu-a") else { panic!("one of them is served") };
        assert!(conflict.to_string().contains("\"a\", \"clone\""), "{conflict}");
        assert_eq!(whose.judged.values().filter(|found| found.is_err()).count(), 1);
    }

    #[test]
    fn a_channel_or_disk_for_vhostmd_is_as_good_a_name_as_a_port_and_may_be_beside_it() {
        let mut of_a = domain(1, "a", &["qemu-a"]);
        of_a.names.vhostmd = vec!["qemu-a".to_owned()];
        of_a.names.disks = vec!["qemu-a".to_owned()];
        let mut of_b = domain(2, "b", &[]);
        of_b.names.vhostmd = vec!["qemu-b".to_owned()];
        let whose = Whose::new(&[of_a.clone(), of_b.clone()]);
        assert_eq!(whose.of("qemu-a"), Claim::Named(Uuid::from_u128(1)));
        assert_eq!(whose.of("qemu-b"), Claim::Named(Uuid::from_u128(2)));
        of_b.names.vhostmd = vec!["qemu-a".to_owned()];
        let whose = Whose::new(&[of_a, of_b.clone()]);
        assert!(matches!(whose.of("qemu-a"), Claim::Refused(Conflict::Shared(_))));
        let whose = Whose::new(&[of_b]);
        assert!(matches!(whose.of("qemu-a"), Claim::Refused(Conflict::Misnamed { .. })));
    }

    #[test]
    fn a_channel_of_libvirts_own_names_its_domain_unless_another_has_that_name() {
        let mut of_a = domain(1, "a", &[]);
        of_a.channel = Some("/run/libvirt/qemu/channel/1-a/org.github.vhostmd.1".to_owned());
        let whose = Whose::new(&[of_a.clone()]);
        assert_eq!(whose.of("qemu-a"), Claim::Named(Uuid::from_u128(1)));
        let whose = Whose::new(&[of_a, domain(2, "b", &["qemu-a"])]);
        assert!(matches!(whose.of("qemu-a"), Claim::Refused(Conflict::Misnamed { .. })));
    }

    #[test]
    fn a_domain_that_is_not_live_names_nothing() {
        let mut clone = domain(2, "clone", &["qemu-a"]);
        clone.id = None;
        let whose = Whose::new(&[domain(1, "a", &["qemu-a"]), clone]);
        assert_eq!(whose.of("qemu-a"), Claim::Named(Uuid::from_u128(1)));
    }

    #[test]
    fn a_socket_that_has_the_name_of_a_live_domain_and_is_not_in_its_xml_is_told_from_nobodys() {
        let (off, portless) = (Domain { id: None, ..domain(2, "off", &[]) }, domain(1, "a", &[]));
        let whose = Whose::new(&[portless.clone(), off]);
        assert_eq!(whose.of("qemu-a"), Claim::Portless(Uuid::from_u128(1)));
        assert_eq!(whose.of("qemu-off"), Claim::Unnamed);
        let whose = Whose::new(&[portless, domain(3, "clone", &["qemu-a"])]);
        assert!(matches!(whose.of("qemu-a"), Claim::Refused(Conflict::Misnamed { .. })));
    }

    #[test]
    fn another_device_at_a_guests_socket_makes_it_nobodys_and_at_its_own_is_its_port() {
        let of_a = domain(1, "a", &["qemu-a"]);
        let mut thief = domain(2, "b", &[]);
        thief.names.others = vec!["qemu-a".to_owned()];
        for domains in [&[of_a.clone(), thief.clone()][..], &[thief.clone()]] {
            let whose = Whose::new(domains);
            let Claim::Refused(conflict) = whose.of("qemu-a") else { panic!("it is served") };
            assert!(matches!(conflict, Conflict::Device { .. }), "{conflict}");
            assert!(conflict.to_string().contains(&edit(2)), "{conflict}");
        }
        thief.names.others = vec!["qemu-b".to_owned()];
        let whose = Whose::new(&[of_a, thief]);
        assert_eq!(whose.of("qemu-b"), Claim::Named(Uuid::from_u128(2)));
        assert_eq!(whose.of("qemu-a"), Claim::Named(Uuid::from_u128(1)));
    }

    #[test]
    fn a_disk_or_a_hidden_port_with_anothers_name_is_told_of_whoever_else_has_it() {
        let of_a = domain(1, "a", &["qemu-a"]);
        let mut of_b = domain(2, "b", &["qemu-b"]);
        of_b.names.disks = vec!["qemu-a".to_owned()];
        let mut of_c = domain(3, "c", &[]);
        of_c.names.hidden = vec!["qemu-a".to_owned(), "qemu-c".to_owned()];
        for (domains, told) in [
            (&[of_b.clone()][..], &*edit(2)),
            (&[of_a.clone(), of_b.clone()], "its own is the file \"qemu-b\""),
            (&[of_c.clone()], "the domain \"c\" has a port \"qemu-a\""),
            (&[of_a, of_c], &edit(3)),
        ] {
            let whose = Whose::new(domains);
            let Claim::Refused(conflict) = whose.of("qemu-a") else { panic!("it is served") };
            assert!(conflict.to_string().contains(told), "{conflict}");
            for own in ["qemu-b", "qemu-c"] {
                assert!(!matches!(whose.of(own), Claim::Refused(_)), "{own} may be its own");
            }
        }
    }

    #[test]
    fn while_a_live_domain_cannot_be_read_only_what_others_name_is_served() {
        let mut unread = domain(2, "b", &[]);
        unread.unread = Some("it is no XML".to_owned());
        let whose = Whose::new(&[domain(1, "a", &["qemu-a"]), unread.clone()]);
        assert_eq!(whose.of("qemu-a"), Claim::Named(Uuid::from_u128(1)));
        for socket in ["qemu-b", "qemu-c"] {
            let Claim::Refused(conflict) = whose.of(socket) else { panic!("{socket} is served") };
            assert!(conflict.to_string().contains("cannot be read: \"b\""), "{conflict}");
        }
        unread.id = None;
        assert_eq!(Whose::new(&[unread]).of("qemu-c"), Claim::Unnamed);
    }
}
