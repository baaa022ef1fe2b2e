//! hostinfo's units, as systemd sees them.

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::{Finding, Subject};
use super::install;
use crate::subprocess::{NotRun, run};

/// A unit, and when it has to run.
struct Unit {
    name: &'static str,
    wanted: Wanted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// On every host.
    Always,
    /// Where `[vsock] enabled = true`.
    ForVsock,
    /// Where it is enabled.
    IfEnabled,
    /// Another unit starts it.
    ByAnother,
}

const DAEMON: &str = "hostinfo.service";

const UNITS: [Unit; 7] = [
    Unit { name: DAEMON, wanted: Wanted::Always },
    Unit { name: "hostinfo-run.socket", wanted: Wanted::ByAnother },
    Unit { name: "hostinfo-open.socket", wanted: Wanted::IfEnabled },
    Unit { name: "hostinfo-vsock.socket", wanted: Wanted::ForVsock },
    Unit { name: "hostinfo-follow.service", wanted: Wanted::IfEnabled },
    Unit { name: "hostinfo-textfile.timer", wanted: Wanted::IfEnabled },
    Unit { name: "hostinfo-textfile.service", wanted: Wanted::ByAnother },
];

/// What systemctl(1) shows of a unit, by property.
type Shown = BTreeMap<String, String>;

/// What is found about all units.
pub(crate) struct Units {
    /// Whether the host has systemd.
    pub(crate) has_systemd: bool,
    /// The user as which the daemon's unit runs.
    pub(crate) user: Option<String>,
    /// The process of the daemon's unit, if that runs.
    pub(crate) main_process: Option<u32>,
    pub(crate) findings: Vec<Finding>,
}

/// Looks at all units. `vsock`: the settings enable it. `daemon_runs`: it answers, whoever started it.
pub(crate) fn look(vsock: bool, daemon_runs: bool) -> Units {
    let alone = |has_systemd, finding| Units {
        has_systemd,
        user: None,
        main_process: None,
        findings: vec![finding],
    };
    let unseen = |why: &str| alone(true, Subject::Units.unseen(format!("systemctl: {why}")));
    let without_systemd = || {
        let words = match daemon_runs {
            true => "this host has no systemd; hostinfod runs without it",
            false => "this host has no systemd: have its init start hostinfod",
        };
        alone(false, Subject::Units.note(words))
    };
    let properties = "--property=Id,LoadState,ActiveState,UnitFileState,User,MainPID";
    let mut arguments = vec!["show", "--no-pager", properties, "--"];
    arguments.extend(UNITS.map(|unit| unit.name));
    let ran = match run("systemctl", &arguments) {
        Ok(ran) => ran,
        Err(NotRun::Missing) => return without_systemd(),
        Err(error) => return unseen(&error.to_string()),
    };
    // "System has not been booted with systemd as init system (PID 1). Can't operate."
    if ran.status != Some(0) && ran.stderr.contains("not been booted with systemd") {
        return without_systemd();
    }
    if ran.status != Some(0) {
        return unseen(ran.stderr.lines().next().unwrap_or("it fails"));
    }
    all(&parse(&ran.stdout), vsock, daemon_runs)
}

/// The process of the daemon's unit, if that runs.
pub(crate) fn main_process() -> Option<u32> {
    let arguments = ["show", "--no-pager", "--property=Id,MainPID", "--", DAEMON];
    main_process_in(&parse(&run("systemctl", &arguments).ok()?.stdout))
}

fn main_process_in(shown: &BTreeMap<String, Shown>) -> Option<u32> {
    let number = shown.get(DAEMON)?.get("MainPID")?.parse().ok();
    // 0: it does not run.
    number.filter(|number| *number != 0)
}

/// What is found about all units, by what systemctl(1) shows of them.
fn all(shown: &BTreeMap<String, Shown>, vsock: bool, daemon_runs: bool) -> Units {
    let of_daemon = |property| shown.get(DAEMON)?.get(property);
    let user = of_daemon("User").filter(|user| !user.is_empty()).cloned();
    let main_process = main_process_in(shown);
    let findings = UNITS.iter().filter_map(|unit| {
        let shown = shown.get(unit.name)?;
        found(unit, shown, vsock, daemon_runs)
    });
    let findings = findings.collect();
    Units { has_systemd: true, user, main_process, findings }
}

/// Blocks of `NAME=VALUE`, by the unit's `Id`.
fn parse(text: &str) -> BTreeMap<String, Shown> {
    let block = |block: &str| {
        let lines = block.lines().filter_map(|line| line.split_once('='));
        let shown: Shown = lines.map(|(name, value)| (name.into(), value.into())).collect();
        Some((shown.get("Id")?.clone(), shown))
    };
    text.split("\n\n").filter_map(block).collect()
}

fn found(unit: &Unit, shown: &Shown, vsock: bool, daemon_runs: bool) -> Option<Finding> {
    let of = |name: &str| shown.get(name).map_or("", String::as_str);
    let (name, file, active) = (unit.name, of("UnitFileState"), of("ActiveState"));
    let is_enabled = file.starts_with("enabled");
    let is_wanted = match unit.wanted {
        Wanted::Always => true,
        Wanted::ForVsock => vsock,
        Wanted::IfEnabled => is_enabled,
        Wanted::ByAnother => false,
    };
    let runs = matches!(active, "active" | "activating" | "reloading");
    match of("LoadState") {
        "not-found" if unit.wanted == Wanted::Always => {
            return Some(match daemon_runs {
                true => {
                    let words = format!("{name} is not installed; hostinfod runs without it");
                    Subject::Units.note(words)
                }
                false => {
                    let words = format!("{name} is not installed: install hostinfo");
                    Subject::Units.problem(words, &[install::again(Path::new("/"))])
                }
            });
        }
        "not-found" => return None,
        "masked" if is_wanted => {
            let (when, option) = match file {
                "masked-runtime" => (" until the host's next start", " --runtime"),
                _ => ("", ""),
            };
            let words = format!("{name} is masked{when}, so nothing can start it");
            let commands = [
                format!("systemctl unmask{option} {name}"),
                format!("systemctl enable --now {name}"),
            ];
            return Some(Subject::Units.problem(words, &commands));
        }
        _ => {}
    }
    Some(match (active, is_wanted) {
        ("failed", _) => {
            let words = format!("{name} has failed: its log has the reason");
            let log = format!("journalctl -u {name} -b -n 20");
            Subject::Units.problem(words, &[log, format!("systemctl restart {name}")])
        }
        // It runs by hand.
        (_, true) if !runs && unit.wanted == Wanted::Always && daemon_runs => {
            Subject::Units.fine(format!("{name}: {active}; hostinfod runs without it"))
        }
        (_, true) if !runs => {
            let words = format!("{name} does not run");
            Subject::Units.problem(words, &[format!("systemctl start {name}")])
        }
        (_, true) if !is_enabled => {
            let words =
                format!("{name} is not enabled, so the host's next start does not start it");
            Subject::Units.problem(words, &[format!("systemctl enable {name}")])
        }
        _ => Subject::Units.fine(format!("{name}: {active}, {file}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(number: usize, load: &str, active: &str, file: &str) -> Option<String> {
        let id = UNITS[number].name;
        let text =
            format!("Id={id}\nLoadState={load}\nActiveState={active}\nUnitFileState={file}\n");
        let shown = parse(&format!("{text}\nId=b\nUser=x\n"));
        assert_eq!(shown["b"]["User"], "x");
        found(&UNITS[number], &shown[id], false, false).map(|finding| finding.message)
    }

    #[test]
    fn a_unit_that_is_wanted_and_does_not_run_is_a_problem() {
        let daemon = |load, active, file| words(0, load, active, file).unwrap();
        assert_eq!(daemon("loaded", "active", "enabled"), "hostinfo.service: active, enabled");
        assert!(daemon("loaded", "inactive", "enabled").ends_with("does not run"));
        assert!(daemon("loaded", "active", "disabled").contains("is not enabled"));
        assert!(daemon("loaded", "failed", "enabled").contains("has failed"));
        assert!(daemon("masked", "inactive", "masked").contains("is masked"));
        assert!(
            daemon("masked", "inactive", "masked-runtime").contains("until the host's next start")
        );
        assert!(daemon("not-found", "inactive", "").contains("is not installed"));
    }

    #[test]
    fn a_unit_that_is_off_by_default_may_be_off() {
        let follow = |active, file| words(4, "loaded", active, file).unwrap();
        assert!(follow("inactive", "disabled").ends_with("inactive, disabled"));
        assert!(follow("inactive", "enabled").ends_with("does not run"));
        assert_eq!(words(3, "not-found", "inactive", ""), None);
        assert!(words(1, "loaded", "inactive", "static").unwrap().ends_with("inactive, static"));
    }

    #[test]
    fn the_process_of_the_daemons_unit_is_known_while_that_runs() {
        let main_process = |lines: &str| {
            let text = format!("Id={DAEMON}\n{lines}\n\nId=hostinfo-follow.service\nMainPID=8\n");
            all(&parse(&text), false, false).main_process
        };
        assert_eq!(main_process("MainPID=7"), Some(7));
        for none in ["MainPID=0", "MainPID=", "MainPID=-7", "User=x"] {
            assert_eq!(main_process(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_of_systemctl_is_read(text in "([A-Za-z=\n]|Id=a\n){0,40}") {
            let _ = parse(&text);
        }
    }
}
