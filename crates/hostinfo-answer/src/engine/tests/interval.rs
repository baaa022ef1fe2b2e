//! When a guest may ask, and which time its answer covers.

use super::*;

#[test]
fn one_query_an_interval_is_answered_and_an_early_one_is_told_when_to_retry() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    assert!(scene.ask("loadavg.1").starts_with("200"));
    scene.wait(1);
    assert_eq!(scene.ask("loadavg.1 host.name nosuch"), "429 retry after 59.999 s\n");
    scene.wait(59_999);
    assert!(scene.ask("json loadavg.1").starts_with("200"));
}

#[test]
fn a_query_that_tables_alone_refuse_is_refused_even_when_it_comes_too_soon() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    scene.ask("loadavg.1");
    assert_eq!(
        scene.ask("host.name nosuch"),
        "403-host.name: not permitted\n404 nosuch: no such statistic\n"
    );
    assert!(scene.ask("get").starts_with("400 "));
    assert_eq!(scene.ask("ping x"), "200 pong x\n");
    assert_eq!(scene.ask("version"), "200 hostinfo/1\n");
    assert!(scene.ask("list loadavg.1").starts_with("200 loadavg.1 gauge - "));
}

#[test]
fn a_query_for_which_something_was_read_counts_even_when_all_of_it_is_503() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    scene.ask("help");
    scene.ask("list");
    scene.ask("host.name nosuch");
    assert!(scene.ask("physcpus host.name").starts_with("503-"));
    assert_eq!(scene.ask("physcpus"), "429 retry after 60.000 s\n");
    scene.wait(59_999);
    assert!(scene.ask("loadavg.1").starts_with("429 "));
    scene.wait(1);
    assert!(scene.ask("loadavg.1").starts_with("200"));
}

#[test]
fn a_value_that_is_on_its_way_may_be_asked_for_once_more_when_it_is_there() {
    let mut scene = Scene::new("*:\n interval = 60\n cpu = 1\n");
    let file = scene.host.path().join("stat");
    let stat = |busy: u32, idle: u32| {
        let text = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\nbtime 1\nprocs_running 1\n");
        fs::write(&file, text).unwrap();
    };
    stat(100, 100);
    assert_eq!(scene.ask("cpu.busy"), "503 cpu.busy: ask again in 1 s\n");
    stat(130, 170);
    scene.wait(999);
    assert!(scene.ask("cpu.busy").starts_with("429 "));
    scene.wait(1);
    assert_eq!(scene.ask("cpu.busy"), "200 cpu.busy=0.3\n");
    scene.wait(1000);
    assert_eq!(scene.ask("cpu.busy"), "429 retry after 59.000 s\n");
}

#[test]
fn an_empty_document_of_vhostmds_counts_only_if_something_was_read_for_it() {
    let mut scene = Scene::new("*:\n interval = 60\n all = 0\n physcpus = 1\n");
    assert_eq!(scene.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
    assert_eq!(scene.ask("physcpus"), "429 retry after 60.000 s\n");
    let mut scene = Scene::new("*:\n interval = 60\n all = 0\n loadavg = 1\n");
    assert_eq!(scene.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
    assert!(scene.ask("loadavg.1").starts_with("200 "), "nothing was read for the document");
}

#[test]
fn a_query_that_comes_too_soon_costs_no_sampling() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    scene.ask("loadavg.1");
    fs::remove_file(scene.host.path().join("loadavg")).unwrap();
    scene.wait(1000);
    // Looking for meminfo, which this host lacks, would be counted as a failure.
    let failures = scene.engine.backend.host.failures();
    assert!(scene.ask("loadavg.1 memory.total").starts_with("429 "));
    assert_eq!(scene.engine.backend.host.failures(), failures);
    scene.wait(59_000);
    assert!(scene.ask("loadavg.1").starts_with("503 "));
}

#[test]
fn queries_within_one_step_of_the_grid_get_the_same_sample() {
    let mut scene = Scene::new(FREE);
    assert_eq!(scene.ask("loadavg.1 sample.age"), "200-loadavg.1=0.42\n200 sample.age=0.1\n");
    fs::write(scene.host.path().join("loadavg"), "9.00 1.00 2.50 1/100 4242\n").unwrap();
    assert_eq!(scene.ask("loadavg.1"), "200 loadavg.1=0.42\n");
    scene.wait(100);
    assert_eq!(scene.ask("loadavg.1 sample.age"), "200-loadavg.1=9\n200 sample.age=0.1\n");
    assert_eq!(scene.ask("sample.age"), "200 sample.age=0\n");
}

#[test]
fn for_a_hundred_guests_that_ask_at_once_the_hosts_files_are_read_once() {
    let mut scene = Scene::new(FREE);
    fs::write(scene.host.path().join("meminfo"), "MemTotal: 4 kB\n").unwrap();
    let reply = "200-loadavg.1=0.42\n200 memory.total=4096\n";
    assert_eq!(scene.ask("loadavg.1 memory.total"), reply);
    for file in ["loadavg", "meminfo"] {
        fs::remove_file(scene.host.path().join(file)).unwrap();
    }
    for number in 1..100 {
        scene.who = guest(&format!("qemu-{number}"), FREE);
        scene.now += Duration::from_micros(999);
        assert_eq!(scene.ask("loadavg.1 memory.total"), reply);
    }
}

#[test]
fn a_ratio_speaks_of_the_time_since_a_sample_that_is_at_least_a_second_old() {
    let mut scene = Scene::new("*:\n interval = 0\n cpu = 1\n");
    let stat = |busy: u32, idle: u32| {
        format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\nbtime 1\nprocs_running 1\n")
    };
    fs::write(scene.host.path().join("stat"), stat(100, 100)).unwrap();
    assert_eq!(
        scene.ask("cpu.busy window"),
        "503-cpu.busy: ask again in 1 s\n503 window: no value in this reply covers a time\n"
    );
    fs::write(scene.host.path().join("stat"), stat(130, 170)).unwrap();
    scene.wait(2000);
    assert_eq!(scene.ask("cpu.busy window"), "200-cpu.busy=0.3\n200 window=2\n");
}
