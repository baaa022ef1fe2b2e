//! `status`: what the daemon does, and what is wrong with the things it needs.

use hostinfo_control::{
    Error, Guest, GuestState, Libvirt, LibvirtState, Place, RulesState, Status as DaemonStatus,
    Watched,
};
use hostinfo_wire::text::escaped;
use serde::Serialize;

use crate::args::Options;
use crate::daemon::connect;
use crate::doctor;
use crate::exit::{DONE, Failure, REFUSED, Status, complain};
use crate::held::{self, HeldPort};
use crate::output::{write_coloured, write_result};
use crate::rules::rule_count;
use crate::time::local;
use crate::uri::is_remote;

/// Shows it. Fails if something is wrong. Without a daemon, the problems that the doctor finds are
/// shown.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn run(options: &Options) -> Result<Status, Failure> {
    let mut daemon = match connect(options) {
        Err(failure @ Failure::Daemon(Error::NoDaemon { .. })) if !is_remote(&options.connect) => {
            if !options.json {
                write_coloured(&doctor::problems(options))?;
            }
            return Err(failure);
        }
        other => other?,
    };
    let status = daemon.status()?;
    let is_wrong = |guest: &Guest| matches!(guest.state, GuestState::Failed | GuestState::Refused);
    let guests = daemon.list()?;
    let held = held::find(status.socket_dir.path.as_ref(), &guests, status.pid);
    let held = held.unwrap_or_else(|error| {
        complain(format!("note: whether other programs hold guests' ports is not known: {error}"));
        Vec::new()
    });
    let errors: Vec<Guest> = guests.into_iter().filter(is_wrong).collect();
    let overview = Overview { status, errors, held };
    write_result(options, &overview, || overview.shown())?;
    Ok(if overview.is_wrong() { REFUSED } else { DONE })
}

/// Most guests in error that are named, so that the rest of the output remains visible.
const NAMED_MAX: usize = 20;

/// What the daemon does, and what is wrong.
#[derive(Serialize)]
struct Overview {
    #[serde(flatten)]
    status: DaemonStatus,
    /// Guests that cannot ask because something is wrong with them.
    errors: Vec<Guest>,
    /// Guests that cannot ask since another program holds their port.
    held: Vec<HeldPort>,
}

impl Overview {
    /// Whether something is wrong. A host without libvirt is not.
    fn is_wrong(&self) -> bool {
        let DaemonStatus { settings, socket_dir, custom_dir, sockets, metrics, .. } = &self.status;
        let places = [settings, socket_dir, custom_dir].into_iter().chain(sockets).chain(metrics);
        let libvirt = &self.status.libvirt;
        places.into_iter().any(|place| place.problem.is_some())
            || self.status.rules.problem.is_some()
            || libvirt.state != LibvirtState::Missing && libvirt.problem.is_some()
            || !self.errors.is_empty()
            || !self.held.is_empty()
    }

    fn shown(&self) -> String {
        let status = &self.status;
        let mut text = String::new();
        let mut add = |heading: &str, words: &str| {
            for (number, line) in words.lines().enumerate() {
                let heading = if number == 0 { heading } else { "" };
                text.push_str(&format!("{heading:8}  {line}\n"));
            }
        };
        let (version, pid) = (&status.version, status.pid);
        add(
            "daemon",
            &format!("hostinfod {version}, process {pid}, since {}", local(status.since)),
        );
        add(
            "guests",
            &format!(
                "{} with a socket in {}, {} connected",
                status.guests,
                places(&status.socket_dir, &status.sockets),
                status.connected
            ),
        );
        if let Some(problem) = &status.socket_dir.problem {
            add("", problem);
        }
        for Place { path, problem } in &status.sockets {
            if let Some(problem) = problem {
                add("", &format!("{path}: {problem}"));
            }
        }
        if let Some(problem) = &status.settings.problem {
            add("settings", &format!("what the file says now is not in force:\n{problem}"));
        }
        if let Some(problem) = &status.custom_dir.problem {
            add("custom", problem);
        }
        if let Some(problem) = status.metrics.as_ref().and_then(|place| place.problem.as_ref()) {
            add("metrics", problem);
        }
        add("rules", &rules(&status.rules));
        add("watch", &watched(&status.watched));
        add("libvirt", &libvirt(&status.libvirt));
        for guest in self.errors.iter().take(NAMED_MAX) {
            let problem = guest.problem.as_deref().unwrap_or("it cannot ask");
            add("error", &format!("{}: {problem}", escaped(&guest.guest)));
        }
        if let more @ 1.. = self.errors.len().saturating_sub(NAMED_MAX) {
            add("", &format!("and {more} more: see hostinfoctl list"));
        }
        for held in self.held.iter().take(NAMED_MAX) {
            add("held", &held.words());
        }
        if let more @ 1.. = self.held.len().saturating_sub(NAMED_MAX) {
            add("", &format!("and {more} more: see hostinfoctl status --json"));
        }
        for missing in &status.missing {
            add("missing", &format!("{}: {}", missing.source, missing.why));
        }
        for without in &status.without {
            let times = match without.count {
                0 | 1 => String::new(),
                many => format!(" ({many} times)"),
            };
            add("without", &format!("{}: {}{times}", without.source, without.what));
        }
        text
    }
}

/// Where guests' sockets are.
fn places(directory: &Place, others: &[Place]) -> String {
    let others = others.iter().map(|place| format!(" or {}", place.path));
    std::iter::once(directory.path.clone()).chain(others).collect()
}

fn rules(state: &RulesState) -> String {
    let RulesState { path, since, .. } = state;
    let count = rule_count(usize::try_from(state.rules).unwrap_or(usize::MAX));
    let mut words = format!("{path}: {count}, in force since {}", local(*since));
    if let Some(problem) = &state.problem {
        words.push_str(&format!("\nwhat the file says now is not in force:\n{problem}"));
    }
    words
}

/// Empty if no rule says `watch = 1`.
fn watched(watched: &Watched) -> String {
    let Watched { guests, left_out, limit } = watched;
    let mut words = match guests {
        0 if *left_out == 0 => String::new(),
        0 => "no guest is watched while it does not ask".to_owned(),
        1 => "1 guest is watched while it does not ask".to_owned(),
        many => format!("{many} guests are watched while they do not ask"),
    };
    if let more @ 1.. = left_out {
        words.push_str(&format!(
            "\n{more} left out, although the rule says watch = 1: [watch] guests = {limit} in \
             hostinfod.toml"
        ));
    }
    words
}

fn libvirt(libvirt: &Libvirt) -> String {
    let Libvirt { uri, .. } = libvirt;
    let mut words = match libvirt.state {
        LibvirtState::Off => "not used: hostinfod.toml says so".to_owned(),
        LibvirtState::Missing => format!("{uri}: there is none"),
        LibvirtState::Down if libvirt.problem.is_none() => {
            format!("{uri}: not asked yet, and guests are connected after that: look again in 5 s")
        }
        LibvirtState::Down => format!("{uri}: does not answer"),
        LibvirtState::Up => {
            let hypervisor = libvirt.hypervisor.as_deref().unwrap_or("answers");
            let domains = libvirt.domains.unwrap_or_default();
            format!("{uri}: {hypervisor}, running domains: {domains}")
        }
    };
    if let Some(problem) = &libvirt.problem {
        words.push_str(&format!("\n{problem}"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::Holder;
    use hostinfo_control::{Missing, Place, WhyWithout, Without};

    #[test]
    fn a_libvirt_that_was_not_asked_yet_is_no_outage() {
        let just_started = Libvirt {
            state: LibvirtState::Down,
            uri: "qemu:///system".to_owned(),
            hypervisor: None,
            domains: None,
            problem: None,
        };
        let words = libvirt(&just_started);
        assert!(words.contains("not asked yet") && words.contains("look again"), "{words}");
    }

    #[test]
    fn a_problem_stands_below_the_line_that_it_concerns() {
        let since = "2026-11-22T21:30:00Z".parse().unwrap();
        let status = DaemonStatus {
            version: "0.1.0".to_owned(),
            pid: 7,
            since,
            settings: Place { path: "/h".to_owned(), problem: Some("/h: line 1".to_owned()) },
            socket_dir: Place { path: "/s".to_owned(), problem: Some("/s: gone".to_owned()) },
            sockets: vec![Place {
                path: "/r/{name}.s".to_owned(),
                problem: Some("/r: denied".to_owned()),
            }],
            custom_dir: Place { path: "/c".to_owned(), problem: Some("/c: broken".to_owned()) },
            metrics: Some(Place { path: "/m".to_owned(), problem: Some("/m: taken".to_owned()) }),
            guests: 3,
            connected: 2,
            rules: RulesState {
                path: "/etc/h.conf".to_owned(),
                rules: 1,
                since,
                problem: Some("/etc/h.conf:1:1: error: x\n  x".to_owned()),
            },
            watched: Watched { guests: 2, left_out: 1, limit: 2 },
            libvirt: Libvirt {
                state: LibvirtState::Down,
                uri: "qemu:///system".to_owned(),
                hypervisor: None,
                domains: None,
                problem: Some("no such file".to_owned()),
            },
            missing: vec![Missing {
                source: "PSI".to_owned(),
                why: "boot with psi=1".to_owned(),
                count: 1,
            }],
            without: vec![Without {
                source: "cpufreq".to_owned(),
                what: "this host has none".to_owned(),
                why: WhyWithout::Unsupported,
                count: 64,
            }],
        };
        let holder = Some(Holder { pid: 9, program: "socat".to_owned() });
        let held = vec![HeldPort { guest: "qemu-a".to_owned(), path: "/s/qemu-a".into(), holder }];
        let overview = Overview { status, errors: Vec::new(), held };
        assert!(overview.is_wrong());
        let text = overview.shown();
        let after = |words: &str| text.split_once(words).unwrap().1;
        assert!(text.starts_with("daemon    hostinfod 0.1.0, process 7, since 2026-11-22"));
        assert!(
            after("in /s or /r/{name}.s, 2 connected")
                .starts_with("\n          /s: gone\n          /r/{name}.s: /r: denied\n")
        );
        assert!(after("settings  ").contains("\n          /h: line 1\n"));
        assert!(after("custom    ").starts_with("/c: broken\n"), "{text}");
        assert!(after("metrics   ").starts_with("/m: taken\n"), "{text}");
        assert!(after("1 rule, in force").contains("\n          /etc/h.conf:1:1: error: x\n"));
        assert!(after("\nwatch     2 guests are").contains("\n          1 left out, although"));
        assert!(after("does not answer").starts_with("\n          no such file\n"));
        assert!(
            after("\nheld      qemu-a: ")
                .starts_with("socat, process 9, is connected to its port /s/qemu-a, ")
        );
        assert!(after("missing   ").starts_with("PSI: boot with psi=1\n"), "{text}");
        assert!(text.ends_with("without   cpufreq: this host has none (64 times)\n"), "{text}");
    }
}
