//! Checks metrics with Prometheus' own tool.

use std::io::Write as _;
use std::process::{Command, Stdio};

use std::sync::Arc;

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::{About, Kind, StatId, Unit};
use hostinfo_render::{Answer, Row, list, text};
use hostinfo_wire::{Reply, Value};

use crate::host::FakeHost;
use crate::run;

/// A value for every statistic.
fn all() -> Vec<Answer<'static>> {
    StatId::all()
        .flat_map(|stat| {
            let instances = match stat.stat().instances.placeholder() {
                None => vec![None],
                Some("N") => vec![Some("0".into()), Some("1".into())],
                Some(_) => vec![Some("vda".into()), Some("vdb".into())],
            };
            let value = match stat.stat().kind {
                Kind::Info => Value::text("a \"quoted\" \\ text # EOF"),
                Kind::Gauge | Kind::Counter => Value::Micro(1_500_000),
            };
            instances.into_iter().map(move |instance| Answer::Value {
                row: Row { stat, instance, about: None },
                value: value.clone(),
            })
        })
        .chain(customs())
        .collect()
}

/// Statistics such as an administrator may define.
fn customs() -> impl Iterator<Item = Answer<'static>> {
    let units = Unit::ALL.iter().map(|unit| ("spent", Kind::Counter, *unit));
    let others = [("site", Kind::Info, Unit::None), ("level", Kind::Gauge, Unit::Ratio)];
    units.chain(others).map(|(name, kind, unit)| {
        let name = format!("my-own.{name}{}", unit.word());
        let metric = Some(Metric::of_custom(&name, kind, unit));
        let about = About { kind, unit, help: "what \\n \"it\" is".to_owned(), metric };
        let stat = StatId::named("custom.NAME");
        Answer::Value {
            row: Row { stat, instance: Some(name), about: Some(Arc::new(about)) },
            value: if kind == Kind::Info { Value::text("x") } else { Value::Micro(2_500_000) },
        }
    })
}

#[test]
fn promtool_finds_nothing_to_say_about_all_statistics() {
    let text = shown("prometheus");
    assert!(text.lines().filter(|line| !line.starts_with('#')).count() > StatId::COUNT);
    let (success, said) = promtool(&["check", "metrics"], &text);
    assert!(success && said.is_empty(), "{said}");
}

#[test]
fn prometheus_reads_all_statistics_as_openmetrics() {
    // promtool only parses OpenMetrics when loading it into a database, and that requires times.
    let timed = |line: &str| match line.starts_with('#') {
        true => format!("{line}\n"),
        false => format!("{line} 1700000000\n"),
    };
    let text: String = shown("openmetrics").lines().map(timed).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics");
    std::fs::write(&file, text).unwrap();
    let blocks = folder.path().join("blocks");
    let paths = [file.to_str().unwrap(), blocks.to_str().unwrap()];
    let (success, said) =
        promtool(&["tsdb", "create-blocks-from", "openmetrics", paths[0], paths[1]], "");
    assert!(success, "{said}");
}

#[test]
fn whoever_answers_cannot_make_prometheus_refuse_the_file() {
    let host = FakeHost::new(|line| match line {
        "get *" => "200-loadavg.1=0.42\n200-loadavg.1=7\n200-physcpus=1e999\n200 loadavg.5=1} 2\n",
        _ => {
            "200-hostinfo_loadavg_1{job=\"node\",x=\"} 1e999\n200-hostinfo_loadavg_1 x\n200 # EOF\n"
        }
    });
    let (status, text, _) = run(&host, "--format prometheus");
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!((status, samples), (0, vec!["hostinfo_loadavg_1 0.42"]));
    let (success, said) = promtool(&["check", "metrics"], &text);
    assert!(success && said.is_empty(), "{said}");
}

/// The tool's output of everything in that format.
fn shown(format: &str) -> String {
    let host = FakeHost::new(|line| {
        let mut reply = Reply::new();
        match line {
            "get *" => text(&all(), &mut reply),
            "list custom" => customs().for_each(|answer| match answer {
                Answer::Value { row, .. } => list(&row, &mut reply),
                Answer::Refused { .. } => {}
            }),
            other => panic!("it sent {other}"),
        }
        reply.end().to_vec()
    });
    let (status, text, errors) = run(&host, &format!("--format {format}"));
    assert_eq!((status, errors.as_str()), (0, ""));
    text
}

/// Whether it succeeds, and all its output.
fn promtool(args: &[&str], input: &str) -> (bool, String) {
    let mut promtool = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus, has to be there: scripts/setup test");
    promtool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
