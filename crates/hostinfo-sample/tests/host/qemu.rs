//! QEMU on a host made of files, which can change while it is read.

use std::time::Duration;

use hostinfo_catalog::{STATS, Source};
use hostinfo_sample::{Host, Moment, Vmm};

use crate::tree::Tree;

pub(crate) fn at(millis: u64) -> Moment {
    Moment::new(Duration::from_millis(millis))
}

/// What a guest reads for one of its statistics; the name contains the number of the vCPU, if any.
pub(crate) fn ask(vmm: &mut Vmm, name: &str, millis: u64) -> String {
    let number = name.split('.').find_map(|part| part.parse::<u32>().ok());
    let row = match number {
        Some(number) => name.replace(&format!(".{number}."), ".N."),
        None => name.to_owned(),
    };
    let stat = STATS.iter().find(|stat| stat.name == row).unwrap();
    let Source::Vmm(what) = stat.source else { panic!("{name} is not of the VMM") };
    match vmm.value(what, number, at(millis)) {
        Ok(value) => value.to_string(),
        Err(absent) => absent.to_string(),
    }
}

/// Field 9 of the `stat` of a process, and of a kernel thread.
pub(crate) const PROCESS: u32 = 4_194_304;
pub(crate) const KERNEL_THREAD: u32 = 2_129_984;

/// QEMU, process 7.
pub(crate) struct Qemu(pub(crate) Tree);

impl Qemu {
    pub(crate) fn new() -> Self {
        let qemu = Self(Tree::new(&[
            ("proc/7/status", "VmRSS: 4 kB\nVmSwap: 0 kB\n"),
            ("proc/7/cgroup", "0::/a.scope\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"),
            ("sys/fs/cgroup/a.scope/cgroup.procs", "7\n"),
        ]));
        qemu.starts(100);
        qemu.thread(7, "qemu-system-x86", 1, 1);
        qemu
    }

    pub(crate) fn starts(&self, start: u64) {
        self.stat("qemu-system-x86", 'S', start);
    }

    pub(crate) fn stat(&self, comm: &str, state: char, start: u64) {
        let stat =
            format!("7 ({comm}) {state} 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 {start} 1 2\n");
        self.0.write("proc/7/stat", stat);
    }

    /// Times in seconds.
    pub(crate) fn thread(&self, tid: u32, name: &str, run: u64, delay: u64) {
        self.0.write(&format!("proc/7/task/{tid}/comm"), format!("{name}\n"));
        let times = format!("{} {} 1\n", run * 1_000_000_000, delay * 1_000_000_000);
        self.0.write(&format!("proc/7/task/{tid}/schedstat"), times);
    }

    pub(crate) fn ends(&self, tid: u32) {
        self.remove(&format!("proc/7/task/{tid}"));
    }

    /// Another process: `flags` is field 9 of its `stat`, and `parent` field 4.
    pub(crate) fn beside(&self, pid: u32, comm: &str, parent: u32, flags: u32) {
        let stat =
            format!("{pid} ({comm}) S {parent} 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 50 0 0\n");
        self.0.write(&format!("proc/{pid}/stat"), stat);
    }

    /// Moves it to a v2 cgroup, with these processes in the same cgroup.
    pub(crate) fn moves(&self, path: &str, pids: &str) {
        self.0.write("proc/7/cgroup", format!("0::/{path}\n"));
        self.0.write(&format!("sys/fs/cgroup/{path}/cgroup.procs"), pids);
    }

    /// A file of a cgroup.
    pub(crate) fn cgroup(&self, file: &str, text: &str) {
        self.0.write(&format!("sys/fs/cgroup/{file}"), text);
    }

    pub(crate) fn remove(&self, path: &str) {
        let path = self.0.path().join(path);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    pub(crate) fn host(&self) -> Host {
        self.0.host()
    }

    pub(crate) fn vmm(&self) -> Vmm {
        self.0.vmm(7, Some(100))
    }
}
