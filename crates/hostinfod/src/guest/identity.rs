//! The host's secret and the identifiers made from it, which tell a guest only whether its host is
//! still the same.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hostinfo_answer::HostId;
use rustix::io::Errno;
use sha2::Sha256;

use crate::guest::random::random;
use crate::system::file_error::FileError;

/// The file in the state directory.
const SECRET_FILE: &str = "secret";

/// machine-id(5).
const MACHINE_ID: &str = "/etc/machine-id";

const SECRET_LEN: usize = 32;

/// Most bytes read of the secret's file and of machine-id(5), which have 32 and 33 bytes.
const FILE_MAX: u64 = 4096;

/// The key of this host's identifiers.
pub(crate) struct Identity {
    mac: Hmac<Sha256>,
}

impl Identity {
    /// Made from a secret and from the 32 digits of machine-id(5), so that a host that was cloned
    /// with its secret still has identifiers of its own. Together they fill HMAC's key of 64 bytes.
    fn new(secret: &[u8; SECRET_LEN], machine_id: &[u8]) -> Self {
        let mut key = [0; 64];
        for (to, from) in key.iter_mut().zip(secret.iter().chain(machine_id)) {
            *to = *from;
        }
        Self { mac: Hmac::new(&key.into()) }
    }

    /// This host's identity, with the secret in `state`. If the secret cannot be stored, the log
    /// says so, and it lasts as long as the daemon.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        let machine_id = Path::new(MACHINE_ID);
        Self::load(state, machine_id).or_else(|error| {
            tracing::warn!("{error}; until it can be saved, host.id changes with each start");
            Ok(Self::new(&random()?, &read_machine_id(machine_id)))
        })
    }

    /// Reads the secret in `state`, or creates it.
    ///
    /// # Errors
    /// The directory or the file cannot be created or read, or the system has no random bytes.
    fn load(state: &Path, machine_id: &Path) -> Result<Self, FileError> {
        let file = state.join(SECRET_FILE);
        let mut secret = read_secret(&file).map_err(FileError::of(&file))?;
        if secret.is_none() {
            make_secret(state, &file).map_err(FileError::of(state))?;
            secret = read_secret(&file).map_err(FileError::of(&file))?;
        }
        let secret = secret.ok_or(Errno::NOENT).map_err(FileError::of(&file))?;
        sweep(state);
        Ok(Self::new(&secret, &read_machine_id(machine_id)))
    }

    /// The host's identifiers for the guest behind that socket.
    pub(crate) fn host_id(&self, socket_name: &str) -> HostId {
        HostId::of(&self.mac.clone().chain_update(socket_name).finalize().into_bytes().into())
    }

    /// How much the times of that guest's incidents are moved back, which no guest learns: less than a
    /// minute.
    pub(crate) fn time_shift(&self, socket_name: &str) -> Duration {
        self.time_below(TIME_SHIFT_MAX, "incidents", socket_name)
    }

    /// When in `period` that guest is sampled. It can find that out, so that must show nothing else, such as how many other
    /// guests there are.
    pub(crate) fn sample_phase(&self, period: Duration, socket_name: &str) -> Duration {
        self.time_below(period, "samples", socket_name)
    }

    /// A time in whole milliseconds. Its MAC's input contains a NUL, which no socket's name does, so it has nothing in
    /// common with a `host.id`.
    fn time_below(&self, most: Duration, what: &str, socket_name: &str) -> Duration {
        let mac = self.mac.clone().chain_update(what).chain_update("\0").chain_update(socket_name);
        let number = mac
            .finalize()
            .into_bytes()
            .iter()
            .take(8)
            .fold(0, |sum: u64, byte| sum.wrapping_mul(256).wrapping_add(u64::from(*byte)));
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(number.checked_rem(most).unwrap_or_default())
    }
}

/// Times are reported to the minute, so a shift is less than a minute.
const TIME_SHIFT_MAX: Duration = Duration::from_secs(60);

/// The secret in a file; `None` if there is no file.
fn read_secret(file: &Path) -> io::Result<Option<[u8; SECRET_LEN]>> {
    let Some(bytes) = hostinfo_file::read(file, FILE_MAX)? else { return Ok(None) };
    let secret = bytes.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Some(*secret))
}

/// Empty on a host without one.
fn read_machine_id(file: &Path) -> Vec<u8> {
    hostinfo_file::read(file, FILE_MAX).ok().flatten().unwrap_or_default()
}

/// Writes a temporary file and links it to its name, so that a partial secret is never found there.
/// If two daemons start at once, one of them wins.
fn make_secret(state: &Path, file: &Path) -> io::Result<()> {
    hostinfo_file::make_directory(state, 0o700)?;
    let secret: [u8; SECRET_LEN] = random()?;
    let aside = state.join(format!("{SECRET_FILE}.{}", std::process::id()));
    let written = hostinfo_file::make_aside(&aside)
        .and_then(|mut opened| opened.write_all(&secret).and_then(|()| opened.sync_all()))
        .and_then(|()| fs::hard_link(&aside, file));
    let _ = fs::remove_file(&aside);
    match written {
        // Another daemon was first, and may already have removed our temporary file.
        Err(_) if file.exists() => Ok(()),
        other => other,
    }
}

/// Removes temporary files of daemons that were killed in their first start. Once there is a
/// secret, nobody needs them.
fn sweep(state: &Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix(SECRET_FILE)?.strip_prefix('.'));
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_id_stays_for_a_guest_and_differs_between_guests_machines_and_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let machine = folder.path().join("machine-id");
        fs::write(&machine, "abc\n").unwrap();
        let state = folder.path().join("state");
        let id = |state: &Path| Identity::load(state, &machine).unwrap().host_id("qemu-a");
        let first = id(&state);
        assert_eq!(first.text().len(), 32);
        assert!((1..1 << 31).contains(&first.number()));
        let is_first = |other: HostId| {
            let same = [other.text() == first.text(), other.number() == first.number()];
            assert_eq!(same[0], same[1]);
            same[0]
        };
        assert!(is_first(id(&state)));
        assert!(!is_first(Identity::load(&state, &machine).unwrap().host_id("qemu-b")));
        assert!(!is_first(id(&folder.path().join("other"))));
        fs::write(&machine, "abd\n").unwrap();
        assert!(!is_first(id(&state)));
        assert!(!first.text().contains(&format!("{:x}", first.number())));
    }

    #[test]
    fn the_time_shift_is_a_guests_own_and_the_same_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let shifts = || -> Vec<Duration> {
            let identity = Identity::load(folder.path(), Path::new("/nonexistent")).unwrap();
            (0..100).map(|number| identity.time_shift(&format!("qemu-{number}"))).collect()
        };
        let first = shifts();
        assert_eq!(shifts(), first);
        assert!(first.iter().all(|time_shift| *time_shift < Duration::from_secs(60)));
        let late =
            first.iter().filter(|time_shift| **time_shift >= Duration::from_secs(30)).count();
        assert!((20..80).contains(&late), "{late}");
    }

    #[test]
    fn the_phases_of_guests_samples_fill_the_period_and_say_nothing_of_their_shifts() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::load(folder.path(), Path::new("/nonexistent")).unwrap();
        let period = Duration::from_secs(10);
        let names: Vec<String> = (0..1000).map(|number| format!("qemu-{number}")).collect();
        let phase = |name: &String| identity.sample_phase(period, name);
        let mut in_each_second = [0; 10];
        for name in &names {
            in_each_second[usize::try_from(phase(name).as_secs()).unwrap()] += 1;
        }
        assert!(in_each_second.iter().all(|count| (50..150).contains(count)), "{in_each_second:?}");
        let shift = |name: &String| identity.time_shift(name).as_millis() % period.as_millis();
        let alike = names.iter().filter(|name| phase(name).as_millis() == shift(name)).count();
        assert!(alike < 10, "{alike}");
    }

    #[test]
    fn only_its_owner_may_read_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        Identity::load(&state, Path::new("/nonexistent")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join(SECRET_FILE))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn the_remains_of_a_kill_in_the_first_start_are_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for left in ["secret.1", "secret.4194304", "secret.old", "notices.json"] {
            fs::write(folder.path().join(left), "x").unwrap();
        }
        for _ in 0..2 {
            Identity::load(folder.path(), Path::new("/nonexistent")).unwrap();
            let found = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = found.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["notices.json", "secret", "secret.old"]);
        }
    }

    #[test]
    fn a_secret_cut_short_is_an_error_and_not_a_weaker_secret() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SECRET_FILE), "short").unwrap();
        assert!(Identity::load(folder.path(), Path::new("/nonexistent")).is_err());
    }
}
