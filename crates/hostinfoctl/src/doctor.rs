//! `doctor`: everything that keeps guests from asking, or lets others ask as them, with or without a daemon, each with its
//! remedy.
//!
//! A file of `doctor/` looks at one subject and returns [`Finding`]s, with the commands that mend them.

mod access;
mod acl;
mod denials;
mod files;
mod finding;
mod guests;
mod install;
mod labels;
mod units;
mod user;
mod vsock;

use std::path::Path;

use hostinfo_control::{Error, Status as DaemonStatus};
use hostinfo_domains::{Access, Unanswered};
use serde_json::json;

use crate::args::{CONFIG, CONTROL, Options};
use crate::daemon;
use crate::exit::{DONE, Failure, REFUSED, Status};
use crate::libvirt::Libvirt;
use crate::output::{write_coloured, write_json};
use crate::settings::{self, Settings};
use crate::uri::is_remote;
use finding::Subject::{self, Daemon};
use finding::{Finding, Level};
use units::Units;
use user::User;

/// This program's version, which is the daemon's if both were installed together.
pub(crate) const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// libvirt's daemons, of which a host with libvirt has one.
const LIBVIRT: [&str; 2] = ["/usr/sbin/libvirtd", "/usr/sbin/virtqemud"];

/// The exit status if nothing wrong was found, but not everything could be looked at.
const UNSEEN: Status = 6;

/// Looks at everything, and shows what was found: of all guests, or of those that the words match.
///
/// # Errors
/// [`Failure::Usage`]: the guests are another host's; [`Failure::Output`].
pub(crate) fn run(options: &Options, words: &[String]) -> Result<Status, Failure> {
    if is_remote(&options.connect) {
        return Err(Failure::Usage(format!(
            "{} is on another host: run hostinfoctl doctor there",
            options.connect
        )));
    }
    let findings = examine(options, words);
    if options.json {
        write_json(&json!({ "findings": findings }))?;
    } else {
        let problems = findings.iter().filter(|finding| finding.level == Level::Problem).count();
        let sum = match problems {
            0 => "Nothing has to be done.".to_owned(),
            1 => "1 problem.".to_owned(),
            many => format!("{many} problems."),
        };
        write_coloured(&format!(
            "{}{sum}\n",
            findings.iter().map(Finding::shown).collect::<String>()
        ))?;
    }
    Ok(status(&findings))
}

/// The problems, for `status` without a daemon: a line for each.
pub(crate) fn problems(options: &Options) -> String {
    let findings = examine(options, &[]);
    let problems = findings.iter().filter(|finding| finding.level == Level::Problem);
    problems.map(Finding::line).collect()
}

fn status(findings: &[Finding]) -> Status {
    let has = |level| findings.iter().any(|finding| finding.level == level);
    match (has(Level::Problem), has(Level::Unseen)) {
        (true, _) => REFUSED,
        (false, true) => UNSEEN,
        (false, false) => DONE,
    }
}

fn examine(options: &Options, words: &[String]) -> Vec<Finding> {
    let daemon = daemon::ask(options);
    let known = daemon.as_ref().ok();
    let settings = settings::read(options);
    let wants_vsock = settings.as_ref().is_ok_and(|settings| settings.vsock.enabled);
    let units = units::look(wants_vsock, known.is_some());
    let Units { has_systemd, user: unit_user, main_process, findings: of_units } = units;
    // Remedies are carried out from the top: what hostinfod needs comes before hostinfod.
    let mut findings = files::look(options, known.map(|known| &known.status));
    // Only a unit runs it as another user than whoever starts it.
    let user = if has_systemd { unit_user.as_deref() } else { Some("root") };
    let is_services = known.is_some() && is_services(options, settings.as_ref().ok());
    let of_service = main_process.filter(|_| is_services);
    let process = of_service.or(known.and_then(|known| known.process));
    let is_running = || of_service.is_none() || of_service == units::main_process();
    let user = User::of(process, is_running, user);
    let uid = user.as_ref().ok().map(|user| user.uid);
    findings.extend(access::look(&options.directory, user));
    findings.extend(known.and_then(|known| elsewhere(options, &known.status)));
    findings.extend(of_units);
    findings.push(match &daemon {
        Ok(known) => answers(&known.status.version, known.status.pid),
        // What this user may not ask is not known to be wrong.
        Err(error @ Error::Denied { .. }) => Daemon.unseen_without_root(error.to_string()),
        Err(error) => {
            let command = match has_systemd {
                true => "systemctl start hostinfo",
                false => "install -d /run/hostinfo && hostinfod &",
            };
            Daemon.problem(error.to_string(), &[command.to_owned()])
        }
    });
    let has_libvirt = match settings {
        Ok(settings) if !settings.libvirt.enabled => {
            findings.push(Subject::Libvirt.note("not used: hostinfod.toml says so"));
            false
        }
        _ => {
            let asked = Libvirt::connect(options, Access::Read).and_then(|mut it| it.list());
            let answers = asked.is_ok();
            findings.push(match asked {
                Ok(domains) => {
                    let (uri, number) = (&options.connect, domains.len());
                    Subject::Libvirt.fine(format!("{uri} answers; domains: {number}"))
                }
                Err(failure) if failure.status() == 4 && !has_any(&LIBVIRT) => {
                    let words = "no libvirt is installed on this host; hostinfod does without it";
                    Subject::Libvirt.note(words)
                }
                Err(failure) => fails(&failure),
            });
            answers
        }
    };
    findings.extend(guests::look(options, words, known, has_libvirt));
    findings.extend(wants_vsock.then(|| vsock::look(Path::new("/"))).flatten());
    findings.extend(labels::look(&options.directory, process));
    findings.extend(denials::look(&options.directory, uid));
    if !has_systemd {
        let works = |command: &String| !command.starts_with("systemctl ");
        findings.iter_mut().for_each(|finding| finding.remedy.retain(works));
    }
    findings
}

/// Whether the control socket is that of the daemon's service. Then its process is known from systemd: the kernel's word is not
/// enough, since it names whoever called listen(2), and whoever has taken over the daemon can have another user's process
/// do that.
fn is_services(options: &Options, settings: Option<&Settings>) -> bool {
    let socket = settings.map_or(Path::new(CONTROL), |settings| &settings.control.socket);
    options.config == Path::new(CONFIG) && options.control == socket
}

/// The daemon's sockets are in another directory than that which was looked at. Its word is not enough for commands that open
/// a directory to its user: whoever has taken it over would choose one of the host's.
fn elsewhere(options: &Options, status: &DaemonStatus) -> Option<Finding> {
    let (own, its) = (&options.directory, Path::new(&status.socket_dir.path));
    (own != its).then(|| {
        let (own, its) = (own.display(), its.display());
        Subject::Directory.note(format!(
            "hostinfod says that its sockets are in {its}, and {own} was looked at: if you have set that, name it with --socket-dir"
        ))
    })
}

/// A daemon of that version answers.
fn answers(version: &str, pid: u32) -> Finding {
    let words = format!("hostinfod {version}, process {pid}, answers");
    if version == OWN_VERSION {
        return Daemon.fine(words);
    }
    let words = format!(
        "{words}, but this hostinfoctl is {OWN_VERSION}: the daemon was not upgraded, or two versions are installed"
    );
    Daemon.problem(
        words,
        &["hostinfoctl upgrade", "which -a hostinfoctl hostinfod"].map(String::from),
    )
}

/// libvirt does not answer.
fn fails(failure: &Failure) -> Finding {
    if failure.status() == 6 {
        return Subject::Libvirt.unseen_without_root(failure.to_string());
    }
    let start = "systemctl start virtqemud.socket || systemctl start libvirtd".to_owned();
    // To start libvirt mends nothing where its helper is at fault.
    let is_installed = !matches!(
        failure,
        Failure::Libvirt {
            why: Unanswered::Missing | Unanswered::Unlinked | Unanswered::OtherRelease,
            ..
        }
    );
    let remedy: &[String] = if is_installed { &[start] } else { &[] };
    Subject::Libvirt.problem(failure.to_string(), remedy)
}

fn has_any(programs: &[&str]) -> bool {
    programs.iter().any(|program| Path::new(program).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser as _;

    #[test]
    fn a_problem_counts_for_more_than_what_could_not_be_seen() {
        let (unseen, problem) = (|| Daemon.unseen("denied"), || Daemon.problem("gone", &[]));
        assert_eq!(status(&[Subject::Libvirt.note("not used")]), 0);
        assert_eq!(status(&[unseen()]), 6);
        assert_eq!(status(&[unseen(), problem()]), 1);
    }

    #[test]
    fn a_daemon_of_another_version_is_a_problem_that_an_upgrade_or_a_look_at_both_mends() {
        let differs = answers("0.0.9", 7);
        assert_eq!(differs.level, Level::Problem);
        let words =
            format!("hostinfod 0.0.9, process 7, answers, but this hostinfoctl is {OWN_VERSION}:");
        assert!(differs.message.starts_with(&words), "{}", differs.message);
        assert_eq!(differs.remedy[0], "hostinfoctl upgrade");
        assert_eq!(answers(OWN_VERSION, 7).level, Level::Fine);
    }

    #[test]
    fn systemd_names_the_process_of_its_own_service_alone() {
        let options = |line: &str| {
            let words = ["hostinfoctl", "doctor"].into_iter().chain(line.split_whitespace());
            Args::try_parse_from(words).unwrap().options
        };
        let settings = |text| toml::from_str::<Settings>(text).unwrap();
        let (usual, moved) = (settings(""), settings("[control]\nsocket = '/run/moved'\n"));
        assert!(is_services(&options(""), Some(&usual)) && is_services(&options(""), None));
        assert!(!is_services(&options(""), Some(&moved)));
        assert!(is_services(&options("--control /run/moved"), Some(&moved)));
        assert!(!is_services(&options("--control /run/moved"), Some(&usual)));
        assert!(!is_services(&options("--config /tmp/x --control /run/moved"), Some(&moved)));
    }

    #[test]
    fn a_helper_that_cannot_run_is_not_mended_by_starting_libvirt() {
        let failed = |why| fails(&Failure::Libvirt { uri: "qemu:///system".to_owned(), why });
        let unlinked = failed(Unanswered::Unlinked);
        assert!(unlinked.message.contains("install libvirt0"), "{}", unlinked.message);
        assert!(unlinked.remedy.is_empty());
        assert_eq!(failed(Unanswered::Silent(std::time::Duration::ZERO)).remedy.len(), 1);
    }
}
