use super::*;

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hostinfo_answer::{Bound, Dialect};
use hostinfo_custom::limits::ANSWER_MARGIN;
use hostinfo_sample::{Host, OpenFiles, Roots};

use crate::admin_values::tests::admin_values;
use crate::guest::tests::guest;
use crate::settings;

/// A guest at the other end of a socket, and a responder that serves it.
struct Scene {
    responder: Responder,
    guest: Guest,
    connection: Connection,
    far_end: UnixStream,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let (far_end, near_end) = UnixStream::pair().unwrap();
        near_end.set_nonblocking(true).unwrap();
        far_end.set_nonblocking(true).unwrap();
        let nowhere = Roots { proc: "/nonexistent".into(), sys: "/nonexistent".into() };
        Self {
            responder: Responder::new(
                Engine::new(
                    Host::new(nowhere, OpenFiles::default()),
                    Libvirt::none(),
                    admin_values(""),
                    None,
                    now,
                ),
                settings::flow::Flow::default().bounds(),
            ),
            guest: guest("qemu-a"),
            connection: Connection::new(
                OwnedFd::from(near_end).into(),
                None,
                Dialect::Hostinfo,
                now,
            ),
            far_end,
            now,
        }
    }

    fn say(&mut self, text: &str) -> usize {
        self.far_end.write(text.as_bytes()).unwrap_or(0)
    }

    fn turn(&mut self) -> Phase {
        self.responder.serve(&mut self.connection, &mut self.guest, self.now).unwrap()
    }

    /// Takes turns until the guest has to wait for something.
    fn turns(&mut self) -> Phase {
        loop {
            let next = self.turn();
            if next != Phase::Throttled(self.now) {
                return next;
            }
        }
    }

    fn hear(&mut self) -> String {
        let mut heard = Vec::new();
        let _ = self.far_end.read_to_end(&mut heard);
        String::from_utf8(heard).unwrap()
    }
}

#[test]
fn lines_are_answered_in_order_as_they_come() {
    let mut scene = Scene::new();
    scene.say("ping a\nping b\npi");
    assert_eq!(scene.turns(), Phase::Reading);
    assert_eq!(scene.hear(), "200 pong a\n200 pong b\n");
    scene.say("ng c\n");
    scene.turn();
    assert_eq!(scene.hear(), "200 pong c\n");
}

#[test]
fn a_burst_of_lines_is_answered_and_what_is_over_it_waits_and_is_not_lost() {
    let mut scene = Scene::new();
    let lines: String = (0..50).map(|number| format!("ping {number}\n")).collect();
    scene.say(&lines);
    let Phase::Throttled(at) = scene.turns() else { panic!("no wait") };
    assert_eq!(scene.hear().lines().count(), 40);
    assert!(at > scene.now && at <= scene.now + Duration::from_millis(50), "20 lines a second");
    scene.now += Duration::from_millis(500);
    assert_eq!(scene.turns(), Phase::Reading);
    assert_eq!(scene.hear().lines().last(), Some("200 pong 49"));
}

#[test]
fn bytes_that_come_one_at_a_time_are_read_as_seldom_as_short_lines() {
    let (mut scene, mut reads) = (Scene::new(), 0);
    let flow = settings::flow::Flow::default().bounds();
    scene.responder.set_flow(Flow { bytes: Bound { burst: 64 * 1024, ..flow.bytes }, ..flow });
    while scene.say("\n") == 1 && scene.turn() == Phase::Reading {
        reads += 1;
    }
    // The last chunk has to fit as a whole.
    assert!((3000..4096).contains(&reads), "{reads}");
}

#[test]
fn each_turn_answers_one_line_and_the_next_turn_comes_at_once() {
    let mut scene = Scene::new();
    scene.say("ping a\nping b\n");
    assert_eq!(scene.turn(), Phase::Throttled(scene.now));
    assert_eq!(scene.hear(), "200 pong a\n");
    assert_eq!(scene.turn(), Phase::Reading);
    assert_eq!(scene.hear(), "200 pong b\n");
}

#[test]
fn at_most_one_chunk_is_read_in_a_turn() {
    let mut scene = Scene::new();
    scene.say(&"#".repeat(READ_CHUNK * 2));
    scene.say("\nping\n");
    scene.turn();
    scene.turn();
    assert_eq!(scene.hear(), "");
    scene.turn();
    assert_eq!(scene.hear(), "200 pong\n");
}

#[test]
fn a_flood_is_read_up_to_its_bound_and_then_left_where_it_is() {
    let mut scene = Scene::new();
    let flood = "200 an echo\n".repeat(1000);
    let mut read = 0;
    let next = loop {
        read += scene.say(&flood);
        match scene.turn() {
            Phase::Reading => assert!(read < 5 * 1024 * 1024, "no end"),
            next => break next,
        }
    };
    let Phase::Throttled(at) = next else { panic!("{next:?}") };
    assert!(read >= 4 * 1024 * 1024, "{read}");
    assert!(at <= scene.now + Duration::from_millis(63), "64 KiB a second, in chunks of 4 KiB");
    scene.now = at;
    assert_eq!(scene.turn(), Phase::Reading);
}

#[test]
fn short_lines_of_nonsense_use_up_the_bytes_sooner() {
    let mut scene = Scene::new();
    let flood = "x\n".repeat(2048);
    let mut lines = 0;
    while scene.turn() == Phase::Reading {
        lines += scene.say(&flood) / 2;
        assert!(lines < 400_000, "no end");
    }
}

#[test]
fn a_guest_that_does_not_read_holds_one_reply_and_60_seconds() {
    let mut scene = Scene::new();
    // The socket takes what fits; then one reply is kept, and nothing more is read.
    let next = loop {
        scene.say("help\n");
        scene.now += Duration::from_millis(50);
        match scene.turn() {
            Phase::Reading => {}
            next => break next,
        }
    };
    assert_eq!(next, Phase::Writing(scene.now + WRITE_DEADLINE));
    scene.say("ping after\n");
    let begun = scene.now;
    scene.now += Duration::from_secs(1);
    assert_eq!(scene.turn(), Phase::Writing(begun + WRITE_DEADLINE));

    // The guest reads again, and nothing is missing.
    let mut heard = scene.hear();
    while scene.turn() != Phase::Reading || !heard.ends_with("pong after\n") {
        heard += &scene.hear();
    }
    assert!(heard.lines().all(|line| line.starts_with("200")));
}

#[test]
fn a_reply_that_is_taken_bit_by_bit_is_written_as_seldom_as_short_lines() {
    let (mut scene, mut writes) = (Scene::new(), 0);
    while !matches!(scene.turn(), Phase::Writing(_)) {
        scene.say("help\n");
        scene.now += Duration::from_millis(50);
    }
    // From then on each turn tries to write, as where there is room for little again and again.
    let flow = settings::flow::Flow::default().bounds();
    scene.responder.set_flow(Flow { bytes: Bound { burst: 64 * 1024, ..flow.bytes }, ..flow });
    let next = loop {
        match scene.turn() {
            Phase::Writing(_) => writes += 1,
            next => break next,
        }
    };
    assert!(matches!(next, Phase::Throttled(at) if at > scene.now), "{next:?}");
    assert!((1..=4096).contains(&writes), "{writes}");
}

#[test]
fn the_end_of_a_connection_comes_behind_what_was_sent_before_it() {
    let mut scene = Scene::new();
    scene.say("ping a\n");
    scene.far_end.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(scene.turn(), Phase::Reading);
    assert_eq!(scene.hear(), "200 pong a\n");
    let Scene { responder, connection, guest, now, .. } = &mut scene;
    assert!(responder.serve(connection, guest, *now).is_err());
}

#[test]
fn a_line_whose_values_are_on_their_way_waits_with_all_behind_it_and_counts_from_its_beginning() {
    let mut scene = Scene::new();
    let slow =
        "[custom.x]\nkind='gauge'\nhelp='h'\ncommand=['/bin/sleep', '60']\ntimeout='500ms'\n";
    *scene.responder.admin_values() = admin_values(slow);
    let rules = hostinfo_rules::parse(b"*:\n custom = 1\n").unwrap().rules;
    scene.guest.apply_rules(&rules, scene.now);
    // As much as it can send: a line, followed by a full chunk.
    scene.say("  custom.x session\r\nping ");
    scene.say(&"#".repeat(READ_CHUNK));
    // Of its own and of hostinfo-run.
    let until = scene.now + Duration::from_millis(500) + ANSWER_MARGIN;
    for _ in 0..100 {
        assert_eq!(scene.turn(), Phase::WaitingForValue(until));
        assert!(scene.connection.conversation.has_held());
        scene.now += Duration::from_millis(1);
    }
    assert!(scene.guest.meter.lines.is_full(scene.now), "no line was answered");
    assert_eq!(scene.guest.who.wait(scene.now), Duration::from_millis(900), "over any connection");
    scene.say("\nping a\n");
    scene.now = until;
    scene.responder.admin_values().customs.turn(scene.now);
    let mut heard = String::new();
    for _ in 0..4 {
        scene.turns();
        heard += &scene.hear();
    }
    assert_eq!(
        heard,
        "503-custom.x: took too long on this host\n200 session=0101010101010101\n400 line too long\n200 pong a\n"
    );
}
