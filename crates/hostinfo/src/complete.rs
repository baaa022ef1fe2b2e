//! The names for shell completion: those that the host lists, cached for a while, because nobody
//! who presses Tab wants to wait for a host.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostinfo_catalog::resolve::known_names;

use crate::host::Host;
use crate::listed::Listed;
use crate::nearest::with_groups;
use crate::output::Shown;
use crate::question::Question;
use crate::reply::Line;
use crate::system::is_own;

/// The option with which a shell's completion calls this program.
pub(crate) const OPTION: &str = "--complete";

/// How long names are cached: what a guest may see rarely changes, and `hostinfo list` refreshes
/// the cache.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long this program's own names replace those of a host that did not answer, so that not every
/// Tab waits for it.
const KEPT_WITHOUT_HOST: Duration = Duration::from_secs(5 * 60);

/// The most that is read of the cache: a guest with 256 vCPUs and 32 disks has 80 KiB of names.
const CACHE_MAX: u64 = 1024 * 1024;

/// How long the host may be silent.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(500);

/// The names, one per line: the host's or, if it does not answer, those that this program knows.
pub(crate) fn run(host: &mut Host<'_>) -> Shown {
    let cache = cache();
    if let Some(kept) = cache.as_deref().and_then(|file| kept(file, SystemTime::now())) {
        return Shown { text: kept, ..Shown::default() };
    }
    let (names, time) = match host.ask(&Question::list_all()) {
        Ok(list) => (names(Listed::all(&list).iter().map(|listed| listed.name)), KEPT),
        Err(_) => (names(known_names()), KEPT_WITHOUT_HOST),
    };
    keep_at(cache.as_deref(), &names, time);
    Shown { text: names, ..Shown::default() }
}

/// Caches the names in an unrestricted list.
pub(crate) fn keep(list: &[Line]) {
    let listed = Listed::all(list);
    if !listed.is_empty() {
        keep_at(cache().as_deref(), &names(listed.iter().map(|listed| listed.name)), KEPT);
    }
}

/// The names and the groups above them, one per line.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = all.flat_map(with_groups).filter(|name| is_plain(name)).collect();
    names.into_iter().flat_map(|name| [name, "\n"]).collect()
}

/// Whether it can be asked for: a segment in capitals is a placeholder for an instance.
fn is_plain(name: &str) -> bool {
    hostinfo_wire::name::is_name(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The path of the cache, by the XDG Base Directory Specification. None below another user's directory, as with `sudo -E`:
/// that user's links would lead root elsewhere.
fn cache() -> Option<PathBuf> {
    let variable = |name| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute() && is_own(path))
    };
    let folder = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    Some(folder?.join("hostinfo/names"))
}

/// The cached names, unless they are too old. The file's modification time is the time at which it
/// expires.
fn kept(file: &Path, now: SystemTime) -> Option<String> {
    let meta = fs::metadata(file).ok().filter(|meta| meta.is_file() && meta.len() <= CACHE_MAX)?;
    let left = meta.modified().ok()?.duration_since(now).ok()?;
    // If the clock was set back, the file would be valid for years.
    if left > KEPT {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    Some(text.lines().filter(|name| is_plain(name)).flat_map(|name| [name, "\n"]).collect())
}

/// Caches names for that long. If that fails, the next call asks the host again.
fn keep_at(file: Option<&Path>, names: &str, time: Duration) {
    let Some(file) = file else { return };
    let shown = Shown { text: names.to_owned(), ..Shown::default() };
    let _ = file.parent().map(fs::create_dir_all);
    let is_written = shown.write(Some(file)).is_ok();
    let until = File::options().write(true).open(file).ok().filter(|_| is_written);
    let _ = until.map(|file| file.set_modified(SystemTime::now() + time));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_names_too_and_what_stands_for_an_instance_is_none() {
        let all = ["vm.cpu.0.delay", "vm.cpu.N.delay", "loadavg.1", "custom.NAME"];
        assert_eq!(
            names(all.into_iter()),
            "custom\nloadavg\nloadavg.1\nvm\nvm.cpu\nvm.cpu.0\nvm.cpu.0.delay\n"
        );
        assert!(names(known_names()).contains("\nmemory.total\n"));
    }

    #[test]
    fn names_are_kept_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hostinfo/names");
        assert_eq!(kept(&file, SystemTime::now()), None);
        let kept_after = |time| kept(&file, SystemTime::now() + time);
        let hour = Duration::from_secs(3600);
        keep_at(Some(&file), "loadavg\nmemory\n", KEPT);
        assert_eq!(kept_after(23 * hour).as_deref(), Some("loadavg\nmemory\n"));
        assert_eq!(kept_after(25 * hour), None);
        assert_eq!(kept(&file, SystemTime::now() - hour), None, "the clock was set back");
        keep_at(Some(&file), "loadavg\n$(rm -rf x)\n", KEPT_WITHOUT_HOST);
        assert_eq!(kept_after(Duration::ZERO).as_deref(), Some("loadavg\n"));
        assert_eq!(kept_after(hour), None, "a host that did not answer is asked again soon");
    }
}
