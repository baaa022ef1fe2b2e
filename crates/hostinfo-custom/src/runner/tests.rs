mod held;
mod scene;
mod walls;

use std::fs;

use hostinfo_peer::Unclosed;
use hostinfo_peer::examples::{Slow, packets};
use rustix::net::SendFlags;
use rustix::process::geteuid;

use super::*;
use crate::account::Power;
use crate::message::Request;

use scene::{PATIENCE, hear, wait_for_text};
pub(crate) use scene::{Scene, is_gone, key};

#[test]
fn any_other_user_is_refused_before_it_has_said_anything() {
    let scene = Scene::new(["echo 7"]);
    let user = geteuid().as_raw();
    scene.serve_user(user + 1, true);
    let Some(Answer::Refused(why)) = hear(&scene.connect()) else { panic!() };
    let told = format!("hostinfo-run serves only user {}, not user {user}: ", user + 1);
    assert!(why.starts_with(&told), "{why}");
}

#[test]
fn a_request_that_matches_no_definition_of_the_runners_is_refused_with_the_reason() {
    let scene = Scene::new(["echo 7", "echo 8"]);
    scene.serve(true);
    let good = scene.request("s0", "a");
    assert_eq!(hear(&scene.ask(&good.to_packet())), Some(Answer::Printed(b"7\n".to_vec())));
    let fingerprint = scene.request("s1", "a").fingerprint;
    for (packet, why) in [
        (
            Request { fingerprint, ..good.clone() }.to_packet(),
            "has changed since hostinfod read it",
        ),
        (Request { name: "s7".to_owned(), ..good.clone() }.to_packet(), "is not defined where"),
        (Request { guest: String::new(), ..good }.to_packet(), "another scope"),
        (b"hostinfo-run 1\nrm -rf /".to_vec(), "this is not a fingerprint"),
        (b"hostinfo-run 2\n".to_vec(), "of different versions"),
    ] {
        let Some(Answer::Refused(told)) = hear(&scene.ask(&packet)) else { panic!("{why}") };
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn no_command_becomes_the_daemons_user() {
    let mut scene = Scene::new(["echo 7"]);
    let user = geteuid().as_raw() + 4000;
    scene.accounts = Accounts::parse(&format!("daemon:x:{user}:7::/:/\n"), Power::Anybody);
    scene.definitions.get_mut("s0").unwrap().user = Some("daemon".to_owned());
    let read = || (Found::of(scene.definitions.clone()), scene.accounts.clone());
    let packet = scene.request("s0", "a").to_packet();
    let told = Order::of(&packet, read, user).unwrap_err();
    assert!(told.starts_with("its user is hostinfod's own"), "{told}");
}

#[test]
fn a_client_that_hangs_up_or_sends_more_has_its_command_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    for more in [None, Some(&b"more"[..])] {
        fs::write(&file, "").unwrap();
        let scene = Scene::new([format!("echo $$ > {}; exec sleep 70", file.display())]);
        scene.serve(true);
        let socket = scene.ask(&scene.request("s0", "a").to_packet());
        let pid = wait_for_text(&file, |text| text.ends_with('\n'));
        match more {
            Some(more) => {
                message::send(&socket, more).unwrap();
                assert_eq!(hear(&socket), None);
            }
            None => drop(socket),
        }
        assert!(is_gone(pid.trim()));
    }
}

#[test]
fn nothing_runs_beside_a_run_of_the_same_statistic_that_is_dying() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bad) = (folder.path().join("pid"), folder.path().join("bad"));
    fs::write(&file, "").unwrap();
    let (pid, twice) = (file.display(), bad.display());
    let script = format!(
        "before=$(cat {pid}); [ -z \"$before\" ] || ! [ -d /proc/$before ] || echo x >{twice}
         echo $$ >{pid}; exec sleep 70"
    );
    let scene = Scene::new([script]);
    scene.serve(true);
    let packet = scene.request("s0", "a").to_packet();
    let mut last = String::new();
    for _ in 0..20 {
        let _socket = scene.ask(&packet);
        last = wait_for_text(&file, |text| text.ends_with('\n') && text != last);
    }
    assert!(!bad.exists());
}

#[test]
fn callers_beyond_the_four_wait_until_there_is_a_place() {
    let scene = Scene::new(["sleep 60", "echo 7"]);
    scene.serve(true);
    let hangs = scene.request("s0", "a").to_packet();
    let busy: Vec<PeerSocket> = (0..RUNS_MAX).map(|_| scene.ask(&hangs)).collect();
    let waits = scene.ask(&scene.request("s1", "a").to_packet());
    assert_eq!(hear(&waits), Some(Answer::Printed(b"7\n".to_vec())));
    // It had to wait for one of them, which is over by now.
    let is_over = |socket: &&PeerSocket| message::receive(socket).is_ok();
    assert!(busy.iter().filter(is_over).count() >= 1);
}

#[test]
fn a_caller_that_never_says_what_it_wants_is_hung_up_on() {
    let scene = Scene::new(["echo 7"]);
    scene.serve(true);
    assert_eq!(hear(&scene.connect()), None);
}

#[test]
fn a_caller_who_sends_descriptors_that_take_long_to_close_holds_nobody_up() {
    let scene = Scene::new(["echo 7"]);
    let read = || (Found::of(scene.definitions.clone()), scene.accounts.clone());
    let (mut runner, now) = (Runner::new(read, 0), Instant::now());
    let (sender, socket) = packets(&Unclosed::default()).unwrap();
    let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
    let run = Run { socket, state: State::Silent, deadline: now + PATIENCE };
    assert!(runner.advance(run, now).is_none());
    assert!(now.elapsed() < PATIENCE && unclosed() == 1);
    drop(far_end);
}
