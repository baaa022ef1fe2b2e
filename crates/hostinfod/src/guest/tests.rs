use super::*;

use crate::guest::allowance::Cost;

use hostinfo_domains::Run;
use hostinfo_rules::Rules;

use crate::libvirt::examples::UUID;

fn guest() -> Guest {
    let name = Name::parse("qemu-a").unwrap();
    let grant = Rules::builtin().decide(name.whole());
    Guest::new(name, grant, HostId::default(), session("first"))
}

fn session(id: &str) -> Session {
    Session { id: id.to_owned(), start: None }
}

fn run(id: u32, reverts: u32) -> Run {
    Run { id: Some(id), reverts }
}

#[test]
fn one_query_an_interval_is_answered_wherever_it_comes_from() {
    let (mut guest, now) = (guest(), Instant::now());
    assert_eq!(guest.wait(now), Duration::ZERO);
    guest.allowance.spend(Cost::Read, now);
    guest.connected(None, || Ok(session("second"))).unwrap();
    assert_eq!(guest.wait(now + Duration::from_millis(400)), Duration::from_millis(600));
    assert_eq!(guest.wait(now + Duration::from_secs(1)), Duration::ZERO);
}

#[test]
fn another_process_at_the_other_end_begins_a_session_and_the_same_one_does_not() {
    let mut guest = guest();
    let peer = |pid| Some(Peer { pid, start: Some(7) });
    for (peer, id) in [(peer(1), "first"), (peer(1), "first"), (peer(2), "new"), (peer(2), "new")] {
        guest.connected(peer, || Ok(session("new"))).unwrap();
        assert_eq!(guest.session.id, id);
    }
    let unknown = Some(Peer { pid: 2, start: None });
    for (number, peer) in [None, None, unknown, unknown, peer(2)].into_iter().enumerate() {
        let id = format!("unknown {number}");
        assert!(guest.connected(peer, || Ok(session(&id))).unwrap(), "{peer:?} may be another");
        assert_eq!(guest.session.id, id);
    }
}

#[test]
fn a_guest_is_forgotten_only_when_that_gives_it_nothing() {
    let (mut guest, now) = (guest(), Instant::now());
    guest.allowance.spend(Cost::Read, now);
    assert!(!guest.is_forgettable(now));
    assert!(guest.is_forgettable(now + Duration::from_secs(1)));
}

#[test]
fn who_is_refused_may_not_ask_whatever_its_rule_says_and_gets_no_document_of_before() {
    let (mut guest, now) = (guest(), Instant::now());
    guest.document = Some("<metrics>".into());
    assert!(guest.may_ask());
    assert!(guest.stand(Standing::Refused("why".to_owned()), now));
    assert!(!guest.may_ask() && guest.document.is_none());
    assert!(!guest.stand(Standing::Refused("why".to_owned()), now), "it is logged once");
    assert!(guest.stand(Standing::Unnamed, now) && guest.may_ask());
}

#[test]
fn a_session_begins_when_the_same_process_runs_another_guest() {
    let (mut guest, now) = (guest(), Instant::now());
    let first = guest.session.id.clone();
    guest.stand(Standing::Domain(UUID, run(1, 0)), now);
    assert_eq!(guest.session.id, first, "it was only found out who it is");
    guest.stand(Standing::Domain(UUID, run(2, 0)), now);
    let second = guest.session.id.clone();
    assert_ne!(second, first);
    guest.stand(Standing::Domain(UUID, run(2, 1)), now);
    assert_ne!(guest.session.id, second, "it went back to a snapshot");
}
