use super::*;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Uid, geteuid};

use crate::guests::tests::guests;
use crate::port::{Endpoint, Port};
use crate::reactor::Reactor;
use crate::settings::hybrid::parse;
use crate::sockets::place::at_last;
use crate::system::account::Accounts;

fn settings(below: &Path) -> Hybrids {
    settings_for(below, &geteuid().as_raw().to_string())
}

fn settings_for(below: &Path, user: &str) -> Hybrids {
    let path = below.display();
    let text = format!(
        "[[listen]]\npath = '{path}/{{name}}/v_4678'\ndriver = 'fc'\nuser = '{user}'\nguests = ['*']\n"
    );
    parse(&text).unwrap()
}

#[test]
fn a_place_that_is_removed_while_a_thread_looks_at_it_does_not_wake_the_loop_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("vm");
    std::fs::create_dir_all(&below).unwrap();
    let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    guests.listen_at(settings(&below), ctx);
    let looked = |guests: &mut Guests| {
        let (_, section) = guests.sections.iter().next()?;
        (!section.place.is_being_looked_at()).then(|| Arc::clone(section.place.below()))
    };
    let _kept = at_last(&mut guests, looked, |guests| guests.take_late_looks(ctx));
    let mut ready = Vec::new();
    let is_woken = |ctx: &mut Ctx<'_>, ready: &mut Vec<_>| {
        ctx.reactor.set_alarm(Alarm::Watches, Some(Instant::now()));
        ctx.reactor.wait(ready).unwrap();
        ready.iter().any(|ready| matches!(ready.token, Token::Section(_)))
    };
    std::fs::create_dir(below.join("web")).unwrap();
    assert!(is_woken(ctx, &mut ready));
    guests.listen_at(Hybrids::default(), ctx);
    assert!(!is_woken(ctx, &mut ready));
}

#[test]
fn who_has_another_number_than_the_vmms_user_by_now_may_not_ask_any_more_nor_anybody_if_that_user_is_gone()
 {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("vm");
    std::fs::create_dir_all(below.join("web")).unwrap();
    let me = geteuid();
    let users = |number: u32| Accounts::parse(&format!("root:x:{number}:0::/:\n"));
    for (after, is_made_anew, asks) in [
        (Some(me.as_raw()), false, true),
        (Some(4321), false, false),
        // It knows the new number already when it is looked up.
        (Some(4321), true, false),
        (None, false, false),
    ] {
        let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let listener = |guests: &mut Guests| {
            let mut ports = guests.roster.ports.iter();
            ports.find_map(|(number, port)| match &port.endpoint {
                Endpoint::Listener(at) => at.socket.is_some().then_some((number, at.user)),
                _ => None,
            })
        };
        guests.listen_at(settings_for(&below, "root"), ctx);
        let (number, user) = at_last(&mut guests, listener, |guests| guests.take_late_looks(ctx));
        assert_eq!(user, Some(me), "needs root");
        let client = UnixStream::connect(below.join("web/v_4678")).unwrap();
        guests.accept(number, ctx);
        let Endpoint::Listener(at) = &mut guests.roster.at(number).unwrap().0.endpoint else {
            panic!()
        };
        if is_made_anew {
            at.user = after.map(Uid::from_raw);
        }
        guests.check_users_of(&after.map_or_else(|| Accounts::parse(""), users), ctx);
        let is_accepted = |port: &Port| matches!(port.endpoint, Endpoint::Accepted(_));
        let is_connected = guests.roster.ports.iter().any(|(_, port)| is_accepted(port));
        assert_eq!(is_connected, asks, "{after:?} {is_made_anew}");
        if let Some(after) = after {
            assert_eq!(listener(&mut guests).unwrap().1, Some(Uid::from_raw(after)));
        }
        drop(client);
    }
}

#[test]
fn a_connection_that_is_accepted_too_early_is_owed_for() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("vm");
    std::fs::create_dir_all(below.join("web")).unwrap();
    let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    guests.listen_at(settings(&below), ctx);
    let is_listener = |port: &Port| match &port.endpoint {
        Endpoint::Listener(listener) => listener.socket.is_some(),
        _ => false,
    };
    let listener = |guests: &mut Guests| {
        let listener = guests.roster.ports.iter().find(|(_, port)| is_listener(port));
        listener.map(|(number, port)| (number, port.guest))
    };
    let (number, guest) = at_last(&mut guests, listener, |guests| guests.take_late_looks(ctx));
    let mut debts = Vec::new();
    for _ in 0..100 {
        let client = UnixStream::connect(below.join("web/v_4678")).unwrap();
        guests.accept(number, ctx);
        drop(client);
        let guest = guests.roster.guests.get_mut(guest).unwrap();
        debts.push(guests.responder.charge_connection(guest, Duration::ZERO, ctx.now).err());
    }
    let owed = debts.split_off(50);
    assert!(owed.is_sorted_by(|one, next| one < next), "{owed:?}");
}
