//! What SELinux and AppArmor denied hostinfo's programs, and QEMU at guests' sockets.

mod records;

use std::collections::BTreeSet;
use std::path::Path;

use hostinfo_domains::shell;
use jiff::{SignedDuration, Timestamp};

use self::records::{Records, Unread};
use super::finding::{Finding, Subject::Denials};
use super::labels;
use crate::time::local;

/// Denials that are older may be mended by now.
const RECENT: SignedDuration = SignedDuration::from_hours(24);

/// Most denials that are named, each once.
const NAMED_MAX: usize = 10;

/// The daemon's profile of AppArmor, in `/etc/apparmor.d/hostinfod`.
const PROFILE: &str = "libvirt-hostinfod";

/// How the names of hostinfo's programs begin, also those that the kernel cuts to 15 bytes (TASK_COMM_LEN).
const OURS: &str = "hostinfo";

/// The end of a context's user, and the beginning of its type, for all that hostinfo's module for SELinux has.
const MODULES: &str = ":hostinfo";

/// The same for a process that init has started. Users come into `hostinfo_libvirt_t` as well, by running hostinfo-libvirt,
/// and keep their own role.
const SERVICES: &str = ":system_r:hostinfo";

/// Who denied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum System {
    Selinux,
    Apparmor,
}

/// One kind of denial. First come those of programs that are hostinfo's for certain: any user can have others denied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Denial {
    policy: Policy,
    system: System,
    /// As the kernel shows it; programs choose it themselves.
    program: String,
    /// What was to be done: a permission of SELinux, an operation of AppArmor.
    what: String,
    /// What to.
    object: String,
}

/// Whose policy denied it, which is what has to change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Policy {
    /// The daemon's profile of AppArmor, which lacks a rule with these permissions.
    Profile { mask: String },
    /// hostinfo's module for SELinux: it was a service of hostinfo's that was denied something.
    Module,
    /// Another's, or it was not the daemon's user: AppArmor's profile and the user, or the process's context of SELinux.
    Other { by: String },
}

impl Denial {
    fn words(&self) -> String {
        let system = match self.system {
            System::Selinux => "SELinux",
            System::Apparmor => "AppArmor",
        };
        let by = match &self.policy {
            Policy::Other { by } => by,
            Policy::Profile { .. } | Policy::Module => "",
        };
        format!("{system} denied {}{by}: {} of {}", self.program, self.what, self.object)
    }

    /// The commands that mend it, if hostinfo is to be permitted it for certain.
    fn remedy(&self) -> Vec<String> {
        match &self.policy {
            // By the process's type and role: any process can have a program's name, or be denied a file of hostinfo's, and
            // what it was denied would be permitted. Some of these may be right to be denied, so they are shown first.
            Policy::Module => vec![
                "ausearch -m avc -su :system_r:hostinfo | audit2allow -M hostinfo_local && cat hostinfo_local.te".to_owned(),
                "semodule -i hostinfo_local.pp".to_owned(),
            ],
            Policy::Profile { mask } if is_plain(&self.object) => {
                vec![format!(
                    "echo {} >>/etc/apparmor.d/local/hostinfod && apparmor_parser -r /etc/apparmor.d/hostinfod",
                    shell(&format!("  {} {mask},", self.object))
                )]
            }
            Policy::Profile { .. } | Policy::Other { .. } => Vec::new(),
        }
    }
}

/// Whether AppArmor reads a path in a rule as that path and no other.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+:@".contains(&byte))
}

/// Looks into the kernel's audit records. `directory`: of guests' sockets. `daemon`: the daemon's user.
pub(crate) fn look(directory: &Path, daemon: Option<u32>) -> Vec<Finding> {
    let since = Timestamp::now().checked_sub(RECENT).unwrap_or(Timestamp::MIN);
    match records::read(since) {
        Ok(records) => of_records(&records, since, directory, daemon),
        Err(Unread::NotRoot) => {
            let words = "whether SELinux or AppArmor denied anything is not known: only root can read the audit log and the journal";
            vec![Denials.unseen_without_root(words)]
        }
        Err(Unread::Slow(error)) => {
            let words = format!(
                "whether SELinux or AppArmor denied anything is not known: journalctl was asked, but {error}"
            );
            vec![Denials.unseen(words)]
        }
        Err(Unread::NotKept) if labels::is_any_on() => {
            let words = "whether SELinux or AppArmor denied anything is not known: neither auditd nor journald keeps the kernel's \
                         audit records. Install auditd, or see for yourself what journalctl -k --grep=denied shows: the kernel's \
                         messages, into which any user can have anything written";
            vec![Denials.unseen(words)]
        }
        Err(Unread::NotKept) => vec![Denials.fine("this host has neither SELinux nor AppArmor")],
    }
}

fn of_records(
    records: &Records,
    since: Timestamp,
    directory: &Path,
    daemon: Option<u32>,
) -> Vec<Finding> {
    let Records { texts, complete_since, shown_by } = records;
    let found: BTreeSet<_> =
        texts.iter().filter_map(|text| parse(text, directory, daemon)).collect();
    let named = found.iter().take(NAMED_MAX);
    let mut findings: Vec<_> =
        named.map(|denial| Denials.problem(denial.words(), &denial.remedy())).collect();
    if let number @ 1.. = found.len().saturating_sub(NAMED_MAX) {
        findings.push(Denials.problem(format!("{number} more denials"), &[(*shown_by).to_owned()]));
    }
    if *complete_since > since {
        let words = format!(
            "what SELinux and AppArmor denied before {} is not known: there are no older records, or too many to be looked at",
            local(*complete_since)
        );
        findings.push(Denials.unseen(words));
    } else if findings.is_empty() {
        // Not that nothing was denied: the kernel and journald drop records that come too fast.
        let words =
            "no record of the last 24 h says that SELinux or AppArmor denied hostinfo anything";
        findings.push(Denials.fine(words));
    }
    findings
}

/// A record of the kernel's, if it is a denial of ours:
///
/// ```text
/// avc:  denied  { watch } for  pid=7 comm="hostinfod" path="/var/lib" dev=...
/// apparmor="DENIED" operation="open" class="file" profile="libvirt-..." name="/a" comm="qemu-system-x86" ...
/// ```
fn parse(text: &str, directory: &Path, daemon: Option<u32>) -> Option<Denial> {
    let field = |name: &str| field(text, name);
    let (system, what) = if let Some(rest) = text.strip_prefix("avc:  denied  {") {
        (System::Selinux, rest.split_once('}')?.0.trim().to_owned())
    } else if text.starts_with("apparmor=\"DENIED\" ") {
        (System::Apparmor, field("operation")?)
    } else {
        return None;
    };
    let program = field("comm").unwrap_or_else(|| "a program".to_owned());
    let object = field("path").or_else(|| field("name")).or_else(|| field("tclass"));
    let object = object.unwrap_or_else(|| "something".to_owned());
    let context = field("scontext");
    let is_module = context.as_ref().is_some_and(|context| context.contains(SERVICES));
    let profile = field("profile");
    let is_ours = program.starts_with(OURS)
        || profile.as_ref().is_some_and(|profile| profile.contains(OURS))
        || [&context, &field("tcontext")]
            .into_iter()
            .flatten()
            .any(|context| context.contains(MODULES))
        || Path::new(&object).starts_with(directory);
    // Every user may have a program run under a profile (aa-exec), also root's, by a setuid program, and choose what it is denied.
    let fsuid = field("fsuid").and_then(|uid| uid.parse::<u32>().ok());
    let policy = if profile.as_deref() == Some(PROFILE) && fsuid.is_some() && fsuid == daemon {
        Policy::Profile { mask: mask(&field("denied_mask").unwrap_or_default()) }
    } else if is_module {
        Policy::Module
    } else {
        let user = fsuid.map(|uid| format!(", user {uid}")).unwrap_or_default();
        let profile = profile.map(|profile| format!("profile {profile}{user}"));
        let by = profile.or(context).map(|by| format!(" ({by})"));
        Policy::Other { by: by.unwrap_or_default() }
    };
    is_ours.then_some(Denial { policy, system, program, what, object })
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
    use crate::doctor::finding::Level;
    use proptest::prelude::*;

    fn denial(text: &str) -> Option<Denial> {
        parse(text, Path::new("/var/lib/hostinfo"), Some(990))
    }

    fn words(text: &str) -> Option<String> {
        denial(text).map(|denial| denial.words())
    }

    #[test]
    fn a_denial_of_ours_says_who_was_denied_what() {
        let avc = "avc:  denied  { watch } for  pid=7 \
                   comm=\"hostinfod\" path=\"/var/lib\" scontext=a tclass=dir permissive=0";
        assert_eq!(words(avc).unwrap(), "SELinux denied hostinfod (a): watch of /var/lib");
        let qemu = "apparmor=\"DENIED\" operation=\"mknod\" \
                    profile=\"libvirt-6\" name=\"/var/lib/hostinfo/qemu-a\" comm=\"qemu-system-x86\"";
        assert_eq!(
            words(qemu).unwrap(),
            "AppArmor denied qemu-system-x86 (profile libvirt-6): mknod of /var/lib/hostinfo/qemu-a"
        );
    }

    fn remedy(text: &str) -> String {
        denial(text).unwrap().remedy().join("\n")
    }

    #[test]
    fn the_remedy_changes_the_policy_that_denied_it() {
        let apparmor = |profile: &str, rest: &str| {
            remedy(&format!(
                "apparmor=\"DENIED\" operation=\"open\" profile=\"{profile}\" {rest} \
                 comm=\"hostinfod\" denied_mask=\"wc\" "
            ))
        };
        assert_eq!(
            apparmor("libvirt-hostinfod", "name=\"/srv/vm/a\" fsuid=990"),
            "echo '  /srv/vm/a w,' >>/etc/apparmor.d/local/hostinfod && apparmor_parser -r /etc/apparmor.d/hostinfod"
        );
        // A path that AppArmor would read as a pattern, users who have chosen that profile (by a setuid program, too), and
        // profiles of others: any user can have a setuid program run under hostinfo-open.
        assert_eq!(apparmor("libvirt-hostinfod", "name=\"/srv/*\" fsuid=990"), "");
        for uid in [0, 1000] {
            let chosen = format!("name=\"/srv/vm/a\" fsuid={uid}");
            assert_eq!(apparmor("libvirt-hostinfod", &chosen), "");
        }
        assert_eq!(apparmor("hostinfo-open", "name=\"/srv/vm/a\" fsuid=0"), "");
        assert_eq!(apparmor("libvirt-6", "name=\"/var/lib/hostinfo/a\" fsuid=990"), "");

        let module = remedy(&avc("a", "system_r:hostinfod_t", "user_home_t"));
        assert!(module.contains("ausearch -m avc -su :system_r:hostinfo |"), "{module}");
        assert!(module.contains("audit2allow") && module.contains("cat hostinfo_local.te\n"));
        assert!(!module.contains("hostinfod"), "whose name any process can have: {module}");
    }

    fn avc(program: &str, from: &str, to: &str) -> String {
        format!(
            "avc:  denied  {{ read }} for  pid=7 comm=\"{program}\" name=\"f\" scontext=u:{from}:s0:c1,c2 \
             tcontext=u:object_r:{to}:s0 tclass=file permissive=0"
        )
    }

    #[test]
    fn under_selinux_only_what_a_service_of_hostinfos_was_denied_has_a_command_that_permits_it() {
        for kind in ["hostinfod_t", "hostinfo_libvirt_t", "hostinfo_open_t", "hostinfo_run_t"] {
            let own = denial(&avc("a", &format!("system_r:{kind}"), "user_home_t")).unwrap();
            assert_eq!((&*own.words(), own.remedy().len()), ("SELinux denied a: read of f", 2));
        }
        // A VMM that SELinux keeps from another guest's disk, a program that calls itself hostinfod, and a user's helper.
        for (program, from, to) in [
            ("qemu-system-x86", "system_r:svirt_t", "hostinfo_disk_t"),
            ("hostinfod", "unconfined_r:unconfined_t", "unconfined_t"),
            ("hostinfo-libvirt", "unconfined_r:hostinfo_libvirt_t", "user_home_t"),
        ] {
            let other = denial(&avc(program, from, to)).unwrap();
            let words = format!("SELinux denied {program} (u:{from}:s0:c1,c2): read of f");
            assert_eq!((other.words(), other.remedy()), (words, Vec::new()));
        }
    }

    #[test]
    fn what_a_user_may_have_caused_is_said_with_its_user_and_without_a_command() {
        let chosen = denial(
            "apparmor=\"DENIED\" operation=\"open\" class=\"file\" profile=\"libvirt-hostinfod\" name=\"/etc/shadow\" \
             comm=\"hostinfod\" requested_mask=\"r\" denied_mask=\"r\" fsuid=1500 ouid=0",
        );
        let chosen = chosen.unwrap();
        assert_eq!(
            chosen.words(),
            "AppArmor denied hostinfod (profile libvirt-hostinfod, user 1500): open of /etc/shadow"
        );
        assert_eq!(chosen.remedy(), [""; 0]);
    }

    #[test]
    fn denials_of_others_what_is_allowed_and_other_words_before_a_denial_are_left_out() {
        for text in [
            "avc:  denied  { read } for comm=\"httpd\" path=\"/a\"",
            "avc:  granted  { read } for comm=\"hostinfod\"",
            "apparmor=\"ALLOWED\" operation=\"open\" comm=\"hostinfod\"",
            "apparmor=\"DENIED\" operation=\"x\" name=\"/var/lib/hostinfofoo\"",
            "x apparmor=\"DENIED\" operation=\"open\" comm=\"hostinfod\"",
            "x avc:  denied  { read } for comm=\"hostinfod\"",
            "",
        ] {
            assert_eq!(words(text), None, "{text}");
        }
    }

    fn found(texts: Vec<String>, complete_since: i64) -> Vec<Finding> {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let records = Records { texts, complete_since: at(complete_since), shown_by: "show" };
        of_records(&records, at(1000), Path::new("/var/lib/hostinfo"), Some(990))
    }

    #[test]
    fn no_record_says_so_only_if_all_records_were_looked_at() {
        let none = &found(Vec::new(), 1000)[..];
        assert!(none.len() == 1 && none[0].level == Level::Fine, "{none:?}");
        assert!(none[0].message.starts_with("no record of the last 24 h says"), "{none:?}");
        let cut = &found(Vec::new(), 1001)[..];
        assert!(cut.len() == 1 && cut[0].level == Level::Unseen, "{cut:?}");
    }

    #[test]
    fn a_denial_of_hostinfos_is_named_however_many_others_there_are() {
        let denied = |name: &str, fsuid: u32| {
            format!(
                "apparmor=\"DENIED\" operation=\"open\" profile=\"libvirt-hostinfod\" name=\"{name}\" comm=\"a\" fsuid={fsuid} "
            )
        };
        let all = |other: &dyn Fn(u32) -> String, own: String| {
            found((0..600).map(other).chain([own]).collect(), 1000)
        };
        let apparmor = all(&|n| denied(&format!("/a{n}"), 1500), denied("/srv/real", 990));
        assert!(apparmor[0].message.ends_with("open of /srv/real"), "{apparmor:?}");
        assert_eq!(apparmor[0].remedy.len(), 1);
        let selinux = all(
            &|n| avc(&format!("a{n}"), "system_r:container_t", "hostinfo_conf_t"),
            avc("hostinfod", "system_r:hostinfod_t", "user_home_t"),
        );
        assert_eq!(selinux[0].message, "SELinux denied hostinfod: read of f");
        assert_eq!((selinux[0].remedy.len(), selinux[1].remedy.len()), (2, 0));
        for findings in [apparmor, selinux] {
            let rest = findings.last().unwrap();
            assert_eq!((&*rest.message, &*rest.remedy[0]), ("591 more denials", "show"));
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "(avc:  denied  \\{|apparmor=\"DENIED\"| comm=\"|.){0,20}") {
            let _ = words(&text);
        }
    }
}
