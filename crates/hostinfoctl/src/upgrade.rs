//! `upgrade`: has the running daemon go on as the program that is installed now.

use std::time::Duration;

use hostinfo_control::{Error, Refusal, Status as DaemonStatus, Upgraded};
use hostinfo_wire::text::escaped;
use serde::Serialize;

use crate::args::Options;
use crate::daemon::connect;
use crate::exit::{DONE, Failure, Status};
use crate::output::write_result;
use crate::subprocess::{DEADLINE, run_within};

/// The daemon's service.
const SERVICE: &str = "hostinfo.service";

/// How long systemd may take for a restart: `TimeoutStopSec=` of the unit, its default for a start, which is 90 s, and
/// some time for itself.
const RESTART_WITHIN: Duration = Duration::from_secs(10 + 90 + 20);

/// What has become of the daemon.
#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    upgraded: Upgraded,
    /// The daemon was too old to go on without a gap.
    restarted: bool,
}

/// Upgrades it.
///
/// # Errors
/// [`Failure`]. Nothing has changed, unless the service could not be restarted.
pub(crate) fn run(options: &Options) -> Result<Status, Failure> {
    let mut daemon = connect(options)?;
    let before = daemon.status()?;
    let answer = daemon.upgrade();
    drop(daemon);
    let outcome = match answer {
        Err(Error::Refused(Refusal::MethodNotFound { .. })) => restart(options, &before)?,
        other => Outcome { upgraded: other?, restarted: false },
    };
    write_result(options, &outcome, || shown(&outcome))?;
    Ok(DONE)
}

/// Restarts a daemon that is too old to be asked. Its signal for this, SIGUSR1, would end it.
fn restart(options: &Options, before: &DaemonStatus) -> Result<Outcome, Failure> {
    let DaemonStatus { version, pid, .. } = before;
    let own = systemctl(DEADLINE, &["show", "--property=MainPID", "--value", SERVICE])?;
    if own.trim() != pid.to_string() {
        return Err(Failure::Refused(format!(
            "hostinfod {} cannot go on as another program, and process {pid} is not the service {SERVICE}: restart \
             it yourself",
            escaped(version)
        )));
    }
    systemctl(RESTART_WITHIN, &["restart", SERVICE])?;
    let now = connect(options)?.status()?;
    let upgraded =
        Upgraded { before: version.clone(), version: now.version, guests: now.connected };
    Ok(Outcome { upgraded, restarted: true })
}

fn systemctl(deadline: Duration, arguments: &[&str]) -> Result<String, Failure> {
    let failed = |why: &str| {
        let command = arguments.join(" ");
        Failure::Refused(format!("systemctl {command}: {why}: restart hostinfod yourself"))
    };
    let ran = run_within(deadline, "systemctl", arguments);
    let ran = ran.map_err(|error| failed(&error.to_string()))?;
    if ran.status != Some(0) {
        return Err(failed(&escaped(ran.stderr.trim())));
    }
    Ok(ran.stdout)
}

fn shown(Outcome { upgraded, restarted }: &Outcome) -> String {
    let Upgraded { before, version, guests } = upgraded;
    let [before, version] = [before, version].map(|version| escaped(version));
    match restarted {
        false => format!(
            "hostinfod {version} goes on in place of {before}; connected guests: {guests}\n"
        ),
        true => format!(
            "restarted: hostinfod {before} could not go on as another program; hostinfod {version} runs, and guests \
             have new sessions\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrade_says_which_version_runs_now_and_whether_there_was_a_gap() {
        let upgraded =
            Upgraded { before: "0.1.0".to_owned(), version: "0.2.0".to_owned(), guests: 7 };
        let told = shown(&Outcome { upgraded: upgraded.clone(), restarted: false });
        assert_eq!(told, "hostinfod 0.2.0 goes on in place of 0.1.0; connected guests: 7\n");
        let told = shown(&Outcome { upgraded, restarted: true });
        assert!(told.starts_with("restarted: hostinfod 0.1.0 could not go on"), "{told}");
    }
}
