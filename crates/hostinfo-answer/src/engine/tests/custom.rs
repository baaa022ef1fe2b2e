//! The administrator's custom statistics.

use super::*;
use hostinfo_custom::limits::RUNS_MAX;

/// A gauge that has its value at once, an info for each guest that takes time, and one that hangs.
const CUSTOMS: &str = "
[custom.rack.inlet]
kind = 'gauge'
help = 'millidegrees Celsius'
file = '/proc/sys/kernel/ngroups_max'
every = '30s'
[custom.who]
kind = 'info'
help = 'whose this is'
scope = 'guest'
command = ['/bin/echo', '{guest}']
[custom.hangs]
kind = 'counter'
unit = 'bytes'
help = 'nothing'
command = ['/bin/sleep', '60']
timeout = '500ms'
";

#[test]
fn a_guest_that_may_not_see_the_administrators_names_cannot_tell_which_there_are() {
    let mut scene = Scene::new("*:\n interval = 0\n custom.who = 1\n");
    scene.engine.backend.admin_values = admin_values(CUSTOMS);
    assert_eq!(
        scene.ask("custom.hangs custom.none label.rack label.none label"),
        "403-custom.hangs: not permitted\n403-custom.none: not permitted\n\
         403-label.rack: not permitted\n403-label.none: not permitted\n403 label: not permitted\n"
    );
    let mut scene = Scene::new("*:\n interval = 0\n custom = 1\n label = 1\n");
    assert_eq!(
        scene.ask("custom.none label.none LABEL.rack custom"),
        "404-custom.none: no such statistic\n404-label.none: no such statistic\n\
         200-label.rack=b 7\n503 custom: this host has none\n"
    );
}

#[test]
fn a_name_of_the_administrators_that_others_continue_is_their_group() {
    let mut scene = Scene::new("*:\n interval = 0\n custom.rack = 1\n");
    scene.engine.backend.admin_values = admin_values(CUSTOMS);
    for group in ["custom.rack", "Custom.Rack.*"] {
        assert_eq!(scene.ask(group), "200 custom.rack.inlet=65536\n");
        assert!(scene.ask(&format!("list {group}")).starts_with("200 custom.rack.inlet gauge"));
    }
    assert_eq!(
        scene.ask("custom.rack.inlet.* custom.rack.fan label.rack.*"),
        "404-custom.rack.inlet.*: no such statistic\n404-custom.rack.fan: no such statistic\n\
         403 label.rack.*: not permitted\n"
    );
}

#[test]
fn names_below_a_custom_name_show_only_to_guests_that_may_see_them() {
    for (rules, answer) in [
        ("custom.rack.inlet = 1", "200 custom.rack.inlet=65536\n"),
        ("custom.rack.fan = 1", "403 custom.rack: not permitted\n"),
        ("custom = 1\n custom.rack.inlet = 0", "404 custom.rack: no such statistic\n"),
        ("custom = 1\n custom.rack = 0", "403 custom.rack: not permitted\n"),
    ] {
        let mut scene = Scene::new(&format!("*:\n interval = 0\n {rules}\n"));
        scene.engine.backend.admin_values = admin_values(CUSTOMS);
        assert_eq!(scene.ask("custom.rack"), answer, "{rules}");
    }
}

#[test]
fn a_name_that_the_administrator_did_not_give_is_404_even_when_it_comes_too_soon() {
    let mut scene = Scene::new("*:\n interval = 60\n custom = 1\n");
    scene.ask("loadavg.1");
    assert_eq!(scene.ask("custom.none"), "404 custom.none: no such statistic\n");
}

#[test]
fn a_reply_waits_for_its_slowest_value_and_counts_when_it_is_given() {
    let mut scene = Scene::new("*:\n interval = 60\n custom = 1\n");
    scene.engine.backend.admin_values = admin_values(CUSTOMS);
    let all = "get custom.hangs custom.who sample.age";
    assert_eq!(scene.ask(all), "who until 4000");
    scene.wait_for_news();
    assert_eq!(scene.ask(all), "hangs until 2500", "one is there");
    scene.wait(2500);
    scene.engine.backend.admin_values.customs.turn(scene.now);
    assert_eq!(
        scene.ask(all),
        "503-custom.hangs: took too long on this host\n200-custom.who=qemu-a-b\n\
         200 sample.age=10\n"
    );
    assert!(scene.ask(all).starts_with("429 "));
}

#[test]
fn while_a_query_waits_others_of_the_guest_are_too_soon_and_one_that_is_given_up_counts() {
    let mut scene = Scene::new("*:\n interval = 60\n custom = 1\n loadavg = 1\n");
    scene.engine.backend.admin_values = admin_values(CUSTOMS);
    assert_eq!(scene.ask("get custom.hangs"), "hangs until 2500");
    let waits = scene.asked.take();
    // Over other connections.
    for line in ["get custom.hangs", "get custom.who", "loadavg"] {
        assert_eq!(scene.ask(line), "429 retry after 60.000 s\n");
    }
    assert!(!scene.ask("vhostmd").contains("custom"));
    scene.wait(2500);
    scene.engine.backend.admin_values.customs.turn(scene.now);
    scene.asked = waits;
    assert_eq!(scene.ask("get custom.hangs"), "503 custom.hangs: took too long on this host\n");
    assert_eq!(scene.ask("loadavg"), "429 retry after 60.000 s\n");

    scene.wait(60_000);
    assert_eq!(scene.ask("get custom.who"), "who until 4000");
    scene.asked = None;
    scene.wait(1000);
    scene.who.gave_up(scene.now);
    assert_eq!(scene.ask("loadavg"), "429 retry after 60.000 s\n");
    scene.wait(60_000);
    assert!(scene.ask("loadavg").starts_with("200-loadavg.1="));
}

#[test]
fn a_line_that_waits_for_many_commands_is_asked_again_as_often_as_run_at_once() {
    let definition = |number| {
        let command = "['/bin/sh', '-c', 'sleep 0.01; echo 1']";
        format!("[custom.c{number}]\nkind = 'gauge'\nhelp = 'h'\ncommand = {command}\n")
    };
    let mut scene = Scene::new("*:\n interval = 0\n all = 0\n custom = 1\n");
    scene.engine.backend.admin_values = admin_values(&(0..40).map(definition).collect::<String>());
    let (mut answer, mut asked) = (scene.ask("*"), 1);
    while let Some((on, _)) = answer.split_once(" until ") {
        while !scene.engine.backend.admin_values.customs.turn(scene.now).has(on, "qemu-a-b") {
            std::thread::sleep(Duration::from_millis(1));
        }
        (answer, asked) = (scene.ask("*"), asked + 1);
    }
    assert_eq!(answer.lines().count(), 40);
    assert!(asked <= RUNS_MAX + 1, "{asked}");
}

#[test]
fn list_and_metrics_show_what_the_administrator_defined() {
    let mut scene = Scene::new("*:\n interval = 0\n all = 0\n custom = 1\n label.rack = 1\n");
    scene.engine.backend.admin_values = admin_values(CUSTOMS);
    assert_eq!(
        scene.ask("list *"),
        "200-label.rack info - label that the host's administrator set\n\
         200-custom.hangs counter bytes nothing\n\
         200-custom.rack.inlet gauge - millidegrees Celsius\n200 custom.who info - whose this is\n"
    );
    assert_eq!(scene.ask("list custom.none"), "404 custom.none: no such statistic\n");
    let metrics = scene.ask("metrics custom.rack.inlet label");
    for line in [
        "200-# TYPE hostinfo_custom_rack_inlet gauge\n",
        "200-# HELP hostinfo_custom_rack_inlet millidegrees Celsius\n",
        "200-hostinfo_label_info{name=\"rack\",value=\"b 7\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn vhostmds_document_waits_for_the_administrators_statistics_too() {
    let mut scene = Scene::new("*:\n interval = 60\n custom.who = 1\n custom.rack = 1\n");
    scene.engine.backend.admin_values = admin_values(CUSTOMS);
    assert_eq!(scene.ask("GET /metrics/XML"), "who until 4000");
    scene.wait_for_news();
    let document = scene.ask("GET /metrics/XML");
    for (context, name, value) in
        [("'host'", "custom.rack.inlet", "65536"), ("'vm' id='29'", "custom.who", "qemu-a-b")]
    {
        let metric = format!("context={context}>\n<name>{name}</name>\n<value>{value}</value>");
        assert!(document.contains(&metric), "{document}");
    }
    assert!(!document.contains("custom.hangs"));
}

#[test]
fn nothing_is_kept_for_guests_that_do_not_exist_however_many_of_them_are_previewed() {
    let mut scene = Scene::new(FREE);
    scene.engine.backend.admin_values = admin_values(
        "[custom.limit]\nkind = 'counter'\nhelp = 'h'\nfile = '/proc/sys/kernel/ngroups_max'\n",
    );
    let preview = |scene: &mut Scene, number: usize| {
        let who = guest(&format!("qemu-{number}"), "*:\n custom = 1\n").absent();
        let (frame, observed) = (Frame::Line(b"get custom.limit"), Observed::default());
        let reply = scene.engine.preview(who, observed, &frame, scene.now.into()).ok()?;
        Some(reply.clone().end().to_vec())
    };
    // On a busy machine the file is read later.
    while preview(&mut scene, 0).is_none() {
        scene.wait_for_news();
    }
    let kept = |scene: &Scene| {
        let state = scene.engine.backend.admin_values.customs.hand_over(scene.now);
        serde_json::to_string(&state).unwrap()
    };
    let before = kept(&scene);
    for number in 1..100 {
        assert_eq!(preview(&mut scene, number).unwrap(), b"200 custom.limit=65536\n");
    }
    assert_eq!(kept(&scene), before);
}
