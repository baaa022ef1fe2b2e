//! The classic format of Prometheus, as Prometheus' own tool sees it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use hostinfo_catalog::{Kind, StatId, stat::is_placeholder};
use hostinfo_render::{Answer, openmetrics};
use hostinfo_wire::{Reply, Value};

use crate::host::FakeHost;
use crate::run;

/// The reply of a host that has a value for everything that there is.
fn all() -> String {
    let answers: Vec<Answer<'_>> = StatId::all()
        .flat_map(|stat| {
            let placeholder = stat.stat().name.split('.').find(|word| is_placeholder(word));
            let instances = match placeholder {
                None => vec![None],
                Some("N") => vec![Some("0".into()), Some("1".into())],
                Some(_) => vec![Some("vda".into()), Some("vdb".into())],
            };
            let value = match stat.stat().kind {
                Kind::Info => Value::text("a \"quoted\" \\ text # EOF"),
                Kind::Gauge | Kind::Counter => Value::Micro(1_500_000),
            };
            instances.into_iter().map(move |instance| Answer::Value {
                stat,
                instance,
                value: value.clone(),
            })
        })
        .collect();
    let mut reply = Reply::new();
    openmetrics(&answers, &mut reply);
    String::from_utf8(reply.end().to_vec()).unwrap()
}

#[test]
fn promtool_finds_nothing_to_say_about_all_statistics() {
    let host = FakeHost::new(|line| {
        assert_eq!(line, "metrics *");
        all()
    });
    let (status, text, errors) = run(&host, "--format prometheus");
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(text.lines().filter(|line| !line.starts_with('#')).count() > StatId::COUNT);

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus, has to be there");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}
