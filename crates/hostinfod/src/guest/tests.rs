use super::*;

use hostinfo_answer::{Bound, HostId, Name, Session};
use hostinfo_domains::{Run, Uuid};
use hostinfo_rules::Rules;
use hostinfo_sample::OpenFiles;
use std::sync::Arc;
use std::time::Duration;

use crate::port::Port;

/// A guest with that whole name, under the built-in default rules.
pub(crate) fn guest(name: &str) -> Guest {
    let name = Name::parse(name).unwrap();
    let grant = Rules::builtin().decide(name.whole());
    let session = Session::new([1; 8]);
    Guest::new(Requester::new(name, grant, HostId::default(), Duration::ZERO, session))
}

#[test]
fn an_undecided_guest_may_still_be_watched_and_says_why_it_may_not_ask() {
    let (mut guest, now) = (guest("qemu-a"), Instant::now());
    let rules = |text: &str| hostinfo_rules::parse(text.as_bytes()).unwrap().rules;
    let tagged = rules("qemu-* role=db:\n watch = 1\n vhostmd-disk = 1\n*:\n");
    guest.tags = Tags::Unreadable;
    guest.apply_rules(&tagged, now);
    assert!(guest.who.is_undecided() && guest.who.may_be_watched() && !guest.who.may_ask());
    assert!(!guest.who.grant().watch() && !guest.who.grant().vhostmd_disk());
    assert!(guest.who.refusal().is_some());
    guest.tags = Tags::NONE;
    guest.apply_rules(&tagged, now);
    assert!(guest.who.may_ask() && !guest.who.may_be_watched());
    assert_eq!(guest.who.grant().rule().unwrap().line, 4);
}

#[test]
fn a_guest_is_forgotten_only_when_that_gives_it_nothing() {
    let (mut guest, now) = (guest("qemu-a"), Instant::now());
    guest.meter.lines.take(1, Bound { per_second: 1, burst: 1 }, now);
    assert!(!guest.is_forgettable(now));
    assert!(guest.is_forgettable(now + Duration::from_secs(1)));
}

#[test]
fn a_guest_has_one_turn_a_round() {
    let mut guest = guest("qemu-a");
    let first = Round::default().next();
    assert!(guest.take_turn(first) && !guest.take_turn(first));
    assert!(guest.take_turn(first.next()) && !guest.take_turn(first.next()));
}

#[test]
fn whoever_has_the_name_of_a_domain_that_has_stopped_is_in_another_session_also_where_no_process_is_known()
 {
    let (mut guest, now) = (guest("qemu-a"), Instant::now());
    let domain =
        |uuid, id| Standing::Domain(Uuid::from_u128(uuid), Run { id: Some(id), reverts: 0 });
    assert!(guest.set_standing(domain(1, 1), now));
    let session = guest.who.session().id();
    assert!(guest.set_standing(Standing::Unnamed, now) && guest.set_standing(domain(2, 2), now));
    assert_ne!(guest.who.session().id(), session);
}

#[test]
fn another_standing_is_taken_over_once() {
    let (mut guest, now) = (guest("qemu-a"), Instant::now());
    let refused = Standing::Refused("why".to_owned());
    assert!(guest.set_standing(refused.clone(), now));
    assert!(!guest.who.may_ask());
    assert!(!guest.set_standing(refused, now), "it is logged once");
    assert!(guest.set_standing(Standing::Unnamed, now) && guest.who.may_ask());
}

#[test]
fn a_session_begins_when_the_same_process_runs_another_guest() {
    let (mut guest, now) = (guest("qemu-a"), Instant::now());
    let domain = |id, reverts| Standing::Domain(Uuid::from_u128(7), Run { id: Some(id), reverts });
    let mut session = |standing| {
        guest.set_standing(standing, now);
        guest.who.session().id()
    };
    let first = session(Standing::Unnamed);
    assert_eq!(session(domain(1, 0)), first, "it was only found out who it is");
    let second = session(domain(2, 0));
    assert_ne!(second, first);
    assert_ne!(session(domain(2, 1)), second, "it went back to a snapshot");
}

#[test]
fn an_upgrade_hands_over_when_the_next_sample_of_a_guest_that_left_is_due() {
    let (mut before, mut after) = (guest("qemu-a"), guest("qemu-a"));
    before.rare_mut().left_at = Some(Instant::now());
    let state = serde_json::to_vec(&before.hand_over(Vec::new())).unwrap();
    let state = serde_json::from_slice(&state).unwrap();
    after.take_over(state, &Rules::builtin(), &Arc::default(), &OpenFiles::default());
    assert!(after.rare == before.rare && after.rare.is_some());
}

/// What a guest owns elsewhere before it has asked: its name (48 bytes with what the allocator needs), what counts its
/// [`Unclosed`] (32), and its entries in the roster's two maps (40 each, since a node of them is not always full).
const ON_THE_HEAP: usize = 48 + 32 + 2 * 40;

#[test]
fn a_guest_that_has_asked_nothing_takes_less_than_a_kibibyte_with_a_port() {
    let all = size_of::<Guest>() + size_of::<Port>() + ON_THE_HEAP;
    // The rest is the allocator's.
    assert!(all <= 1024 * 15 / 16, "{all}");
}
