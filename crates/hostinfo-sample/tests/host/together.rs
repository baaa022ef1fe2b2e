//! What a reply needs from a guest's cgroups is read together, and counts only if the VMM was in them the whole time.

use std::fs::File;
use std::mem::MaybeUninit;

use hostinfo_catalog::source::{PressureFigure, Resource, Stall, Vmm as Source};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

use crate::qemu::{Qemu, ask, at};

/// One statistic of each part, in the order in which the parts are read.
const PARTS: [Source; 3] = [
    Source::Weight,
    Source::Pressure(Resource::Memory, Stall::Some, PressureFigure::Total),
    Source::MemoryLimit,
];
const PRESSURE: &str = "vm.pressure.memory.some.seconds";

fn qemu() -> Qemu {
    let qemu = Qemu::new();
    for (file, text) in [
        ("cpu.weight", "300\n"),
        ("memory.pressure", "some avg10=0.00 total=1000000\n"),
        ("memory.max", "4096\n"),
    ] {
        qemu.cgroup(&format!("a.scope/{file}"), text);
    }
    qemu
}

#[test]
fn the_list_of_its_cgroups_is_read_before_and_after_however_much_is_read_in_them() {
    let qemu = qemu();
    let opened = inotify::init(CreateFlags::NONBLOCK).unwrap();
    // Equal events in a row are one event, so each is followed by another.
    let both = WatchFlags::OPEN | WatchFlags::CLOSE_NOWRITE;
    inotify::add_watch(&opened, qemu.0.path().join("proc/7/cgroup"), both).unwrap();
    let mut vmm = qemu.vmm();
    vmm.read_cgroups(PARTS.into_iter(), at(0));
    let names = ["vm.cpu.weight", PRESSURE, "vm.memory.limit"];
    assert_eq!(names.map(|name| ask(&mut vmm, name, 0)), ["300", "1", "4096"]);
    let (mut buffer, mut count) = ([MaybeUninit::uninit(); 4096], 0);
    let mut events = inotify::Reader::new(&opened, &mut buffer);
    while let Ok(event) = events.next() {
        count += u32::from(event.events().contains(ReadFlags::OPEN));
    }
    assert_eq!(count, 2);
}

#[test]
fn figures_that_were_read_while_the_vmm_moved_do_not_count() {
    let qemu = qemu();
    // Each of the two holds the reading up until somebody writes to it.
    let [first, last] = ["cpu.stat", "memory.max"].map(|file| {
        let path = qemu.0.path().join("sys/fs/cgroup/a.scope").join(file);
        let _ = std::fs::remove_file(&path);
        mkfifoat(CWD, &path, Mode::RWXU).unwrap();
        path
    });
    let (mut vmm, mut ends) = (qemu.vmm(), None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let first = File::options().write(true).open(&first).unwrap();
            qemu.moves("b.scope", "7\n");
            let last = File::options().write(true).open(&last).unwrap();
            drop((first, last));
        });
        vmm.read_cgroups(PARTS.into_iter(), at(0));
        // The writer must end even if nothing was read.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        ends = Some([&first, &last].map(|path| rustix::fs::open(path, flags, Mode::empty())));
    });
    drop(ends);
    assert_eq!(ask(&mut vmm, PRESSURE, 0), "ask again in 1 s");
    qemu.cgroup("b.scope/memory.pressure", "some avg10=0.00 total=7000000\n");
    assert_eq!(ask(&mut vmm, PRESSURE, 100), "1", "it counts on from where it was");
}
