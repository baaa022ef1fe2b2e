//! The whole way from what a guest sends to what it gets, without sockets.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod check;
mod denied;
mod script;
mod world;

use std::fs;
use std::path::Path;
use std::time::Instant;

use hostinfo_answer::Outcome;
use hostinfo_wire::limits::{THREAD_WORK, TURN_THREADS, TURN_WORK};
use proptest::prelude::*;
use tempfile::TempDir;

use world::World;

/// Number of conversations in each run; `fuzz/` tries more.
const CASES: u32 = 200;

fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "*", "vm", "vm.cpu", "loadavg", "memory.total", "verdict", "verdict.cpu", "label",
            "label.rack", "session", "window", "vm.cpu.0.seconds", "vm.disk.vda.read.ops", "nosuch",
            "cpu.usage", "notice", "VM.NAME",
        ]).prop_map(str::to_owned),
        1 => "[a-z*.]{0,9}",
    ]
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let words = proptest::collection::vec(any_word(), 0..5);
    let verb = proptest::sample::select(vec![
        "",
        "get ",
        "json ",
        "metrics ",
        "list ",
        "ping ",
        "help",
        "version",
        "GET /metrics/XML",
    ]);
    let end = proptest::sample::select(vec!["\n", "\r", "\r\n", ""]);
    let line = (verb, words, end)
        .prop_map(|(verb, words, end)| format!("{verb}{}{end}", words.join(" ")).into_bytes());
    prop_oneof![6 => line, 1 => proptest::collection::vec(any::<u8>(), 0..300)]
}

/// A step of a guest or its host, as [`script`] reads it.
fn any_step() -> impl Strategy<Value = Vec<u8>> {
    let sent = (0..6u8, any_line()).prop_map(|(step, line)| {
        let length = u8::try_from(line.len().min(255)).unwrap();
        [&[step, length], &line[..usize::from(length)]].concat()
    });
    prop_oneof![5 => sent, 1 => (6..u8::MAX).prop_map(|step| vec![step])]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn whatever_is_sent_gets_whole_replies_of_what_is_permitted(
        rules: u8, steps in proptest::collection::vec(any_step(), 0..30),
    ) {
        script::run(&[vec![rules], steps.concat()].concat());
    }
}

#[test]
fn every_seed_of_the_conversation_fuzzer_is_answered_at_least_twice() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/conversation");
    let answered: Vec<usize> = fs::read_dir(seeds)
        .unwrap()
        .map(|seed| script::run(&fs::read(seed.unwrap().path()).unwrap()))
        .collect();
    assert!(answered.len() >= 6 && answered.iter().all(|lines| *lines >= 2), "{answered:?}");
}

/// vhostmd's document with one metric.
fn document(attributes: &str, name: &str, value: &str) -> String {
    format!(
        "<metrics>\n<metric type='string'{attributes}>\n<name>{name}</name>\n<value>{value}</value>\n</metric>\n\
         </metrics>\n\n"
    )
}

#[test]
fn a_reply_that_reveals_what_is_denied_is_found() {
    let rules = hostinfo_rules::parse(b"*:\n loadavg = 0\n vm.uuid = 0\n").unwrap().rules;
    let grant = rules.decide("qemu-a");
    for reply in [
        "200 loadavg.1=0.42\n",
        "200 {\"loadavg.1\":0.42}\n",
        "200-loadavg.5 gauge - x\n200 loadavg.15 gauge - x\n",
        "200-# TYPE hostinfo_loadavg_1 gauge\n200-hostinfo_loadavg_1 0.42\n200 # EOF\n",
        &document(" context='host'", "UsedVirtualMemory", "7"),
        &document(" context='host'", "VirtProductInfo", "QEMU 7.2.0"),
        &document(" context='vm' id='3' uuid='x'", "ResourceProcessorLimit", "2"),
        &document(" context='vm'", "custom.rack", "7"),
    ] {
        let found = std::panic::catch_unwind(|| check::reply(reply.as_bytes(), &grant));
        assert!(found.is_err(), "{reply}");
    }
    for reply in [
        "403-loadavg.1: not permitted\n200 {\"errors\":{\"loadavg.1\":403}}\n",
        &document(" context='host'", "NumberOfPhysicalCPUs", "64"),
        &document(" context='host'", "VirtProductInfo", "QEMU"),
        &document(" context='vm'", "ResourceProcessorLimit", "2"),
        "<metrics>\n</metrics>\n\n",
    ] {
        check::reply(reply.as_bytes(), &grant);
    }
}

const PID: i32 = 900;

/// A VMM with more threads than are read in three turns.
fn many_threads() -> TempDir {
    let host = tempfile::tempdir().unwrap();
    let process = host.path().join(format!("proc/{PID}"));
    let write = |file: String, text: &str| {
        let file = process.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let stat = format!("{PID} (qemu-system-x86) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n");
    write("stat".to_owned(), &stat);
    write("status".to_owned(), "VmRSS: 4000 kB\nVmSwap: 0 kB\n");
    for thread in 0..400 {
        write(format!("task/{}/comm", 1000 + thread), &format!("CPU {thread}/KVM\n"));
        write(format!("task/{}/schedstat", 1000 + thread), "1000000000 1000 1\n");
    }
    host
}

#[test]
fn a_guest_with_hundreds_of_threads_waits_for_its_values_and_gets_them() {
    let (mut waited, now) = (0, Instant::now());
    let mut world = World::new(0, now);
    let host = many_threads();
    let rules = hostinfo_rules::parse(world::RULES[0].as_bytes()).unwrap().rules;
    let guest = world.add("qemu-many", &rules, Some((host.path(), PID)));
    let mut input: &[u8] = b"vm.cpu.seconds\n";
    let answer = loop {
        match world.turn(guest, std::mem::take(&mut input), now) {
            Outcome::WaitForValue(until) => waited += u32::from(until <= now),
            Outcome::Answered { .. } => break world.reply(),
            other => panic!("{other:?}"),
        }
    };
    assert!(waited >= 2, "{waited}");
    assert!(answer.starts_with("200 vm.cpu.seconds="), "{answer}");
}

#[test]
fn a_preview_of_a_guest_with_hundreds_of_threads_takes_as_many_turns_as_its_own_query() {
    let now = Instant::now();
    let mut world = World::new(0, now);
    let host = many_threads();
    let rules = hostinfo_rules::parse(world::RULES[0].as_bytes()).unwrap().rules;
    let guest = world.add("qemu-many", &rules, Some((host.path(), PID)));
    let (mut turns, mut most) = (0, 0);
    let answer = loop {
        turns += 1;
        let answer = world.preview(guest, b"vm.cpu.seconds", now);
        most = most.max(world.take_work());
        if let Some(answer) = answer {
            break answer;
        }
    };
    assert!(answer.starts_with("200 vm.cpu.seconds="), "{answer}");
    assert!(turns >= 3, "{turns}");
    let bound = u32::try_from(TURN_THREADS).unwrap() * THREAD_WORK + TURN_WORK;
    assert!(most <= bound, "{most} units of work in a turn");
}
