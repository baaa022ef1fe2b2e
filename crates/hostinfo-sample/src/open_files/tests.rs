use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hostinfo_catalog::source::{self, Identity};

use super::*;
use crate::{Host, HostWindow, Moment};

/// A process that does nothing.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap())
    }

    fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.0.id())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.end();
    }
}

fn reader(files: &OpenFiles) -> Reader {
    Reader::new(Roots::default(), files.clone())
}

fn read(reader: &Reader, file: &str) -> Result<Vec<u8>, Unread> {
    reader.kept(&[file], FIXED_BYTES, &mut Vec::new()).map(<[u8]>::to_vec)
}

#[test]
fn a_file_of_a_process_is_opened_once_and_read_each_time() {
    let (files, sleeper) = (OpenFiles::default(), Sleeper::start());
    let reader = reader(&files);
    let file = sleeper.file("oom_score_adj");
    std::fs::write(format!("/proc/{file}"), "7").unwrap();
    assert_eq!(read(&reader, &file).unwrap(), b"7\n");
    std::fs::write(format!("/proc/{file}"), "8").unwrap();
    assert_eq!(read(&reader, &file).unwrap(), b"8\n");
    assert_eq!((reader.opened(), files.0.count.get()), (1, 1));
}

#[test]
fn a_file_of_a_process_that_ended_is_closed_and_tells_nothing() {
    let (files, mut sleeper) = (OpenFiles::default(), Sleeper::start());
    let reader = reader(&files);
    for name in ["stat", "status", "cgroup", "comm", "schedstat"] {
        read(&reader, &sleeper.file(name)).unwrap();
    }
    sleeper.end();
    for name in ["stat", "status", "cgroup", "comm", "schedstat"] {
        assert!(read(&reader, &sleeper.file(name)).unwrap_err().is_not_there(), "{name}");
    }
    assert_eq!((reader.opened(), files.0.count.get()), (10, 0));
}

#[test]
fn a_plain_file_is_not_kept_since_another_may_take_its_name() {
    let (files, folder) = (OpenFiles::default(), tempfile::tempdir().unwrap());
    let roots = Roots { proc: folder.path().into(), sys: folder.path().into() };
    let reader = Reader::new(roots, files.clone());
    std::fs::write(folder.path().join("f"), "old").unwrap();
    assert_eq!(read(&reader, "f").unwrap(), b"old");
    std::fs::write(folder.path().join("g"), "new").unwrap();
    std::fs::rename(folder.path().join("g"), folder.path().join("f")).unwrap();
    assert_eq!(read(&reader, "f").unwrap(), b"new");
    assert_eq!(files.0.count.get(), 0);
}

#[test]
fn the_files_of_the_guest_that_was_looked_at_the_longest_ago_are_closed_first() {
    let (files, sleeper) = (OpenFiles::at_most(4), Sleeper::start());
    let [first, second, third] = [(); 3].map(|()| reader(&files));
    let look = |reader: &Reader| {
        for name in ["stat", "status"] {
            read(reader, &sleeper.file(name)).unwrap();
        }
    };
    for reader in [&first, &second, &first, &third] {
        look(reader);
        assert!(files.0.count.get() <= 4);
    }
    look(&first);
    assert_eq!(first.opened(), 2, "its files stayed open");
    look(&second);
    assert_eq!(second.opened(), 4);
}

#[test]
fn a_file_that_is_read_once_does_not_stay_open_and_counts_as_opened() {
    let (files, sleeper) = (OpenFiles::default(), Sleeper::start());
    let reader = reader(&files);
    let file = sleeper.file("comm");
    assert!(reader.once(&[&file], FIXED_BYTES, &mut Vec::new()).is_ok());
    assert_eq!((reader.opened(), files.0.count.get()), (1, 0));
}

#[test]
fn one_guest_leaves_room_for_the_others() {
    const EACH: usize = 256;
    let (files, sleeper) = (OpenFiles::at_most(EACH * 2), Sleeper::start());
    let [large, small] = [(); 2].map(|()| Reader::at_most(EACH, Roots::default(), files.clone()));
    read(&small, &sleeper.file("stat")).unwrap();
    for name in 0..EACH * 3 {
        // This gives as many names for one file.
        let name = (0..12).map(|bit| if name >> bit & 1 == 1 { "/./" } else { "//" });
        let file = sleeper.file(&format!("{}comm", name.collect::<String>()));
        read(&large, &file).unwrap();
        assert!(files.0.count.get() <= EACH + 1);
    }
    read(&small, &sleeper.file("stat")).unwrap();
    assert_eq!(small.opened(), 1);
}

#[test]
fn the_hosts_own_files_stay_open_too() {
    let files = OpenFiles::default();
    let mut host = Host::new(Roots::default(), files.clone());
    let kernel = source::Host::Identity(Identity::Kernel);
    for slot in 0..3 {
        host.value(
            kernel,
            &mut HostWindow::default(),
            Moment::new(Duration::from_millis(slot * 100)),
        )
        .unwrap();
        assert_eq!((files.0.count.get(), files.0.next.get()), (1, 1));
    }
}

#[test]
fn a_list_that_all_guests_need_is_read_once_in_a_slot() {
    let (files, host) = (OpenFiles::default(), tempfile::tempdir().unwrap());
    let guest = || {
        let sys = host.path().to_owned();
        Reader::new(Roots { sys, ..Roots::default() }, files.clone())
    };
    let (first, second) = (guest(), guest());
    let list = host.path().join("online");
    let read = |guest: &Reader, millis| {
        let at = Moment::new(Duration::from_millis(millis));
        guest.sys_for_all("online", at, &mut Vec::new()).map(<[u8]>::to_vec)
    };
    assert!(read(&first, 0).unwrap_err().is_not_there());
    std::fs::write(&list, "0-3\n").unwrap();
    assert_eq!(read(&first, 0).unwrap(), b"0-3\n", "a failure is not kept");
    std::fs::write(&list, "0-2\n").unwrap();
    assert_eq!(read(&second, 99).unwrap(), b"0-3\n");
    assert_eq!(read(&second, 100).unwrap(), b"0-2\n");
    std::fs::remove_file(&list).unwrap();
    assert_eq!(read(&first, 199).unwrap(), b"0-2\n");
    assert!(read(&second, 200).unwrap_err().is_not_there());
}

#[test]
fn a_tree_of_cgroups_is_looked_for_once_in_a_slot_for_all_guests() {
    let (files, host) = (OpenFiles::default(), tempfile::tempdir().unwrap());
    let guest =
        || Reader::new(Roots { sys: host.path().into(), ..Roots::default() }, files.clone());
    let (first, second) = (guest(), guest());
    let is_there = |guest: &Reader, millis| {
        guest.has_for_all("unified", Moment::new(Duration::from_millis(millis)))
    };
    assert!(!is_there(&first, 0));
    std::fs::create_dir_all(host.path().join("fs/cgroup/unified")).unwrap();
    assert!(!is_there(&second, 99));
    assert!(is_there(&second, 100));
    std::fs::remove_dir(host.path().join("fs/cgroup/unified")).unwrap();
    assert!(is_there(&first, 199));
    assert!(!is_there(&first, 200));
}

#[test]
fn guests_that_share_a_cgroup_list_its_processes_once_in_a_slot() {
    let files = OpenFiles::default();
    let (first, second) = (reader(&files), reader(&files));
    let list = |guest: &Reader, cgroup, millis, now: &[u64]| {
        let at = Moment::new(Duration::from_millis(millis));
        guest.members_for_all(Path::new(cgroup), at, || Some(now.into())).unwrap().to_vec()
    };
    assert_eq!(list(&first, "a", 0, &[1]), [1]);
    assert_eq!(list(&second, "a", 99, &[1, 2]), [1]);
    assert_eq!(list(&second, "b", 99, &[3]), [3], "another cgroup");
    assert_eq!(list(&second, "a", 100, &[1, 2]), [1, 2]);
    assert_eq!(first.members_for_all(Path::new("c"), Moment::of_slot(1), || None), None);
}

#[test]
fn guests_that_share_a_cgroup_read_the_stat_of_the_vmm_they_find_there_once_in_a_slot() {
    let (files, host) = (OpenFiles::default(), tempfile::tempdir().unwrap());
    let guest = || {
        let proc = host.path().to_owned();
        Reader::new(Roots { proc, ..Roots::default() }, files.clone())
    };
    let (first, second) = (guest(), guest());
    let read = |guest: &Reader, pid, millis| {
        let at = Moment::new(Duration::from_millis(millis));
        guest.stat_for_all(pid, at, &mut b"before".to_vec()).map(<[u8]>::to_vec)
    };
    let write = |pid: u64, stat: &str| {
        std::fs::create_dir_all(host.path().join(pid.to_string())).unwrap();
        std::fs::write(host.path().join(format!("{pid}/stat")), stat).unwrap();
    };
    assert!(read(&first, 7, 0).unwrap_err().is_not_there());
    write(7, "7 (a)");
    write(8, "8 (b)");
    assert_eq!(read(&first, 7, 0).unwrap(), b"7 (a)", "a failure is not kept");
    write(7, "7 (c)");
    assert_eq!(read(&second, 7, 99).unwrap(), b"7 (a)");
    assert_eq!(read(&second, 8, 99).unwrap(), b"8 (b)", "another process");
    assert_eq!(read(&second, 7, 100).unwrap(), b"7 (c)");
}

#[test]
fn the_files_of_a_guest_that_is_gone_are_closed() {
    let (files, sleeper) = (OpenFiles::default(), Sleeper::start());
    let reader = reader(&files);
    read(&reader, &sleeper.file("stat")).unwrap();
    let copy = reader.clone();
    read(&copy, &sleeper.file("stat")).unwrap();
    assert_eq!((copy.opened(), files.0.count.get()), (1, 2), "a copy has files of its own");
    drop(reader);
    assert_eq!(files.0.count.get(), 1);
    drop(copy);
    assert_eq!(files.0.count.get(), 0);
}

#[test]
fn sockets_of_guests_come_before_files_that_stay_open() {
    let most = |limit| OpenFiles::within(limit).0.most;
    assert_eq!((most(1024), most(11_000)), (0, 0));
    assert_eq!((most(11_100), most(20_000), most(u64::MAX)), (100, OPEN_FILES_MAX, OPEN_FILES_MAX));
    let (files, sleeper) = (OpenFiles::within(1024), Sleeper::start());
    let reader = reader(&files);
    for _ in 0..2 {
        read(&reader, &sleeper.file("stat")).unwrap();
    }
    assert_eq!((reader.opened(), files.0.count.get()), (2, 0));
}

#[test]
fn a_file_over_its_bound_is_an_error_when_it_is_open_already_too() {
    let (files, sleeper) = (OpenFiles::default(), Sleeper::start());
    let reader = reader(&files);
    let file = sleeper.file("status");
    let whole = read(&reader, &file).unwrap().len();
    assert!(reader.kept(&[&file], whole - 50, &mut Vec::new()).is_err());
    assert_eq!(reader.opened(), 1);
}

/// Needs a cgroup tree in which this user may create cgroups.
#[test]
fn a_cgroup_that_is_made_anew_under_the_same_name_is_another() {
    let mount = ["sys/fs/cgroup/memory", "sys/fs/cgroup"]
        .into_iter()
        .find(|mount| Path::new("/").join(mount).join("cgroup.procs").exists())
        .expect("needs cgroups");
    let name = format!("hostinfo-test-{}", std::process::id());
    let folder = Path::new("/").join(mount).join(&name);
    std::fs::create_dir(&folder).expect("needs root, to make a cgroup");
    let below = Path::new(mount).strip_prefix("sys/fs/cgroup").unwrap().join(&name);
    let mut file = "cgroup.clone_children";
    if !folder.join(file).exists() {
        file = "cgroup.max.depth";
    }
    let (files, mut buffer) = (OpenFiles::default(), Vec::new());
    let reader = reader(&files);
    let mut read = || reader.cgroup(below.join(file), &mut buffer).map(<[u8]>::to_vec);
    let before = read().unwrap();
    std::fs::write(folder.join(file), "1").unwrap();
    let changed = read().unwrap();
    assert_ne!(changed, before);
    std::fs::remove_dir(&folder).unwrap();
    assert!(read().unwrap_err().is_not_there());
    std::fs::create_dir(&folder).unwrap();
    let again = read();
    std::fs::remove_dir(&folder).unwrap();
    assert_eq!(again.unwrap(), before);
}
