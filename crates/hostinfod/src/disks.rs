//! Metrics disks: a file for each guest whose rule says `vhostmd-disk = 1`, which QEMU shows it
//! as a read-only disk. See `docs/vhostmd.md`.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, read_dir};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostinfo_domains::{DISK_DIR, Domain, Snapshot};
use hostinfo_render::disk::{self, Disk};
use hostinfo_render::vhostmd::EMPTY;

use crate::answer::sources::When;
use crate::guest::Name;
use crate::guest::standing::Standing;
use crate::server::{Alarm, Server};
use crate::system::file_error::FileError;

/// A disk is written at the soonest so often, whatever the guest's interval.
const PERIOD_MIN: Duration = Duration::from_secs(5);

/// The files that are kept up to date.
pub(crate) struct Disks {
    directory: PathBuf,
    files: HashMap<Box<str>, (File, Disk)>,
}

impl Disks {
    /// The disks beside the sockets. Those of before show nothing until they are written: their
    /// rules may have changed, and a busy flag that a crash left would keep a reader waiting.
    pub(crate) fn beside(sockets: &Path) -> Self {
        let mut disks = Self { directory: sockets.join(DISK_DIR), files: HashMap::new() };
        let before = read_dir(&disks.directory).into_iter().flatten().flatten();
        for name in before.filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some(name) = Name::parse(&name) {
                disks.clear(&name);
            }
        }
        disks
    }

    /// Makes a guest's disk, where there is none, for when it starts.
    fn make(&mut self, name: &Name) {
        if self.directory.join(name.whole()).exists() {
            return;
        }
        if let Err(error) = self.write(name, EMPTY) {
            tracing::warn!(guest = name.whole(), "no metrics disk: {error}");
        }
        self.files.remove(name.whole());
    }

    /// Shows a guest nothing any more. The file stays: a domain that misses it does not start.
    fn clear(&mut self, name: &Name) {
        if self.directory.join(name.whole()).exists()
            && let Err(error) = self.write(name, EMPTY)
        {
            tracing::warn!("{error}; it may show what it should not");
        }
        self.files.remove(name.whole());
    }

    /// Puts a document on a guest's disk, and makes the disk where there is none.
    fn write(&mut self, name: &Name, document: &str) -> Result<(), FileError> {
        let path = self.directory.join(name.whole());
        let written = self.write_to(&path, name, document).map_err(FileError::of(&path));
        if written.is_err() {
            // What is on it is not known now.
            self.files.remove(name.whole());
        }
        written
    }

    fn write_to(&mut self, path: &Path, name: &Name, document: &str) -> io::Result<()> {
        if !self.files.contains_key(name.whole()) {
            let opened = open(&self.directory, path)?;
            self.files.insert(name.whole().into(), (opened, Disk::new()));
        }
        let Some((file, disk)) = self.files.get_mut(name.whole()) else { return Ok(()) };
        let steps = disk.update(document).map_err(io::Error::other)?;
        steps.iter().try_for_each(|step| file.write_all_at(&step.bytes, step.offset))
    }
}

/// QEMU, which is another user, reads the file and passes through the directory.
fn open(directory: &Path, path: &Path) -> io::Result<File> {
    match DirBuilder::new().mode(0o711).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o644).custom_flags(no_link);
    let file = options.open(path)?;
    // Umask, or a default ACL in its place, may have taken it from the others.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.set_len(disk::SIZE as u64)?;
    Ok(file)
}

impl Server {
    /// Has every disk made and written that the rules want, now: also those of guests that are
    /// not there yet, because a disk has to be there before its guest starts.
    pub(crate) fn plan_disks(&mut self, now: Instant) {
        let named: Vec<String> = self.rules.rules().named_guests().collect();
        for name in named.iter().filter_map(|name| Name::parse(name)) {
            self.plan_disk(&name, true, now);
        }
        let wanted = self.roster.guests.iter().filter(|(_, guest)| guest.grant.vhostmd_disk());
        for (guest, _) in wanted {
            self.alarms.set(Alarm::Disk(guest), Some(now));
        }
        self.plan_disks_since(&Snapshot::default(), now);
    }

    /// Has those disks made that libvirt's domains want which have come, or started, since
    /// `before`.
    pub(crate) fn plan_disks_since(&mut self, before: &Snapshot, now: Instant) {
        let Some(known) = self.desk.libvirt().known().cloned() else { return };
        for domain in known.guests().map(|guest| &guest.domain) {
            let was = before.guest(domain.uuid).map(|guest| &guest.domain);
            let is_old = |was: &Domain| was.name == domain.name && was.id == domain.id;
            if !was.is_some_and(is_old)
                && let Some(name) = Name::parse(&domain.socket_name())
            {
                self.plan_disk(&name, domain.is_live(), now);
            }
        }
    }

    /// Has a guest's disk made, and written where `may_be_read` by it.
    fn plan_disk(&mut self, name: &Name, may_be_read: bool, now: Instant) {
        if !self.rules.rules().decide(name.whole()).vhostmd_disk() {
            return;
        }
        if !may_be_read {
            return self.disks.make(name);
        }
        match self.guest(name, now) {
            Ok(guest) => self.alarms.set(Alarm::Disk(guest), Some(now)),
            Err(error) => tracing::error!(guest = name.whole(), "{error}"),
        }
    }

    /// Writes a guest's disk, and plans the next time.
    pub(crate) fn write_disk(&mut self, number: usize, now: Instant) {
        let may_be_read = self.may_be_read(number);
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let when = When::of(guest.disk_pending.take(), now);
        guest.has_disk = may_be_read;
        if !may_be_read {
            return self.disks.clear(&guest.name);
        }
        let document = match self.desk.document(guest, when) {
            Ok(document) => document,
            Err(pending) => {
                let until = guest.disk_pending.insert(pending).until;
                return self.alarms.set(Alarm::Disk(number), Some(until));
            }
        };
        if let Err(error) = self.disks.write(&guest.name, &document)
            && let Some(leave) = guest.quotas.own.ask(now)
        {
            tracing::warn!(
                guest = guest.name.whole(),
                left_out = leave.left_out,
                "no metrics disk: {error}"
            );
        }
        let period = guest.grant.interval().max(PERIOD_MIN);
        self.alarms.set(Alarm::Disk(number), Some(now + period));
    }

    /// Whether a guest has a disk and may be there to read it: it is connected, libvirt says so,
    /// or its rule names it and nobody can say.
    fn may_be_read(&self, number: usize) -> bool {
        let Some(guest) = self.roster.guests.get(number) else { return false };
        let is_named = || self.rules.rules().named_guests().any(|name| name == guest.name.whole());
        guest.grant.vhostmd_disk()
            && (matches!(guest.standing, Standing::Domain(..))
                || self.roster.is_connected(number)
                || is_named())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn content(path: &Path) -> String {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!((bytes.len(), &bytes[..8]), (disk::SIZE, &b"mvbd\0\0\0\0"[..]), "not busy");
        String::from_utf8(bytes[16..].split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_disk_shows_what_was_written_last_and_qemu_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::parse("qemu-a").unwrap();
        let path = folder.path().join("disk/qemu-a");
        let mut disks = Disks::beside(folder.path());
        for text in ["<metrics>\n<a>\n</metrics>\n\n", EMPTY] {
            disks.write(&name, text).unwrap();
            assert_eq!(content(&path).trim_end(), text.trim_end());
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o644, 0o711]);
    }

    #[test]
    fn a_disk_of_before_shows_nothing_and_is_not_busy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk/qemu-a");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"mvbd\0\0\0\x01secret").unwrap();
        let _disks = Disks::beside(folder.path());
        assert_eq!(content(&path).trim_end(), EMPTY.trim_end());
    }

    #[test]
    fn a_link_in_a_disks_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let aim = folder.path().join("aim");
        std::fs::write(&aim, "x").unwrap();
        std::fs::create_dir(folder.path().join("disk")).unwrap();
        symlink(&aim, folder.path().join("disk/qemu-a")).unwrap();
        let mut disks = Disks::beside(folder.path());
        assert!(disks.write(&Name::parse("qemu-a").unwrap(), EMPTY).is_err());
        assert_eq!(std::fs::read_to_string(&aim).unwrap(), "x");
    }
}
