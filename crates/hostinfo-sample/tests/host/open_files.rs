//! Files that stay open between samples, of real processes and cgroups that are replaced by others of the same
//! name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostinfo_catalog::source::Vmm as Source;
use hostinfo_sample::{Moment, OpenFiles, Roots, Vmm};
use tempfile::TempDir;

use crate::PATIENCE;

const ENDED: &str = "this guest's VMM has ended";

/// A process that is named like a VMM and does nothing.
struct Qemu(Child);

impl Qemu {
    fn start(folder: &TempDir) -> Self {
        let program = folder.path().join("qemu-system-x86");
        if !program.exists() {
            fs::copy("/bin/sleep", &program).unwrap();
        }
        let child = Command::new(program).arg("600").stdout(Stdio::null()).spawn().unwrap();
        let this = Self(child);
        // It only gets its name once it has started.
        let begun = Instant::now();
        while fs::read_to_string(format!("/proc/{}/comm", this.pid())).unwrap()
            != "qemu-system-x86\n"
        {
            assert!(begun.elapsed() < PATIENCE);
        }
        this
    }

    fn pid(&self) -> i32 {
        self.0.id().try_into().unwrap()
    }

    fn vmm(&self) -> Vmm {
        Vmm::new(Roots::default(), OpenFiles::default(), self.pid(), None)
    }

    fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.end();
    }
}

fn shown(vmm: &mut Vmm, what: Source, slot: u64) -> String {
    match vmm.value(what, None, Moment::new(Duration::from_millis(slot * 100))) {
        Ok(value) => value.to_string(),
        Err(absent) => absent.to_string(),
    }
}

#[test]
fn a_vmm_that_dies_between_two_samples_gives_no_more_figures() {
    const ASKED: [Source; 4] =
        [Source::Resident, Source::MajorFaults, Source::MemoryLimit, Source::EmulatorDelay];
    let folder = tempfile::tempdir().unwrap();
    for first in ASKED {
        let mut qemu = Qemu::start(&folder);
        let mut vmm = qemu.vmm();
        for slot in 0..3 {
            for what in ASKED {
                assert_ne!(shown(&mut vmm, what, slot), ENDED, "{what:?}");
            }
        }
        qemu.end();
        for what in [first].into_iter().chain(ASKED) {
            assert_eq!(shown(&mut vmm, what, 3), ENDED, "{what:?}");
        }
    }
}

/// Needs permission to choose the next process number: `/proc/sys/kernel/ns_last_pid`.
#[test]
fn another_vmm_with_the_number_of_one_that_ended_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "other programs take that number each time");
        let mut qemu = Qemu::start(&folder);
        let mut vmm = qemu.vmm();
        for slot in 0..2 {
            assert!(shown(&mut vmm, Source::Resident, slot).parse::<u64>().is_ok());
        }
        let start = start_of(qemu.pid());
        qemu.end();
        let last = (qemu.pid() - 1).to_string();
        fs::write("/proc/sys/kernel/ns_last_pid", last).expect("needs root");
        let other = Qemu::start(&folder);
        // Others start processes too; and two processes of the same clock tick look the same to the kernel.
        if other.pid() != qemu.pid() || start_of(other.pid()) == start {
            continue;
        }
        assert_eq!(shown(&mut vmm, Source::Resident, 2), ENDED);
        assert!(shown(&mut other.vmm(), Source::Resident, 0).parse::<u64>().is_ok());
        return;
    }
}

fn start_of(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split(' ').nth(20).unwrap().to_owned()
}

/// A cgroup with a memory limit, which root may create.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str, limit: u64) -> Self {
        for (tree, file) in [("memory", "memory.limit_in_bytes"), ("", "memory.max")] {
            let folder = Path::new("/sys/fs/cgroup")
                .join(tree)
                .join(format!("hostinfo-test-{}-{name}", std::process::id()));
            if fs::create_dir(&folder).is_ok() {
                let this = Self(folder);
                if fs::write(this.0.join(file), limit.to_string()).is_ok() {
                    return this;
                }
            }
        }
        panic!("needs root and cgroups");
    }

    fn add(&self, qemu: &Qemu) {
        fs::write(self.0.join("cgroup.procs"), qemu.pid().to_string()).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let begun = Instant::now();
        // A process that has just left remains there for a moment.
        while fs::remove_dir(&self.0).is_err() && !std::thread::panicking() {
            assert!(begun.elapsed() < PATIENCE, "{}", self.0.display());
        }
    }
}

#[test]
fn a_guest_that_moves_is_told_of_the_cgroup_that_it_is_in_and_of_one_made_anew_under_its_name() {
    const MIB: u64 = 1024 * 1024;
    let one = Cgroup::new("one", 64 * MIB);
    let other = Cgroup::new("other", 128 * MIB);
    let folder = tempfile::tempdir().unwrap();
    let qemu = Qemu::start(&folder);
    let mut vmm = qemu.vmm();
    let mut limit = |slot| shown(&mut vmm, Source::MemoryLimit, slot);
    one.add(&qemu);
    assert_eq!([limit(0), limit(1)], [(64 * MIB).to_string(), (64 * MIB).to_string()]);
    other.add(&qemu);
    assert_eq!(limit(2), (128 * MIB).to_string());
    drop(one);
    let again = Cgroup::new("one", 32 * MIB);
    again.add(&qemu);
    assert_eq!([limit(3), limit(4)], [(32 * MIB).to_string(), (32 * MIB).to_string()]);
    drop(qemu);
}
