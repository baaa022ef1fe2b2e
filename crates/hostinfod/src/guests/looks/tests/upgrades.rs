//! Before another program is executed, no thread may look at anything.

use super::*;
use std::process::Command;

use hostinfo_answer::{Dialect, Name};
use hostinfo_file::aside::Patience;

use crate::guests::marks::tests::guests_of_vmm;

#[test]
fn a_socket_that_a_thread_makes_is_handed_over_or_the_upgrade_is_refused() {
    let mut scene = Scene::listen();
    scene.listen_for("'fc-*'");
    scene.until(|scene| {
        let ctx = &mut Ctx { reactor: &mut scene.reactor, now: scene.now };
        let is_prepared = scene.guests.prepare_handover(ctx).is_ok();
        let has_all = NAMES.iter().all(|name| scene.listens(&format!("fc-{name}")));
        assert!(!is_prepared || has_all);
        is_prepared
    });
}

/// Runs one of the tests below. All tests of a process have the same threads.
fn in_a_process_of_its_own(test: &str) {
    let test = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    let program = std::env::current_exe().unwrap();
    let ran = Command::new(program).args(["--exact", &test, "--ignored"]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains(" 1 passed"), "{said}");
}

#[test]
fn no_thread_looks_at_anything_any_more_once_another_program_may_be_executed() {
    in_a_process_of_its_own("looks_at_many_before_an_upgrade");
}

#[test]
#[ignore = "another test runs it in a process of its own"]
fn looks_at_many_before_an_upgrade() {
    let mut scene = Scene::sockets();
    // Threads need longer for so many than the rest of the preparation takes.
    (0..1000).for_each(|number| fs::create_dir(scene.at(&number.to_string())).unwrap());
    // All are looked at once it is known which there are.
    scene.apply("'ch-*'");
    scene.until(|scene| {
        let ctx = &mut Ctx { reactor: &mut scene.reactor, now: scene.now };
        let is_prepared = scene.guests.prepare_handover(ctx).is_ok();
        assert!(!is_prepared || aside::finish(Duration::ZERO));
        is_prepared
    });
}

#[test]
fn an_upgrade_waits_no_longer_for_what_is_looked_at_in_turn_than_for_one_look() {
    in_a_process_of_its_own("looks_at_one_and_then_at_another_before_an_upgrade");
}

/// A socket that is found late, and then the command line of who listens there, which is held.
#[test]
#[ignore = "another test runs it in a process of its own"]
fn looks_at_one_and_then_at_another_before_an_upgrade() {
    const FIRST: Duration = FINISHED_WITHIN.checked_mul(9).unwrap().checked_div(10).unwrap();
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let this = std::process::id().cast_signed();
    let (mut guests, ctx) = (guests_of_vmm(folder.path(), this), &mut reactor.now());
    let path = folder.path().join("channel");
    let _socket = UnixListener::bind(&path).unwrap();
    let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
    let endpoint = Endpoint::Channel(path.as_path().into());
    let number = guests.roster.add_port(Port::new(guest, endpoint, Dialect::Vhostmd, ctx.now));
    let mut patience = Patience::default();
    spend(&mut patience, ctx.now + DAY);
    let at = path.clone();
    let look = move || {
        std::thread::sleep(FIRST);
        crate::sockets::find_at(&at)
    };
    let begun = Instant::now();
    assert!(guests.channels.look(&(number, path), &mut patience, look, ctx.now).is_none());
    assert!(guests.prepare_handover(ctx).is_err());
    let took = begun.elapsed();
    assert!(guests.roster.guests.get(guest).unwrap().is_unread, "it is not looked at");
    assert!(took < FIRST + FINISHED_WITHIN, "{took:?}");
}
