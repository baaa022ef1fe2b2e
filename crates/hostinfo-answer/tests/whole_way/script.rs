//! Interprets arbitrary bytes as what two guests send, piece by piece, and what happens meanwhile.

use std::time::{Duration, Instant};

use hostinfo_answer::Outcome;
use hostinfo_wire::limits::NONSENSE_MAX;

use crate::check;
use crate::world::{RULES, World};

/// Most steps of a script: each answers 128 lines at most.
const STEPS_MAX: usize = 64;

/// Most turns for one piece of 255 bytes: a line has at least one byte, and waits a few times for
/// its values or for the guest's flow.
const TURNS_MAX: usize = 255 * 8;

/// The first byte selects the rules; each of the others is a step.
///
/// | step | what |
/// |---|---|
/// | 0 to 5 | a guest (the odd one or the other) sends as many bytes as the next one says |
/// | 6 to 199 | time passes |
/// | 200 to 219 | a guest comes under other rules |
/// | 220 and more | a guest's connection is replaced |
///
/// Returns the number of answered lines.
pub(crate) fn run(script: &[u8]) -> usize {
    let Some((rules, mut rest)) = script.split_first() else { return 0 };
    let mut answered = 0;
    let mut now = Instant::now();
    let mut world = World::new(*rules, now);
    for _ in 0..STEPS_MAX {
        let Some((step, after)) = rest.split_first() else { break };
        rest = after;
        let guest = usize::from(step % 2);
        match step {
            0..=5 => {
                let Some((length, after)) = rest.split_first() else { break };
                let (sent, after) = after.split_at(usize::from(*length).min(after.len()));
                rest = after;
                answered += send(&mut world, guest, sent, &mut now);
            }
            6..=199 => now += Duration::from_millis(u64::from(*step) * u64::from(*step)),
            200..=219 => {
                let rules = RULES[usize::from(*step) % RULES.len()];
                let rules = hostinfo_rules::parse(rules.as_bytes()).unwrap().rules;
                world.apply(guest, rules.decide(["qemu-a", "qemu-b"][guest]));
            }
            220.. => world.reconnect(guest),
        }
        world.watch(0, now);
    }
    answered
}

/// Lets a guest send that, and checks all replies. Returns their number.
fn send(world: &mut World, guest: usize, sent: &[u8], now: &mut Instant) -> usize {
    let mut input = if world.has_held(guest) { &[] } else { sent };
    let (mut nonsense, mut answered) = (0, 0);
    for _ in 0..TURNS_MAX {
        match world.turn(guest, std::mem::take(&mut input), *now) {
            Outcome::Read => return answered,
            Outcome::Wait(until) | Outcome::WaitForValue(until) => *now = until.max(*now),
            Outcome::Answered { .. } => {
                answered += 1;
                let reply = world.reply();
                let is_one = |line: &str| line.starts_with("400") || line.starts_with("404");
                let is_nonsense = reply.lines().all(is_one);
                nonsense = if is_nonsense { nonsense + 1 } else { 0 };
                assert!(nonsense <= NONSENSE_MAX, "{sent:?}");
                check::reply(reply.as_bytes(), world.guests[guest].who.grant());
                assert!(!world.answers(reply.as_bytes(), *now), "an echo was answered: {reply}");
            }
        }
    }
    panic!("no end of it: {sent:?}");
}
