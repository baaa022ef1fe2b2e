//! What commands leave behind: processes outside their process group, whose parent has ended. hostinfo-run becomes their
//! parent and kills them. The kernel does not say whose they were, so it does so whenever any run ends.

use std::fs::File;
use std::io::{self, Read as _};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_child_subreaper, waitid,
};

/// The children of the thread that reads it: proc_tid_children(5).
const CHILDREN: &str = "/proc/thread-self/children";

/// The most that is read of it: 8,000 processes. The others are found when these are gone.
const CHILDREN_MAX: u64 = 64 * 1024;

/// Makes this process the parent of whatever its descendants leave behind. Returns false if it is somebody else's parent
/// already, whose descendants cannot be told from those of commands: then nothing is killed.
pub(super) fn adopt() -> io::Result<bool> {
    let is_alone = !getpid().is_init() && children()?.is_empty();
    if is_alone {
        set_child_subreaper(Some(getpid()))?;
    }
    Ok(is_alone)
}

/// Kills all children of this thread but those that are `known`, and returns whether there were any. What they have
/// started themselves is adopted when they are gone, and found the next time.
pub(super) fn kill(known: &[Pid]) -> bool {
    let found = children().unwrap_or_default();
    let strays: Vec<Pid> = found.into_iter().filter(|pid| !known.contains(pid)).collect();
    for stray in &strays {
        // Its number is not given to another process before it is waited for.
        let _ = kill_process(*stray, Signal::KILL);
        let _ = waitid(WaitId::Pid(*stray), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
    !strays.is_empty()
}

fn children() -> io::Result<Vec<Pid>> {
    let mut text = String::new();
    File::open(CHILDREN)?.take(CHILDREN_MAX).read_to_string(&mut text)?;
    Ok(parse(&text))
}

/// Numbers, with a blank after each, so one that was cut short has none.
fn parse(text: &str) -> Vec<Pid> {
    let whole = text.rsplit_once(' ').map_or("", |(whole, _)| whole);
    whole.split(' ').filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_number_that_was_cut_short_is_none() {
        let numbers = |text| parse(text).into_iter().map(Pid::as_raw_pid).collect::<Vec<_>>();
        assert_eq!(numbers("12 345 67"), [12, 345]);
        assert_eq!(numbers("12 "), [12]);
        assert!(numbers("").is_empty() && numbers("12").is_empty() && numbers("0 x -1").is_empty());
    }

    #[test]
    fn whoever_has_a_child_already_is_nobody_elses_parent() {
        let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(!adopt().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
