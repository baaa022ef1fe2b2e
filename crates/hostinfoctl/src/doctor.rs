//! `doctor`: everything that keeps guests from asking, with or without a daemon, each with its remedy.
//!
//! A file of `doctor/` looks at one subject and returns findings. `finding` lists all that can be found, and `words`
//! says it, with the commands that mend it.

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
mod words;

use std::path::Path;

use hostinfo_control::Error;
use hostinfo_domains::Access;
use serde_json::json;

use crate::args::Options;
use crate::daemon;
use crate::exit::{DONE, Failure, REFUSED, Status};
use crate::libvirt::Libvirt;
use crate::output::{write_coloured, write_json};
use crate::settings;
use crate::uri::is_remote;
use finding::{Description, Finding, Level};
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
    let mut described: Vec<Description> = findings.iter().map(Finding::described).collect();
    if !has_systemd(&findings) {
        let works = |command: &String| !command.starts_with("systemctl ");
        described.iter_mut().for_each(|described| described.remedy.retain(works));
    }
    if options.json {
        write_json(&json!({ "findings": described }))?;
    } else {
        let problems =
            described.iter().filter(|described| described.level == Level::Problem).count();
        let sum = match problems {
            0 => "Nothing has to be done.".to_owned(),
            1 => "1 problem.".to_owned(),
            many => format!("{many} problems."),
        };
        write_coloured(&format!(
            "{}{sum}\n",
            described.iter().map(Description::shown).collect::<String>()
        ))?;
    }
    Ok(status(&described))
}

fn has_systemd(findings: &[Finding]) -> bool {
    !findings.iter().any(|found| matches!(found, Finding::NoSystemd { .. }))
}

/// The problems, for `status` without a daemon: a line for each.
pub(crate) fn problems(options: &Options) -> String {
    let findings = examine(options, &[]);
    let described = findings
        .iter()
        .map(Finding::described)
        .filter(|described| described.level == Level::Problem);
    described.map(|described| described.line()).collect()
}

fn status(described: &[Description]) -> Status {
    let has = |level| described.iter().any(|described| described.level == level);
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
    let (unit_user, units) = units::look(wants_vsock, known.is_some());
    let systemd = has_systemd(&units);
    // Remedies are carried out from the top: what hostinfod needs comes before hostinfod.
    let mut findings = files::look(options, known.map(|known| &known.status));
    // Only a unit runs it as another user than whoever starts it.
    let user = if systemd { unit_user.as_deref() } else { Some("root") };
    let user = User::of(known.map(|known| known.status.pid), user);
    let directory = known.map(|known| known.status.socket_dir.path.as_ref());
    findings.extend(access::look(directory.unwrap_or(&options.directory), user));
    findings.extend(units);
    findings.push(match &daemon {
        Ok(known) => {
            let (version, pid) = (known.status.version.clone(), known.status.pid);
            match version == OWN_VERSION {
                true => Finding::DaemonAnswers { version, pid },
                false => Finding::DaemonDiffers { version, pid },
            }
        }
        // What this user may not ask is not known to be wrong.
        Err(error @ Error::Denied { .. }) => Finding::DaemonUnseen(error.to_string()),
        Err(error) => Finding::DaemonSilent { why: error.to_string(), systemd },
    });
    let has_libvirt = match settings {
        Ok(settings) if !settings.libvirt.enabled => {
            findings.push(Finding::LibvirtUnused);
            false
        }
        _ => {
            let asked = Libvirt::connect(options, Access::Read).and_then(|mut it| it.list());
            let answers = asked.is_ok();
            findings.push(match asked {
                Ok(domains) => {
                    Finding::LibvirtAnswers { uri: options.connect.clone(), domains: domains.len() }
                }
                Err(failure) if failure.status() == 4 && !has_any(&LIBVIRT) => {
                    Finding::LibvirtAbsent
                }
                Err(failure) => Finding::LibvirtFails(failure),
            });
            answers
        }
    };
    findings.extend(guests::look(options, words, known, has_libvirt));
    findings.extend(labels::look(&options.directory, known.map(|known| known.status.pid)));
    findings.extend(denials::look(&options.directory));
    findings
}

fn has_any(programs: &[&str]) -> bool {
    programs.iter().any(|program| Path::new(program).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_counts_for_more_than_what_could_not_be_seen() {
        let described = |findings: &[Finding]| {
            status(&findings.iter().map(Finding::described).collect::<Vec<_>>())
        };
        let unseen = || Finding::DaemonUnseen("denied".to_owned());
        let problem = || Finding::DaemonSilent { why: "gone".to_owned(), systemd: true };
        assert_eq!(described(&[Finding::LibvirtUnused]), 0);
        assert_eq!(described(&[unseen()]), 6);
        assert_eq!(described(&[unseen(), problem()]), 1);
    }
}
