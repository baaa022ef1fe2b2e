//! Looks at all processes, and finds other copies of this program: proc(5).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostinfo_file::aside::Patience;
use hostinfo_wire::text::printable;

use crate::others::{Holder, Others};

/// The longest that a search takes: ten thousand processes with ten files each take 0.2 s.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// The most that is read of a command line, in bytes: a process can give itself one of any length (`PR_SET_MM`, prctl(2)).
const COMMAND_LINE_MAX: u64 = 64 * 1024;

/// Finds other copies of this program except for its ancestors. Each is named by the command that it was started with,
/// one of `commands`. Where `/proc` is mounted with `hidepid`, only the user's own are seen.
pub(crate) fn copies(commands: &[&str]) -> Others {
    copies_of(Path::new("/proc"), std::process::id(), commands)
}

/// The same for the process `own`.
fn copies_of(proc: &Path, own: u32, commands: &[&str]) -> Others {
    let called = name(&proc.join(own.to_string()));
    find(proc, own, |pid, process| {
        if name(process) != called {
            return Found::Nothing;
        }
        match with_command(&called, process, commands) {
            Some(name) => Found::Holder(Holder { pid, name, reads: false }),
            None => Found::Unseen,
        }
    })
}

/// What is found of a process.
pub(super) enum Found {
    Nothing,
    Holder(Holder),
    /// This program may not look.
    Unseen,
}

/// Looks at all processes but `own` and its ancestors, for [`LOOK_MAX`] at the most.
pub(super) fn find(proc: &Path, own: u32, look_at: impl Fn(u32, &Path) -> Found) -> Others {
    let deadline = Instant::now() + LOOK_MAX;
    let ancestors = Ancestors::of(proc, own);
    let mut others = Others::default();
    let Ok(entries) = fs::read_dir(proc) else { return Others { is_partial: true, ..others } };
    for process in entries.flatten() {
        let Some(pid) = number(&process.file_name()) else { continue };
        if ancestors.include(pid) {
            continue;
        }
        if Instant::now() > deadline {
            others.is_partial = true;
            break;
        }
        match look_at(pid, &process.path()) {
            Found::Nothing => {}
            Found::Holder(holder) => others.holders.push(holder),
            Found::Unseen => others.is_partial = true,
        }
    }
    others
}

/// The name of a process, and which one of `commands` it was started with, if any. `None` if this program may not look, or
/// the process keeps it from that.
pub(super) fn with_command(name: &str, process: &Path, commands: &[&str]) -> Option<String> {
    let line = command_line(process.join("cmdline"))?;
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let command = commands.iter().find(|command| words.contains(&command.as_bytes()));
    Some(command.map_or_else(|| name.to_owned(), |command| format!("{name} {command}")))
}

/// Read in a thread: a process can keep its own from being read, as long as it likes.
fn command_line(file: PathBuf) -> Option<Vec<u8>> {
    let read = move || {
        let mut line = Vec::new();
        File::open(file)?.take(COMMAND_LINE_MAX).read_to_end(&mut line).map(|_| line)
    };
    Patience::default().ask(read, Instant::now())?.ok()
}

/// A process and its ancestors.
struct Ancestors(Vec<u32>);

impl Ancestors {
    fn of(proc: &Path, own: u32) -> Self {
        /// Deeper than any shell in a terminal in a session.
        const DEPTH_MAX: usize = 64;
        let parent =
            |pid: &u32| parent(&fs::read_to_string(proc.join(pid.to_string()).join("stat")).ok()?);
        Self(std::iter::successors(Some(own), parent).take(DEPTH_MAX).collect())
    }

    fn include(&self, pid: u32) -> bool {
        self.0.contains(&pid)
    }
}

/// The parent's PID, from /proc/PID/stat; the name in brackets may contain brackets itself.
///
/// `412 (a) b) S 1 412 412 0 -1 ...`
fn parent(stat: &str) -> Option<u32> {
    let (_, behind) = stat.rsplit_once(") ")?;
    behind.split(' ').nth(1)?.parse().ok().filter(|parent| *parent != 0)
}

fn number(name: &OsStr) -> Option<u32> {
    name.to_str()?.parse().ok()
}

pub(super) fn name(process: &Path) -> String {
    let name = fs::read(process.join("comm")).unwrap_or_default();
    let name = printable(String::from_utf8_lossy(&name)).into_owned();
    if name.is_empty() { "a program".to_owned() } else { name }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::os::unix::fs::symlink;

    /// A made-up /proc: processes with a parent and files, of which those are real devices.
    pub(in crate::system::linux) fn proc(processes: &[(u32, u32, &str)]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        for (pid, parent, file) in processes {
            let process = proc.path().join(pid.to_string());
            fs::create_dir_all(process.join("fd")).unwrap();
            fs::write(process.join("comm"), format!("program{pid}\n")).unwrap();
            fs::write(process.join("stat"), format!("{pid} (a) b) S {parent} 1 1 0")).unwrap();
            symlink(file, process.join("fd/3")).unwrap();
        }
        fs::create_dir(proc.path().join("sys")).unwrap();
        proc
    }

    #[test]
    fn other_copies_are_named_by_their_command_and_other_programs_are_no_copies() {
        let proc = proc(&[(1, 0, "/"), (20, 1, "/"), (21, 1, "/"), (22, 1, "/"), (23, 21, "/")]);
        for (pid, name, line) in [
            (20, "hostinfo", "/bin/hostinfo\0--device\0top\0record\0a\0"),
            (21, "hostinfo", "hostinfo\0--every\x0060s\0"),
            (22, "hostinfod", "hostinfod\0top\0"),
            (23, "hostinfo", "hostinfo\0"),
        ] {
            let process = proc.path().join(pid.to_string());
            fs::write(process.join("comm"), format!("{name}\n")).unwrap();
            fs::write(process.join("cmdline"), line).unwrap();
        }
        let seen = |own| {
            let mut seen = copies_of(proc.path(), own, &["record", "top"]);
            seen.holders.sort_by_key(|holder| holder.pid);
            seen.named()
        };
        assert_eq!(seen(23), "hostinfo record (PID 20)", "21 is its parent");
        assert_eq!(seen(20), "hostinfo (PID 21) and hostinfo (PID 23)");
    }

    #[test]
    fn a_process_whose_command_line_cannot_be_read_is_not_waited_for_and_a_long_one_not_read_whole()
    {
        let proc = proc(&[(1, 0, "/"), (20, 1, "/"), (21, 1, "/"), (22, 1, "/")]);
        for pid in [20, 21, 22] {
            fs::write(proc.path().join(format!("{pid}/comm")), "hostinfo\n").unwrap();
        }
        let line = |pid: u32| proc.path().join(pid.to_string()).join("cmdline");
        // Whoever opens it waits for one who writes.
        mkfifoat(CWD, line(20), Mode::RUSR | Mode::WUSR).unwrap();
        let endless = File::create(line(21)).unwrap();
        endless.set_len(1 << 40).unwrap();
        let seen = copies_of(proc.path(), 22, &["top"]);
        assert_eq!((seen.named(), seen.is_partial), ("hostinfo (PID 21)".to_owned(), true));
    }

    proptest! {
        #[test]
        fn any_stat_has_a_parent_or_none(stat in "\\PC{0,40}|[0-9]{1,3} \\(.{0,9}\\) [A-Z] [0-9]{1,12} 1") {
            let _ = parent(&stat);
        }
    }
}
