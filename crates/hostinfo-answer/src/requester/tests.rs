use super::*;

use hostinfo_domains::Run;
use hostinfo_rules::Rules;

use crate::examples::UUID;

fn guest() -> Requester {
    let name = Name::parse("qemu-a").unwrap();
    let grant = Rules::builtin().decide(name.whole());
    Requester::new(name, grant, HostId::default(), Duration::ZERO, session(1))
}

fn session(id: u8) -> Session {
    Session::new([id; 8])
}

fn run(id: u32, reverts: u32) -> Run {
    Run { id: Some(id), reverts }
}

#[test]
fn one_query_an_interval_is_answered_over_all_connections_of_a_guest() {
    let (mut guest, now) = (guest(), Instant::now());
    assert_eq!(guest.wait(now), Duration::ZERO);
    guest.allowance.spend(Cost::Read, now);
    guest.connected(None, || Ok::<_, ()>(session(2))).unwrap();
    assert_eq!(guest.wait(now + Duration::from_millis(400)), Duration::from_millis(600));
    assert_eq!(guest.wait(now + Duration::from_secs(1)), Duration::ZERO);
}

#[test]
fn another_process_at_the_other_end_begins_a_session_and_the_same_one_does_not() {
    let mut guest = guest();
    let peer = |pid| Some(Peer { pid, start: Some(7) });
    for (peer, id) in [(peer(1), 1), (peer(1), 1), (peer(2), 2), (peer(2), 2)] {
        guest.connected(peer, || Ok::<_, ()>(session(2))).unwrap();
        assert_eq!(guest.session.id(), session(id).id());
    }
    let unknown = Some(Peer { pid: 2, start: None });
    for (id, peer) in (3..).zip([None, None, unknown, unknown, peer(2)]) {
        assert!(
            guest.connected(peer, || Ok::<_, ()>(session(id))).unwrap(),
            "{peer:?} may be another"
        );
        assert_eq!(guest.session.id(), session(id).id());
    }
}

#[test]
fn what_was_made_for_a_guest_is_not_for_another_process_unless_libvirt_knows_that_its_run_is_the_same()
 {
    let mut guest = guest();
    let goes_on = |guest: &mut Requester, pid| {
        guest.document = Some(Document::of("<metrics>").into());
        let (era, peer) = (guest.era(), Some(Peer { pid, start: Some(7) }));
        guest.connected(peer, || Ok::<_, ()>(session(2))).unwrap();
        assert_eq!(guest.document.is_some(), guest.era() == era);
        guest.era() == era
    };
    assert!(goes_on(&mut guest, 1), "before, there was no process");
    assert!(goes_on(&mut guest, 1) && !goes_on(&mut guest, 2));
    let era = guest.era();
    guest.set_standing(Standing::Domain(UUID, run(1, 0)));
    assert_ne!(guest.era(), era);
    assert!(goes_on(&mut guest, 3));
}

#[test]
fn a_guest_that_libvirt_refuses_may_not_ask_whatever_its_rule_says_and_loses_its_document() {
    let mut guest = guest();
    guest.document = Some(Document::of("<metrics>").into());
    assert!(guest.may_ask());
    let refused = Standing::Refused("why".to_owned());
    assert_eq!(guest.set_standing(refused.clone()), Change::Other);
    assert!(!guest.may_ask() && guest.document.is_none());
    assert_eq!(guest.set_standing(refused), Change::Same, "it is logged once");
    assert_eq!(guest.set_standing(Standing::Unnamed), Change::Other);
    assert!(guest.may_ask());
}

#[test]
fn another_run_of_a_guest_is_distinguished_from_a_domain_that_was_only_identified() {
    let mut guest = guest();
    let domain = |id, reverts| Standing::Domain(UUID, run(id, reverts));
    assert_eq!(guest.set_standing(domain(1, 0)), Change::Other, "it was only found out who it is");
    assert_eq!(guest.set_standing(domain(2, 0)), Change::AnotherRun);
    assert_eq!(guest.set_standing(domain(2, 1)), Change::AnotherRun, "it went back to a snapshot");
    assert_eq!(guest.set_standing(Standing::Unnamed), Change::AnotherRun, "it has stopped");
}
