//! What SELinux and AppArmor denied hostinfo's programs, and QEMU at guests' sockets.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use hostinfo_domains::shell;
use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, Subject::Denials};
use super::install;
use crate::subprocess::run;

/// auditd's log, where it runs.
const AUDIT_LOG: &str = "/var/log/audit/audit.log";

/// The end of the log that is read: some 4,000 denials.
const TAIL: u64 = 1024 * 1024;

/// Denials that are older may be mended by now.
const RECENT: SignedDuration = SignedDuration::from_hours(24);

/// Most denials that are named, each once.
const NAMED_MAX: usize = 10;

/// The daemon's profile of AppArmor. Programs under the others run as root.
const DAEMON: &str = "libvirt-hostinfod";

/// Profiles of AppArmor to which a path may have to be added, and their files: hostinfo's, and that of libvirt's program
/// which looks at guests' disks.
const PROFILES: [(&str, &str); 3] = [
    (DAEMON, "hostinfod"),
    ("hostinfo-open", "hostinfo-open"),
    ("virt-aa-helper", "usr.lib.libvirt.virt-aa-helper"),
];

/// How the names of hostinfo's programs begin, also those that the kernel cuts to 15 bytes (TASK_COMM_LEN).
const OURS: &str = "hostinfo";

/// Who denied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Selinux,
    Apparmor,
}

/// One kind of denial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Denial {
    pub(crate) system: System,
    /// As the kernel shows it; programs choose it themselves.
    pub(crate) program: String,
    /// What was to be done: a permission of SELinux, an operation of AppArmor.
    what: String,
    /// What to.
    object: String,
    policy: Policy,
}

/// Whose policy denied it, which is what has to change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Policy {
    /// A profile of AppArmor in that file, which lacks a rule with these permissions.
    Profile { file: &'static str, mask: String },
    /// hostinfo's module for SELinux.
    Module,
    /// Another's.
    Other,
}

impl Denial {
    pub(crate) fn words(&self) -> String {
        let system = match self.system {
            System::Selinux => "SELinux",
            System::Apparmor => "AppArmor",
        };
        format!("{system} denied {}: {} of {}", self.program, self.what, self.object)
    }

    /// The commands that mend it.
    pub(crate) fn remedy(&self) -> Vec<String> {
        match (self.system, &self.policy) {
            // By hostinfo's own types: any process can have a program's name, and what it was denied would be permitted.
            // Some of these may be right to be denied, so they are shown first.
            (System::Selinux, Policy::Module) => vec![
                "ausearch -m avc -se :hostinfo | audit2allow -M hostinfo_local && cat hostinfo_local.te".to_owned(),
                "semodule -i hostinfo_local.pp".to_owned(),
            ],
            // By hostinfo's module, the programs and files have types of their own.
            (System::Selinux, Policy::Other | Policy::Profile { .. }) => vec![install::module(Path::new("/"))],
            (System::Apparmor, Policy::Profile { file, mask }) if is_plain(&self.object) => {
                vec![format!(
                    "echo {} >>/etc/apparmor.d/local/{file} && apparmor_parser -r /etc/apparmor.d/{file}",
                    shell(&format!("  {} {mask},", self.object))
                )]
            }
            (System::Apparmor, _) => vec!["aa-logprof".to_owned()],
        }
    }
}

/// Whether AppArmor reads a path in a rule as that path and no other.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+:@".contains(&byte))
}

/// Looks into the audit log, or else into the journal. `directory`: of guests' sockets. `daemon`: the daemon's user.
pub(crate) fn look(directory: &Path, daemon: Option<u32>) -> Vec<Finding> {
    let Some(text) = tail(Path::new(AUDIT_LOG)).or_else(journal) else {
        let why = "whether SELinux or AppArmor denied anything is not known: only root can read the audit log and the journal";
        return vec![Denials.unseen_without_root(why)];
    };
    let since = Timestamp::now().checked_sub(RECENT).unwrap_or(Timestamp::MIN);
    let found: BTreeSet<_> =
        text.lines().filter_map(|line| parse(line, directory, daemon, since)).collect();
    if found.is_empty() {
        return vec![Denials.fine("SELinux and AppArmor denied hostinfo nothing in the last 24 h")];
    }
    let found = found.into_iter().take(NAMED_MAX);
    found.map(|denial| Denials.problem(denial.words(), &denial.remedy())).collect()
}

fn tail(log: &Path) -> Option<String> {
    let mut log = File::open(log).ok()?;
    let length = log.metadata().ok()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    log.take(TAIL).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The kernel's lines, which only root sees all of.
fn journal() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let arguments = ["--no-pager", "--quiet", "--output=cat", "--since=-24h", "--lines=500"];
    let matches = ["--grep=denied", "_TRANSPORT=audit", "+", "_TRANSPORT=kernel"];
    // Its status is 1 if no line matches.
    run("journalctl", &[&arguments[..], &matches].concat()).ok().map(|ran| ran.stdout)
}

/// A line of the audit log, if it is a denial of ours that is not older than `since`:
///
/// ```text
/// type=AVC msg=audit(1764000000.123:4): avc:  denied  { watch } for  pid=7 comm="hostinfod" path="/var/lib" dev=...
/// audit: type=1400 audit(1764000000.123:4): apparmor="DENIED" operation="open" profile="libvirt-..." name="/a" comm="qemu"
/// ```
fn parse(line: &str, directory: &Path, daemon: Option<u32>, since: Timestamp) -> Option<Denial> {
    let field = |name: &str| field(line, name);
    let (system, what) = if let Some((_, rest)) = line.split_once("avc:  denied  {") {
        (System::Selinux, rest.split_once('}')?.0.trim().to_owned())
    } else if field("apparmor").as_deref() == Some("DENIED") {
        (System::Apparmor, field("operation")?)
    } else {
        return None;
    };
    let seconds = line.split_once("audit(")?.1.split('.').next()?.parse().ok()?;
    if Timestamp::from_second(seconds).ok()? < since {
        return None;
    }
    let program = field("comm").unwrap_or_else(|| "a program".to_owned());
    let object = field("path").or_else(|| field("name")).or_else(|| field("tclass"));
    let object = object.unwrap_or_else(|| "something".to_owned());
    let of_context =
        |name: &str| self::field(line, name).is_some_and(|it| it.contains(":hostinfo"));
    let is_module = ["scontext", "tcontext"].into_iter().any(of_context);
    let profile = field("profile");
    let is_ours = program.starts_with(OURS)
        || profile.as_ref().is_some_and(|profile| profile.contains(OURS))
        || is_module
        || Path::new(&object).starts_with(directory);
    // Every user may have a program run under a profile (aa-exec), also a setuid one, and choose what it is denied.
    let fsuid = field("fsuid").and_then(|uid| uid.parse::<u32>().ok());
    let known = PROFILES.into_iter().find(|(name, _)| profile.as_deref() == Some(name));
    let users = |name| if name == DAEMON { daemon } else { Some(0) };
    let policy = match known.filter(|(name, _)| fsuid.is_some() && fsuid == users(*name)) {
        Some((_, file)) => {
            Policy::Profile { file, mask: mask(&field("denied_mask").unwrap_or_default()) }
        }
        None if is_module => Policy::Module,
        None => Policy::Other,
    };
    is_ours.then_some(Denial { system, program, what, object, policy })
}

/// The permissions of a rule, of those that the kernel's line names: making and removing a file is writing it.
fn mask(denied: &str) -> String {
    let is_written = denied.contains(['w', 'a', 'c', 'd']);
    let written = if is_written { "w" } else { "" };
    let kept = ["r", "k", "m"].into_iter().filter(|permission| denied.contains(permission));
    let all = kept.chain([written]).collect::<String>();
    if all.is_empty() { "r".to_owned() } else { all }
}

/// The value of ` NAME=VALUE` or ` NAME="VALUE"`.
fn field(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!(" {name}="))?;
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split_whitespace().next()?,
    };
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<String> {
        let since = Timestamp::from_second(1000).unwrap();
        parse(line, Path::new("/var/lib/hostinfo"), Some(990), since).map(|denial| denial.words())
    }

    #[test]
    fn a_denial_of_ours_says_who_was_denied_what() {
        let avc = "type=AVC msg=audit(1764000000.1:4): avc:  denied  { watch } for  pid=7 \
                   comm=\"hostinfod\" path=\"/var/lib\" scontext=a tclass=dir permissive=0";
        assert_eq!(words(avc).unwrap(), "SELinux denied hostinfod: watch of /var/lib");
        let qemu = "audit: type=1400 audit(1764000000.1:4): apparmor=\"DENIED\" operation=\"mknod\" \
                    profile=\"libvirt-6\" name=\"/var/lib/hostinfo/qemu-a\" comm=\"qemu-system-x86\"";
        assert_eq!(
            words(qemu).unwrap(),
            "AppArmor denied qemu-system-x86: mknod of /var/lib/hostinfo/qemu-a"
        );
    }

    fn remedy(line: &str) -> String {
        let since = Timestamp::from_second(1000).unwrap();
        parse(line, Path::new("/var/lib/hostinfo"), Some(990), since).unwrap().remedy().join("\n")
    }

    #[test]
    fn the_remedy_changes_the_policy_that_denied_it() {
        let apparmor = |profile: &str, rest: &str| {
            remedy(&format!(
                "audit(1764000000.1:4): apparmor=\"DENIED\" operation=\"open\" profile=\"{profile}\" {rest} \
                 comm=\"hostinfod\" denied_mask=\"wc\" "
            ))
        };
        assert_eq!(
            apparmor("libvirt-hostinfod", "name=\"/srv/vm/a\" fsuid=990"),
            "echo '  /srv/vm/a w,' >>/etc/apparmor.d/local/hostinfod && apparmor_parser -r /etc/apparmor.d/hostinfod"
        );
        // A path that AppArmor would read as a pattern, users who have chosen that profile (by a setuid program, too), and a
        // profile of another's.
        assert_eq!(apparmor("libvirt-hostinfod", "name=\"/srv/*\" fsuid=990"), "aa-logprof");
        for uid in [0, 1000] {
            let chosen = format!("name=\"/srv/vm/a\" fsuid={uid}");
            assert_eq!(apparmor("libvirt-hostinfod", &chosen), "aa-logprof");
        }
        assert_eq!(apparmor("libvirt-6", "name=\"/var/lib/hostinfo/a\" fsuid=990"), "aa-logprof");

        let selinux = |context: &str| {
            remedy(&format!(
                "audit(1764000000.1:4): avc:  denied  {{ read }} for  comm=\"hostinfod\" name=\"a\" \
                 scontext=system_u:system_r:{context}:s0 tcontext=a tclass=file"
            ))
        };
        let module = selinux("hostinfod_t");
        assert!(module.contains("audit2allow") && module.contains("cat hostinfo_local.te\n"));
        assert!(!module.contains("hostinfod"), "whose name any process can have: {module}");
        assert_eq!(selinux("initrc_t"), install::module(Path::new("/")));
    }

    #[test]
    fn denials_of_others_old_ones_and_allowed_calls_are_left_out() {
        for line in [
            "type=AVC msg=audit(1764000000.1:4): avc:  denied  { read } for comm=\"httpd\" path=\"/a\"",
            "type=AVC msg=audit(999.1:4): avc:  denied  { read } for comm=\"hostinfod\" path=\"/a\"",
            "type=AVC msg=audit(1764000000.1:4): avc:  granted  { read } for comm=\"hostinfod\"",
            "audit(1764000000.1:4): apparmor=\"ALLOWED\" operation=\"open\" comm=\"hostinfod\"",
            "audit(1764000000.1:4): apparmor=\"DENIED\" operation=\"x\" name=\"/var/lib/hostinfofoo\"",
            "",
        ] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_can_be_read(line in "(avc:  denied  \\{|audit\\(| comm=\"|apparmor=\"DENIED\"|.){0,20}") {
            let _ = words(&line);
        }
    }
}
