//! What a command cannot reach.

use std::fs;

use super::super::*;
use super::scene::{Scene, hear, wait_for_text};

#[test]
fn a_command_reaches_neither_another_run_nor_hostinfo_run_but_what_it_has_started_itself() {
    assert!(apart::is_offered(), "needs Landlock: Linux 5.19 or later, with landlock in lsm=");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    fs::write(&file, "").unwrap();
    let reach = format!(
        "sleep 70 & for pid in $! $(cat {}) {}; do \
         (: >/proc/$pid/fd/1) 2>/dev/null && echo output; \
         (: </proc/$pid/mem) 2>/dev/null && echo memory; \
         kill -0 $pid 2>/dev/null && echo signal; \
         for change in 'prlimit --nofile=99:99 --pid' 'renice -n 7 -p' 'renice -n 7 -g' 'ionice -c 3 -p' \
         'chrt --batch -p 0' 'taskset -p 1'; do $change $pid >/dev/null 2>&1 && echo $change; done; \
         (echo 7 >/proc/$pid/oom_score_adj) 2>/dev/null && echo oom; echo .; done; \
         for own in 'prlimit --nofile=99:99' 'nice -n 7' 'ionice -c 3' 'chrt --batch 0' 'taskset 1'; do \
         $own true || echo $own; done; prlimit --pid $$ --nofile >/dev/null || echo tell",
        file.display(),
        std::process::id()
    );
    let scene = Scene::new([format!("echo $$ >{}; exec sleep 70", file.display()), reach]);
    scene.serve(true);
    let _other = scene.ask(&scene.request("s0", "a").to_packet());
    wait_for_text(&file, |text| text.ends_with('\n'));
    let told = hear(&scene.ask(&scene.request("s1", "a").to_packet()));
    let Some(Answer::Printed(told)) = told else { panic!("{told:?}") };
    let others = if keeps_signals() { ".\n.\n" } else { "signal\n.\nsignal\n.\n" };
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told, format!("output\nmemory\nsignal\n.\n{others}"));
}

/// The kernel itself would send SIGHUP to the group when it is left without a parent, while one of its processes is stopped.
#[test]
fn a_command_joins_no_process_group_of_who_started_it() {
    let group = rustix::process::getpgrp().as_raw_pid();
    let join = format!("perl -e 'print setpgrp(0, {group}) ? 1 : 0, setpgrp(0, 0) ? 1 : 0'");
    let scene = Scene::new([join]);
    scene.serve(true);
    let told = hear(&scene.ask(&scene.request("s0", "a").to_packet()));
    assert_eq!(told, Some(Answer::Printed(b"01".to_vec())));
}

/// That thread is there for another moment, and its number is some before the command's.
#[test]
fn a_command_sends_no_signal_to_the_thread_that_has_started_it() {
    if !keeps_signals() {
        return;
    }
    let reach =
        "for back in 1 2 3 4; do kill -0 $(($$ - back)) 2>/dev/null && echo $back; done; true";
    let scene = Scene::new([reach]);
    scene.serve(true);
    for _ in 0..50 {
        let told = hear(&scene.ask(&scene.request("s0", "a").to_packet()));
        assert_eq!(told, Some(Answer::Printed(Vec::new())));
    }
}

/// Whether no signal leaves a layer of Landlock: since Linux 6.12.
fn keeps_signals() -> bool {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str().unwrap().split(['.', '-']);
    let mut number = || numbers.next().unwrap().parse::<u32>().unwrap();
    (number(), number()) >= (6, 12)
}
