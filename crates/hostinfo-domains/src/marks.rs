//! Which domain a process runs, by what libvirt has marked it with when it started it. What a
//! domain's XML does not show, such as a relative path among the arguments for QEMU, shows here.

use uuid::Uuid;

use serde::{Deserialize, Serialize};

use crate::conflict::Conflict;
use crate::domain::Domain;
use crate::snapshot::Snapshot;
use crate::whose::Claim;

/// The longest command line that is read, in bytes. libvirt writes `-uuid` before all devices; 512
/// iothreads and 64 NUMA cells before it take 40 KiB.
pub const CMDLINE_MAX: usize = 128 * 1024;

/// The longest list of a process's cgroups that is read: 14 hierarchies of cgroup v1 with a path of
/// 4 KiB each.
pub const CGROUP_MAX: usize = 64 * 1024;

/// What libvirt has marked a process with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// 0, which no process has, where it cannot be told who listens.
    pid: i32,
    program: String,
    /// The number of the domain's run, from the name of its cgroup, which only root can change.
    id: Option<u32>,
    /// The domain, from the command line, where the cgroup names no run: whoever defines a domain may choose the program that
    /// is started, and so what is on its command line.
    uuid: Option<Uuid>,
}

impl Marks {
    /// From `comm`, `cgroup` and `cmdline` of `/proc/PID`, proc(5). `None` where the cgroup says nothing and the command
    /// line is empty, as that of a process that has ended, or cut before it says which domain it is of.
    pub fn new(pid: i32, comm: &[u8], cgroup: &[u8], cmdline: &[u8]) -> Option<Self> {
        let (id, uuid) = (id(cgroup), uuid(cmdline));
        let is_whole = !cmdline.is_empty() && cmdline.len() < CMDLINE_MAX;
        let program = String::from_utf8_lossy(comm.trim_ascii_end()).into_owned();
        let is_marked = id.is_some() || is_whole || uuid.is_some();
        let uuid = uuid.filter(|_| id.is_none());
        is_marked.then_some(Self { pid, program, id, uuid })
    }

    /// Of whoever listens after another process has called listen(2) for it, or hides what it is. QEMU calls it itself, before
    /// its guest runs.
    pub fn of_nobody() -> Self {
        Self { pid: 0, program: String::new(), id: None, uuid: None }
    }

    /// What is wrong if this process listens at `socket`. `claim` says which domain, by libvirt, the socket belongs to.
    pub(crate) fn conflict(
        &self,
        socket: &str,
        claim: Claim<'_>,
        snapshot: &Snapshot,
    ) -> Option<Conflict> {
        let owner = match claim {
            Claim::Refused(_) => return None,
            Claim::Portless(_) | Claim::Unnamed => None,
            Claim::Named(uuid) => snapshot.guest(uuid).map(|guest| &guest.domain),
        };
        // Of other hypervisors nothing is known.
        if owner.is_some_and(|owner| owner.driver != QEMU || self.is_run(owner)) {
            return None;
        }
        // A command line, which QEMU could change, is believed only where the cgroup names no run.
        let by_cgroup = self.by_cgroup(snapshot);
        match (by_cgroup.or_else(|| self.by_cmdline(snapshot)), owner) {
            (Some(domain), _) if domain.socket_name() == socket => None,
            (Some(Domain { name, uuid, .. }), _) if by_cgroup.is_some() => Some(Conflict::Device {
                domain: name.clone(),
                uuid: *uuid,
                name: socket.to_owned(),
            }),
            (Some(Domain { name, uuid, .. }), _) => Some(Conflict::CommandLine {
                domain: name.clone(),
                uuid: *uuid,
                program: self.program.clone(),
                pid: self.pid,
            }),
            (None, Some(owner)) if owner.hwuuid.is_some() && owner.hwuuid == self.uuid => None,
            (None, Some(owner)) if self.pid == 0 => {
                Some(Conflict::NoProcess { domain: owner.name.clone() })
            }
            (None, Some(owner)) => Some(Conflict::OtherProcess {
                domain: owner.name.clone(),
                program: self.program.clone(),
                pid: self.pid,
            }),
            (None, None) => None,
        }
    }

    /// Whether its cgroup says which live domain it runs.
    pub fn is_known_by_cgroup(&self, snapshot: &Snapshot) -> bool {
        self.by_cgroup(snapshot).is_some()
    }

    /// Whether libvirt has started it, by its cgroup, and which domain it runs is not known: that domain may have ended.
    pub fn is_of_unknown_run(&self, snapshot: &Snapshot) -> bool {
        self.id.is_some() && !self.is_known_by_cgroup(snapshot)
    }

    /// The number of the domain's run, if its cgroup says it.
    pub(crate) fn run(&self) -> Option<u32> {
        self.id
    }

    fn is_run(&self, domain: &Domain) -> bool {
        self.id.is_some() && self.id == domain.id
    }

    /// The live domain that its command line says it runs.
    fn by_cmdline<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Domain> {
        let found = &snapshot.guest(self.uuid?)?.domain;
        Some(found).filter(|found| found.is_live())
    }

    fn by_cgroup<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Domain> {
        self.id?;
        let mut domains = snapshot.guests().map(|guest| &guest.domain);
        domains.find(|found| found.is_live() && found.driver == QEMU && self.is_run(found))
    }
}

/// The driver of the domains that are run by QEMU: see [`Domain::driver`].
pub(crate) const QEMU: &str = "qemu";

/// With systemd or without it:
///
/// ```text
/// 0::/machine.slice/machine-qemu\x2d3\x2dweb.scope/libvirt/emulator
/// 4:cpu,cpuacct:/machine/qemu-3-web.libvirt-qemu/emulator
/// ```
///
/// Below a service or another scope, such as those of a user who is logged in, cgroups can be made by others than root.
fn id(cgroup: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(cgroup);
    let of = |part: &str| {
        let number = |rest: Option<&str>, end: &str| rest?.split_once(end)?.0.parse().ok();
        number(part.strip_prefix(r"machine-qemu\x2d").filter(|_| part.ends_with(".scope")), r"\x2d")
            .or_else(|| {
                number(part.strip_prefix("qemu-").filter(|_| part.ends_with(".libvirt-qemu")), "-")
            })
    };
    let is_delegated = |part: &str| part.ends_with(".service") || part.ends_with(".scope");
    text.lines().find_map(|line| {
        of(line.split('/').find(|part| of(part).is_some() || is_delegated(part))?)
    })
}

/// `-uuid`, `79c0da0d-7a82-4207-baa0-9902f653e577`, each ended by a NUL.
fn uuid(cmdline: &[u8]) -> Option<Uuid> {
    let mut arguments = cmdline.split(|byte| *byte == 0);
    arguments.find(|argument| *argument == b"-uuid")?;
    Uuid::try_parse_ascii(arguments.next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;
    use crate::names::Names;
    use proptest::prelude::*;
    use std::time::Instant;

    /// A live domain of that number, UUID and run, whose XML names its socket.
    fn domain(number: u32, name: &str) -> Domain {
        let names = Names { clauses: vec![format!("qemu-{name}")], ..Names::default() };
        Domain { id: Some(number), names, ..examples::domain(u128::from(number), name) }
    }

    fn snapshot() -> Snapshot {
        let told = [domain(1, "a"), domain(2, "b")].map(|domain| (domain, None));
        Snapshot::of(told, Instant::now())
    }

    fn marks(run: Option<u32>, uuid: Option<u128>) -> Marks {
        let run =
            run.map(|run| format!("0::/machine.slice/machine-qemu\\x2d{run}\\x2da.scope/x\n"));
        let uuid = uuid.map(|uuid| format!("-uuid\0{}\0", Uuid::from_u128(uuid)));
        let cmdline = format!("/usr/bin/qemu\0-S\0{}-smp\0", uuid.unwrap_or_default());
        let cgroup = run.unwrap_or_else(|| "0::/user.slice\n".to_owned());
        Marks::new(7, b"qemu-system-x86\n", cgroup.as_bytes(), cmdline.as_bytes()).unwrap()
    }

    fn conflict(marks: &Marks, socket: &str) -> Option<Conflict> {
        let snapshot = snapshot();
        marks.conflict(socket, snapshot.whose().of(socket), &snapshot)
    }

    #[test]
    fn the_process_of_a_domain_is_known_by_its_cgroup_or_else_by_its_command_line() {
        for marks in [marks(Some(1), Some(1)), marks(Some(1), None), marks(None, Some(1))] {
            assert_eq!(conflict(&marks, "qemu-a"), None, "{marks:?}");
        }
        assert_eq!(id(b"4:cpu:/machine/qemu-31-a b.libvirt-qemu/emulator\n"), Some(31));
        for other in [
            r"0::/machine-qemu\x2dweb.scope",
            "0::/qemu-1-a",
            "0::/qemu.slice/1.scope",
            r"0::/user.slice/user-7.slice/user@7.service/machine.slice/machine-qemu\x2d1\x2da.scope",
            "4:cpu:/user.slice/session-7.scope/qemu-1-a.libvirt-qemu",
        ] {
            assert_eq!(id(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn another_domains_process_is_refused_with_the_name_of_that_domain_whatever_it_says_it_is() {
        for marks in [marks(Some(2), Some(2)), marks(Some(2), Some(1))] {
            for socket in ["qemu-a", "qemu-nobody"] {
                let expected = Conflict::Device {
                    domain: "b".into(),
                    uuid: Uuid::from_u128(2),
                    name: socket.into(),
                };
                assert_eq!(conflict(&marks, socket), Some(expected), "{marks:?}");
            }
            assert_eq!(conflict(&marks, "qemu-b"), None);
        }
    }

    #[test]
    fn a_domain_is_not_accused_of_what_a_command_line_alone_says() {
        let marks = marks(None, Some(2));
        for socket in ["qemu-a", "qemu-nobody"] {
            let words = conflict(&marks, socket).unwrap().to_string();
            assert!(words.starts_with("the process that listens at this socket shows"), "{words}");
            assert!(words.contains("domain \"b\"") && words.contains("process 7"), "{words}");
        }
        assert_eq!(conflict(&marks, "qemu-b"), None);
    }

    #[test]
    fn a_process_that_hides_its_command_line_is_known_by_its_cgroup_all_the_same() {
        let cgroup = b"0::/machine.slice/machine-qemu\\x2d2\\x2db.scope/libvirt/emulator\n";
        for cmdline in [&b""[..], &vec![b'x'; CMDLINE_MAX]] {
            let marks = Marks::new(7, b"qemu\n", cgroup, cmdline).unwrap();
            assert!(matches!(conflict(&marks, "qemu-a"), Some(Conflict::Device { .. })));
        }
    }

    #[test]
    fn the_command_line_is_not_needed_of_a_process_whose_cgroup_names_a_run_that_libvirt_tells_of()
    {
        let is_enough = |run| marks(run, Some(1)).is_known_by_cgroup(&snapshot());
        assert_eq!([Some(2), Some(9), None].map(is_enough), [true, false, false]);
        let is_unknown = |run| marks(run, Some(1)).is_of_unknown_run(&snapshot());
        assert_eq!([Some(2), Some(9), None].map(is_unknown), [false, true, false]);
    }

    #[test]
    fn a_process_that_libvirt_has_not_started_is_no_domains_and_may_have_a_socket_of_its_own() {
        let by_hand = marks(None, None);
        let words = conflict(&by_hand, "qemu-a").unwrap().to_string();
        assert!(words.contains("\"qemu-system-x86\", process 7"), "{words}");
        assert_eq!(conflict(&by_hand, "qemu-nobody"), None);
    }

    #[test]
    fn whoever_hides_behind_a_process_that_listened_for_it_is_no_domains() {
        let hidden = Marks::of_nobody();
        let words = conflict(&hidden, "qemu-a").unwrap().to_string();
        assert!(words.contains("the socket of the domain \"a\" cannot be told"), "{words}");
        assert_eq!(conflict(&hidden, "qemu-nobody"), None);
    }

    #[test]
    fn the_process_of_a_domain_may_show_the_uuid_of_its_machine_instead() {
        let own = Domain { hwuuid: Some(Uuid::from_u128(7)), ..domain(1, "a") };
        let snapshot = Snapshot::of([(own, None)], Instant::now());
        let conflict = |uuid| {
            marks(None, Some(uuid)).conflict("qemu-a", snapshot.whose().of("qemu-a"), &snapshot)
        };
        assert_eq!(conflict(7), None);
        assert!(matches!(conflict(8), Some(Conflict::OtherProcess { .. })));
    }

    #[test]
    fn a_process_that_is_in_no_run_of_libvirts_last_answer_is_in_doubt_whatever_its_command_line_says()
     {
        let snapshot = snapshot();
        let is_in_doubt = |run, cmdline: &[u8]| {
            let cgroup = format!("0::/machine.slice/machine-qemu\\x2d{run}\\x2da.scope/x\n");
            let marks = Marks::new(7, b"qemu\n", cgroup.as_bytes(), cmdline).unwrap();
            snapshot.is_in_doubt("qemu-a", Some(&marks))
        };
        let of_a = format!("qemu\0-name\0guest=a\0-uuid\0{}\0", Uuid::from_u128(1));
        for cmdline in [b"", of_a.as_bytes()] {
            assert!(!is_in_doubt(1, cmdline), "it is a's");
            assert!(is_in_doubt(2, cmdline), "it is b's");
            assert!(is_in_doubt(9, cmdline), "it was started since");
        }
        assert!(snapshot.is_in_doubt("qemu-a", Some(&marks(None, Some(1)))));
        assert!(snapshot.is_in_doubt("qemu-a", None));
        assert!(!snapshot.is_in_doubt("qemu-nobody", None));
    }

    #[test]
    fn the_process_of_a_run_that_libvirt_does_not_tell_of_is_no_other_domains_by_its_command_line()
    {
        let own = Domain { hwuuid: Some(Uuid::from_u128(7)), ..domain(1, "a") };
        let snapshot = Snapshot::of([(own, None)], Instant::now());
        for uuid in [1, 7] {
            let marks = marks(Some(9), Some(uuid));
            let conflict = marks.conflict("qemu-a", snapshot.whose().of("qemu-a"), &snapshot);
            assert!(matches!(conflict, Some(Conflict::OtherProcess { .. })), "{conflict:?}");
        }
    }

    #[test]
    fn other_hypervisors_and_processes_that_show_nothing_prove_nothing() {
        let xen = Domain { driver: "xen".into(), ..domain(1, "a") };
        let names = Names { clauses: vec!["xen-a".into()], ..Names::default() };
        let snapshot = Snapshot::of([(Domain { names, ..xen }, None)], Instant::now());
        let claim = snapshot.whose().of("xen-a");
        assert!(matches!(claim, Claim::Named(_)));
        assert_eq!(marks(None, None).conflict("xen-a", claim, &snapshot), None);
        assert_eq!(Marks::new(7, b"x", b"", b""), None);
        assert_eq!(Marks::new(7, b"x", b"", &vec![b'x'; CMDLINE_MAX]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_marks_or_none(
            cgroup in r"[0-9:/]{0,4}((machine-qemu\\x2d|qemu-)[0-9]{0,12}(\\x2d|-)x(.scope|.libvirt-qemu)?|.){0,3}",
            cmdline in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = Marks::new(1, &cmdline, cgroup.as_bytes(), &cmdline);
        }
    }
}
