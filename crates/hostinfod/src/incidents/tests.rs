use super::*;
use hostinfo_domains::Uuid;
use hostinfo_verdict::{DAMAGED, FILE_MAX, FOLDER};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const BOOT: &str = "sys/kernel/random/boot_id";

/// A state directory, and a `/proc` beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let boot = place.0.path().join(BOOT);
        fs::create_dir_all(boot.parent().unwrap()).unwrap();
        fs::write(boot, format!("{}\n", Uuid::from_u128(1))).unwrap();
        place.process(7, 100);
        place
    }

    /// Adds a process with that PID and start time.
    fn process(&self, pid: i32, start: u64) {
        let folder = self.0.path().join(pid.to_string());
        fs::create_dir_all(&folder).unwrap();
        let stat = format!("{pid} (qemu) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 {start} 1 2\n");
        fs::write(folder.join("stat"), stat).unwrap();
    }

    fn open(&self) -> IncidentFiles {
        self.open_where(|_| true)
    }

    fn open_where(&self, kept: impl Fn(&str) -> bool) -> IncidentFiles {
        IncidentFiles::open(self.0.path(), self.0.path(), kept, Instant::now())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(FOLDER).join(file)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join(FOLDER)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

fn domain(number: u128) -> GuestKey {
    GuestKey::Domain(Uuid::from_u128(number))
}

/// The file of a guest with one incident that ended this many days ago.
fn bytes(guest: &str, days_ago: i64) -> Vec<u8> {
    let second = Timestamp::now().as_second() - days_ago * 24 * 3600;
    let at = Timestamp::from_second(second).unwrap();
    let entry = format!(
        r#"{{"what":"cpu","state":"contended","from":"{at}","to":"{at}","part":1,"whole":2}}"#
    );
    format!(r#"{{"version":1,"guest":"{guest}","incidents":[{entry}]}}"#).into_bytes()
}

fn count(incidents: &Incidents) -> usize {
    incidents.lines(Timestamp::now(), Duration::ZERO, &|_, _| true).len()
}

#[test]
fn incidents_outlive_the_daemon_for_a_domain_and_without_libvirt_for_a_process() {
    let place = Place::new();
    for key in [domain(7), GuestKey::Process { pid: 7, start: 100 }] {
        let mut files = place.open();
        files.keep(key, "qemu-a", bytes("qemu-a", 0));
        assert_eq!(count(&files.load(key, "qemu-a")), 1, "also before they are written");
        files.write_all();
        assert_eq!(count(&place.open().load(key, "qemu-a")), 1);
        assert_eq!(place.files().len(), 1);
        place.open().forget(key);
        assert!(place.files().is_empty());
    }
}

#[test]
fn what_another_program_could_not_write_is_loaded_or_deleted_like_all_else() {
    for is_kept in [true, false] {
        let (place, next) = (Place::new(), Place::new());
        let mut before = place.open();
        before.keep(domain(7), "qemu-a", bytes("qemu-a", 0));
        let mut after = next.open();
        after.take_over(before.unwritten().clone());
        after.retain(|_| is_kept);
        assert_eq!(count(&after.load(domain(7), "qemu-a")), usize::from(is_kept));
        after.write_all();
        assert_eq!(next.0.path().join(FOLDER).exists(), is_kept);
    }
}

#[test]
fn a_file_is_written_in_its_own_folder_since_to_move_it_into_another_can_wait_for_other_users() {
    let place = Place::new();
    let mut files = place.open();
    let mut changed = Vec::new();
    for number in [7, 8] {
        files.keep(domain(number), "qemu-a", bytes("qemu-a", 0));
        files.write_all();
        changed.push(place.0.path().metadata().unwrap().modified().unwrap());
        // The clock of file systems has ticks of up to 10 ms.
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(place.files().len(), 2);
    assert_eq!(changed[0], changed[1]);
}

#[test]
fn another_guest_of_the_same_name_reads_no_incidents_and_those_of_the_first_are_deleted() {
    let place = Place::new();
    let mut files = place.open();
    files.keep(domain(7), "qemu-a", bytes("qemu-a", 0));
    files.write_all();
    let mut files = place.open();
    assert_eq!(count(&files.load(domain(8), "qemu-a")), 0);
    assert!(place.files().is_empty());
}

#[test]
fn a_domain_that_has_another_name_now_keeps_its_incidents() {
    let place = Place::new();
    let mut files = place.open();
    files.keep(domain(7), "qemu-a", bytes("qemu-a", 0));
    files.write_all();
    assert_eq!(count(&files.load(domain(7), "qemu-b")), 1);
    assert_eq!(count(&files.load(domain(8), "qemu-a")), 0);
    assert_eq!(place.files(), [Uuid::from_u128(7).to_string()]);
}

#[test]
fn a_process_that_has_ended_takes_its_incidents_along() {
    let place = Place::new();
    let key = GuestKey::Process { pid: 7, start: 100 };
    let boots = || fs::write(place.0.path().join(BOOT), Uuid::from_u128(2).to_string()).unwrap();
    for end in [&|| place.process(7, 101), &boots] as [&dyn Fn(); 2] {
        let mut files = place.open();
        place.process(7, 100);
        files.keep(key, "qemu-a", bytes("qemu-a", 0));
        files.write_all();
        assert_eq!(place.files().len(), 1);
        end();
        place.open();
        assert!(place.files().is_empty());
    }
}

#[test]
fn incidents_that_no_rule_keeps_or_that_ended_30_days_ago_are_deleted() {
    let place = Place::new();
    let mut files = place.open();
    for (number, (name, days)) in
        [("qemu-a", 0), ("qemu-b", 0), ("qemu-c", 29), ("qemu-d", 31)].into_iter().enumerate()
    {
        files.keep(domain(number as u128), name, bytes(name, days));
    }
    files.write_all();
    assert_eq!(place.files().len(), 4);
    let mut files = place.open_where(|guest| guest != "qemu-b");
    assert_eq!(place.files(), [0, 2].map(|number| Uuid::from_u128(number).to_string()));
    files.retain(|guest| guest != "qemu-a");
    assert_eq!(place.files(), [Uuid::from_u128(2).to_string()]);
    // The daemon deletes incidents that are too old from time to time.
    fs::write(place.path(&Uuid::from_u128(2).to_string()), bytes("qemu-c", 31)).unwrap();
    let day = files.due().unwrap();
    files.turn(|_| true, day);
    assert!(place.files().is_empty());
    assert_eq!(files.due(), None, "nothing is due where nothing is kept");
}

#[test]
fn at_most_one_file_a_second_is_written_for_all_guests_together_and_each_once() {
    let place = Place::new();
    let mut files = place.open();
    let start = Instant::now();
    let mut now = start;
    for number in 0..10 {
        for days in [3, 2, 1] {
            files.keep(domain(number), "qemu-a", bytes("qemu-a", days));
        }
    }
    let mut writes = Vec::new();
    while let Some(due) = files.due().filter(|due| *due < start + Duration::from_secs(60)) {
        now = now.max(due);
        let before = files.unwritten.len();
        files.turn(|_| true, now);
        assert_eq!(before - files.unwritten.len(), 1);
        writes.push((now - start).as_secs());
    }
    assert_eq!(writes, (0..10).collect::<Vec<_>>());
    assert_eq!(fs::read(place.path(&Uuid::from_u128(9).to_string())).unwrap(), bytes("qemu-a", 1));
}

#[test]
fn a_file_that_cannot_be_read_is_left_aside_and_the_others_are_read() {
    let place = Place::new();
    let mut files = place.open();
    files.keep(domain(7), "qemu-a", bytes("qemu-a", 0));
    files.write_all();
    let long = vec![b' '; FILE_MAX + 1];
    let name = Uuid::from_u128(8).to_string();
    for damaged in [&b"{\"version\":1"[..], b"", b"\xff\0", &long, b"{\"version\":2}"] {
        fs::write(place.path(&name), damaged).unwrap();
        let mut files = place.open();
        assert_eq!(count(&files.load(domain(8), "qemu-b")), 0);
        assert_eq!(fs::read(place.path(&format!("{name}.{DAMAGED}"))).unwrap(), damaged);
        assert_eq!(count(&files.load(domain(7), "qemu-a")), 1);
    }
}

#[test]
fn a_foreign_file_is_neither_waited_for_nor_followed_nor_touched() {
    let place = Place::new();
    let mut files = place.open();
    files.keep(domain(7), "qemu-a", bytes("qemu-a", 0));
    files.write_all();
    let [pipe, link, folder] =
        [8, 9, 10].map(|number| place.path(&Uuid::from_u128(number).to_string()));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let aim = place.0.path().join("aim");
    fs::write(&aim, bytes("qemu-b", 0)).unwrap();
    symlink(&aim, link).unwrap();
    fs::create_dir(folder).unwrap();
    fs::write(place.path("README"), "x").unwrap();
    let before = place.files();
    let mut files = place.open();
    for number in [8, 9, 10] {
        assert_eq!(count(&files.load(domain(number), "qemu-b")), 0);
    }
    assert_eq!(count(&files.load(domain(7), "qemu-a")), 1);
    assert_eq!(fs::read(place.path("README")).unwrap(), b"x");
    assert_eq!(place.files(), before);
}

#[test]
fn a_directory_that_cannot_be_written_is_tried_again_after_a_minute() {
    let place = Place::new();
    let mut files = place.open();
    fs::write(place.0.path().join(FOLDER), "in the way").unwrap();
    files.keep(domain(7), "qemu-a", bytes("qemu-a", 0));
    let now = files.due().unwrap();
    files.turn(|_| true, now);
    assert_eq!(files.due(), Some(now + AFTER_FAILURE));
    fs::remove_file(place.0.path().join(FOLDER)).unwrap();
    files.turn(|_| true, now + AFTER_FAILURE);
    assert_eq!(place.files().len(), 1);
}
