//! The words of each finding, and the commands that mend it.

use std::path::Path;

use hostinfo_domains::{SOCKET_DIR, Unanswered, operand, shell};

use super::OWN_VERSION;
use super::finding::Subject::{
    Daemon, Denials, Directory, Guests, Libvirt, Rules, Settings, Units,
};
use super::finding::{Description, Finding, Level, Subject};
use super::install;
use hostinfo_wire::text::escaped;

use crate::exit::Failure;
use crate::held::Holder;

impl Finding {
    /// The finding in words.
    pub(crate) fn described(&self) -> Description {
        let (subject, level, message, remedy) = self.parts();
        let remedy = remedy.iter().map(|command| escaped(command)).collect();
        Description { subject, level, message: escaped(&message), remedy }
    }

    fn parts(&self) -> (Subject, Level, String, Vec<String>) {
        use Level::{Fine, Note, Problem, Unseen};
        match self {
            Self::NoSystemd { daemon_runs: true } => (
                Units,
                Note,
                "this host has no systemd; hostinfod runs without it".into(),
                Vec::new(),
            ),
            Self::NoSystemd { daemon_runs: false } => {
                let words = "this host has no systemd: have its init start hostinfod";
                (Units, Note, words.into(), Vec::new())
            }
            Self::UnitsUnseen(why) => (Units, Unseen, format!("systemctl: {why}"), Vec::new()),
            Self::UnitRuns { unit, state } => (Units, Fine, format!("{unit}: {state}"), Vec::new()),
            Self::UnitMissing { unit, daemon_runs: true } => (
                Units,
                Note,
                format!("{unit} is not installed; hostinfod runs without it"),
                Vec::new(),
            ),
            Self::UnitMissing { unit, daemon_runs: false } => {
                let words = format!("{unit} is not installed: install hostinfo");
                (Units, Problem, words, vec![install::again(Path::new("/"))])
            }
            Self::UnitMasked { unit, until_boot } => {
                let (when, option) = match until_boot {
                    true => (" until the host's next start", " --runtime"),
                    false => ("", ""),
                };
                let words = format!("{unit} is masked{when}, so nothing can start it");
                let commands = vec![
                    format!("systemctl unmask{option} {unit}"),
                    format!("systemctl enable --now {unit}"),
                ];
                (Units, Problem, words, commands)
            }
            Self::UnitFailed { unit } => {
                let words = format!("{unit} has failed: its log has the reason");
                (
                    Units,
                    Problem,
                    words,
                    vec![
                        format!("journalctl -u {unit} -b -n 20"),
                        format!("systemctl restart {unit}"),
                    ],
                )
            }
            Self::UnitStopped { unit } => (
                Units,
                Problem,
                format!("{unit} does not run"),
                vec![format!("systemctl start {unit}")],
            ),
            Self::UnitDisabled { unit } => {
                let words =
                    format!("{unit} is not enabled, so the host's next start does not start it");
                (Units, Problem, words, vec![format!("systemctl enable {unit}")])
            }
            Self::DaemonAnswers { version, pid } => {
                (Daemon, Fine, format!("hostinfod {version}, process {pid}, answers"), Vec::new())
            }
            Self::DaemonDiffers { version, pid } => {
                let words = format!(
                    "hostinfod {version}, process {pid}, answers, but this hostinfoctl is {OWN_VERSION}: the daemon was not \
                     upgraded, or two versions are installed"
                );
                let look = "which -a hostinfoctl hostinfod".to_owned();
                (Daemon, Problem, words, vec!["hostinfoctl upgrade".into(), look])
            }
            Self::DaemonSilent { why, systemd } => {
                let command = match systemd {
                    true => "systemctl start hostinfo",
                    false => "install -d /run/hostinfo && hostinfod &",
                };
                (Daemon, Problem, why.clone(), vec![command.into()])
            }
            Self::DaemonUnseen(why) => {
                (Daemon, Unseen, why.clone(), vec!["sudo hostinfoctl doctor".into()])
            }
            Self::DaemonReports(why) => {
                (Daemon, Problem, why.clone(), vec!["hostinfoctl status".into()])
            }
            Self::RulesRead { path, rules } => {
                (Rules, Fine, format!("{}: {rules}", path.display()), Vec::new())
            }
            Self::RulesWrong { path, why } => {
                (Rules, Problem, why.clone(), vec![format!("hostinfoctl check {}", quoted(path))])
            }
            Self::RulesUnseen(failure) => {
                (Rules, Unseen, failure.to_string(), vec!["sudo hostinfoctl doctor".into()])
            }
            Self::RulesNotInForce { path } => {
                let words = format!("{}: hostinfod has other rules in force", path.display());
                (Rules, Problem, words, vec!["systemctl reload hostinfo".into()])
            }
            Self::SettingsRead { path } => {
                (Settings, Fine, format!("{}: no errors", path.display()), Vec::new())
            }
            Self::SettingsWrong { path, why } => (
                Settings,
                Problem,
                why.clone(),
                vec![format!("hostinfod --check --config {}", quoted(path))],
            ),
            Self::SettingsUnseen(why) => (Settings, Unseen, why.clone(), Vec::new()),
            Self::DirectoryOpen { path, user, sockets } => {
                let words = format!(
                    "{}: user {user} can connect to the sockets there ({sockets}), and to new ones",
                    path.display()
                );
                (Directory, Fine, words, Vec::new())
            }
            Self::DirectoryMissing { path } => {
                let words =
                    format!("{} is missing, so guests with a port do not start", path.display());
                (Directory, Problem, words, vec![tmpfiles(path, None)])
            }
            Self::DirectoryUnseen { path, why } => (
                Directory,
                Unseen,
                format!("{}: {why}", path.display()),
                vec!["sudo hostinfoctl doctor".into()],
            ),
            Self::DirectoryOther { path } => {
                let words = format!("{} is not a directory: move it away", path.display());
                (
                    Directory,
                    Problem,
                    words,
                    vec![format!("mv {0} {0}.old", quoted(path)), tmpfiles(path, None)],
                )
            }
            Self::DirectoryClosed { path, user } => {
                let words =
                    format!("user {user}, as which hostinfod runs, cannot read {}", path.display());
                (Directory, Problem, words, vec![tmpfiles(path, Some(user))])
            }
            Self::NoDefaultAcl { path, user } => {
                let words = format!(
                    "{} has no default ACL for user {user}, so hostinfod cannot connect to sockets that QEMU \
                     makes there",
                    path.display()
                );
                (Directory, Problem, words, vec![tmpfiles(path, Some(user))])
            }
            Self::NoUser { user } => {
                let words = format!("there is no user {user}, as which hostinfod runs");
                (Directory, Problem, words, vec!["systemd-sysusers hostinfo.conf".into()])
            }
            Self::SocketClosed { path, user } => {
                let words = format!(
                    "user {user}, as which hostinfod runs, cannot connect to {}",
                    path.display()
                );
                (
                    Directory,
                    Problem,
                    words,
                    vec![format!("setfacl -m u:{user}:rw {}", quoted(path))],
                )
            }
            Self::LibvirtUnused => {
                (Libvirt, Note, "not used: hostinfod.toml says so".into(), Vec::new())
            }
            Self::LibvirtAnswers { uri, domains } => {
                (Libvirt, Fine, format!("{uri} answers; domains: {domains}"), Vec::new())
            }
            Self::LibvirtAbsent => {
                let words = "no libvirt is installed on this host; hostinfod does without it";
                (Libvirt, Note, words.into(), Vec::new())
            }
            Self::LibvirtFails(failure) if failure.status() == 6 => {
                (Libvirt, Unseen, failure.to_string(), vec!["sudo hostinfoctl doctor".into()])
            }
            Self::LibvirtFails(failure) => {
                let start = "systemctl start virtqemud.socket || systemctl start libvirtd";
                // To start libvirt mends nothing where its helper is at fault.
                let is_installed = !matches!(
                    failure,
                    Failure::Libvirt {
                        why: Unanswered::Missing | Unanswered::Unlinked | Unanswered::OtherRelease,
                        ..
                    }
                );
                let remedy = is_installed.then(|| start.into()).into_iter().collect();
                (Libvirt, Problem, failure.to_string(), remedy)
            }
            Self::GuestWrong { guest, name, uuid, why, repairs } => {
                let repair = format!("hostinfoctl enable --repair {}", operand(name));
                let commands: Vec<String> = std::iter::once(repair).chain(restart(uuid)).collect();
                let words = format!("{guest}: {why}");
                (Guests, Problem, words, if *repairs { commands } else { Vec::new() })
            }
            Self::GuestNotRestarted { guest, name, uuid, pluggable } => {
                let words = format!(
                    "{guest}: it runs without the port in its saved configuration (rebooting inside the guest is not \
                     enough)"
                );
                let commands = match pluggable {
                    true => vec![format!("hostinfoctl enable --now {}", operand(name))],
                    false => restart(uuid),
                };
                (Guests, Problem, words, commands)
            }
            Self::GuestHeld(held) => {
                // Which process it is depends on where the daemon says that the port is: first it is looked at.
                let remedy = |holder: &Holder| {
                    let pid = holder.pid;
                    vec![format!("ps -o user,pid,args -p {pid}"), format!("kill {pid}")]
                };
                let remedies = held.holder.as_ref().map(remedy).unwrap_or_default();
                (Guests, Problem, held.words(), remedies)
            }
            Self::GuestClosed { guest, rule } => {
                let words =
                    format!("{guest}: it may not ask, since its rule says enabled = 0 ({rule})");
                (Guests, Note, words, Vec::new())
            }
            Self::GuestFine { guest, state } => {
                (Guests, Fine, format!("{guest}: {state}"), Vec::new())
            }
            Self::GuestWithoutPort { guest, name } => {
                let words = format!("{guest}: it has no port");
                (Guests, Problem, words, vec![format!("hostinfoctl enable {}", operand(name))])
            }
            Self::GuestUnknown(why) => (Guests, Problem, why.clone(), Vec::new()),
            Self::GuestsUnseen(why) => {
                (Guests, Unseen, why.clone(), vec!["sudo hostinfoctl doctor".into()])
            }
            Self::GuestsWithoutPort { number } => {
                let words = format!(
                    "{number} of libvirt's domains have no port: hostinfoctl list --state disabled"
                );
                (Guests, Note, words, Vec::new())
            }
            Self::MoreGuests { number } => {
                let words = format!("{number} more guests have problems");
                (Guests, Problem, words, vec!["hostinfoctl list --state error".into()])
            }
            Self::Denied(denial) => (Denials, Problem, denial.words(), denial.remedy()),
            Self::LabelUnknown { path, label } => {
                let words = format!(
                    "SELinux is enforcing, and {} is of the type {}: libvirt may make no guest's socket there",
                    path.display(),
                    label
                );
                (Directory, Problem, words, vec![install::module(Path::new("/"))])
            }
            Self::ProfileUnused => {
                let words = "AppArmor does not confine hostinfod, though there is a profile for it";
                let commands =
                    ["apparmor_parser -r /etc/apparmor.d/hostinfod", "systemctl restart hostinfo"];
                (Daemon, Note, words.into(), commands.map(String::from).into())
            }
            Self::NothingDenied => (
                Denials,
                Fine,
                "SELinux and AppArmor denied hostinfo nothing in the last 24 h".into(),
                Vec::new(),
            ),
            Self::DenialsUnseen(why) => {
                (Denials, Unseen, (*why).into(), vec!["sudo hostinfoctl doctor".into()])
            }
        }
    }
}

/// The commands that shut a domain down and start it, also if they are copied at once: `virsh shutdown` does not wait. By its
/// UUID, since whoever names a domain `7` would have virsh take the one that has this number.
fn restart(uuid: &Option<String>) -> Vec<String> {
    let Some(uuid) = uuid else { return Vec::new() };
    vec![
        format!("virsh shutdown {uuid}"),
        format!("while virsh list --uuid | grep -qxF {uuid}; do sleep 1; done"),
        format!("virsh start {uuid}"),
    ]
}

/// The command that makes the directory as it should be, or opens another one.
fn tmpfiles(path: &Path, user: Option<&str>) -> String {
    match (path == Path::new(SOCKET_DIR), user) {
        (true, _) => "systemd-tmpfiles --create hostinfo.conf".to_owned(),
        (false, Some(user)) => {
            format!("setfacl -m u:{user}:rwx -d -m u:{user}:rwx {}", quoted(path))
        }
        (false, None) => format!("mkdir -m 0711 {}", quoted(path)),
    }
}

fn quoted(path: &Path) -> String {
    shell(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stands_below_its_problem_as_a_command() {
        let missing = Finding::DirectoryMissing { path: "/srv/a b".into() }.described();
        assert_eq!(
            anstream::adapter::strip_str(&missing.shown()).to_string(),
            "problem  directory  /srv/a b is missing, so guests with a port do not start\n                    \
             # mkdir -m 0711 '/srv/a b'\n"
        );
    }

    #[test]
    fn a_guests_name_does_nothing_to_a_shell_or_a_terminal() {
        let name = "a; rm -rf $HOME \u{1b}[2J".to_owned();
        let described = |name: String| {
            let (guest, uuid, why) = (name.clone(), Some("6695eb01".to_owned()), "x".to_owned());
            Finding::GuestWrong { guest, name, uuid, why, repairs: true }.described()
        };
        let wrong = described(name);
        assert!(!wrong.message.contains('\u{1b}'));
        let words = shlex::split(&wrong.remedy[0]).unwrap();
        assert_eq!(words[3..], [r"a; rm -rf $HOME \u{1b}[2J"], "one word");
        assert_eq!(
            wrong.remedy[1], "virsh shutdown 6695eb01",
            "not what has the name as its number"
        );
        let like_an_option = described("--all".to_owned());
        assert_eq!(like_an_option.remedy[0], "hostinfoctl enable --repair -- --all");
    }

    #[test]
    fn a_daemon_of_another_version_is_a_problem_that_an_upgrade_or_a_look_at_both_mends() {
        let differs = Finding::DaemonDiffers { version: "0.0.9".to_owned(), pid: 7 }.described();
        assert_eq!(differs.level, Level::Problem);
        let words =
            format!("hostinfod 0.0.9, process 7, answers, but this hostinfoctl is {OWN_VERSION}:");
        assert!(differs.message.starts_with(&words), "{}", differs.message);
        assert_eq!(differs.remedy[0], "hostinfoctl upgrade");
    }

    #[test]
    fn a_helper_that_cannot_run_is_not_mended_by_starting_libvirt() {
        let failed = |why| {
            let failure = Failure::Libvirt { uri: "qemu:///system".to_owned(), why };
            Finding::LibvirtFails(failure).described()
        };
        let unlinked = failed(Unanswered::Unlinked);
        assert!(unlinked.message.contains("install libvirt0"), "{}", unlinked.message);
        assert!(unlinked.remedy.is_empty());
        assert_eq!(failed(Unanswered::Silent(std::time::Duration::ZERO)).remedy.len(), 1);
    }
}
