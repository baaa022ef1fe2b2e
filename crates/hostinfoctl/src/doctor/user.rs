//! The user that hostinfod runs as.

use std::fs;

use crate::subprocess::run;

/// The user of the daemon's unit, unless a drop-in says otherwise.
const USER: &str = "hostinfo";

/// A user with its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// Its name or number.
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) groups: Vec<u32>,
}

impl User {
    /// That of the running daemon; without one, the unit's, or the one that a unit of ours has. `is_running`: whether the
    /// daemon still runs, or else its number may have been another process's. `Err`: there is no such user.
    pub(crate) fn of(
        daemon: Option<u32>,
        is_running: impl FnOnce() -> bool,
        unit: Option<&str>,
    ) -> Result<Self, String> {
        let status = daemon.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        if let Some(user) = status.and_then(|status| of_status(&status)).filter(|_| is_running()) {
            return Ok(Self { name: name_of(user.uid).unwrap_or(user.name), ..user });
        }
        let name = unit.unwrap_or(USER);
        of_name(name).ok_or_else(|| name.to_owned())
    }
}

/// By `id`, which also knows the users of LDAP and sssd.
fn of_name(name: &str) -> Option<User> {
    let numbers = |option: &str| {
        let ran = run("id", &[option, "--", name]).ok().filter(|ran| ran.status == Some(0))?;
        ran.stdout
            .split_whitespace()
            .map(|number| number.parse().ok())
            .collect::<Option<Vec<u32>>>()
    };
    let uid = *numbers("-u")?.first()?;
    Some(User { name: name.to_owned(), uid, groups: numbers("-G")? })
}

fn name_of(uid: u32) -> Option<String> {
    let ran = run("id", &["-un", "--", &uid.to_string()]).ok()?;
    (ran.status == Some(0)).then(|| ran.stdout.trim().to_owned())
}

/// The effective user and all groups of a process: `Uid:\t0\t0\t0\t0` in proc_pid_status(5).
fn of_status(status: &str) -> Option<User> {
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().map(|number| number.parse().ok()).collect::<Option<Vec<u32>>>()
    };
    let uid = *line("Uid:")?.get(1)?;
    let mut groups = line("Groups:").unwrap_or_default();
    groups.extend(line("Gid:")?.get(1));
    Some(User { name: uid.to_string(), uid, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_its_effective_user_and_all_its_groups() {
        let status = "Name:\thostinfod\nUid:\t0\t7\t7\t7\nGid:\t0\t8\t8\t8\nGroups:\t8 9 \n";
        let user = of_status(status).unwrap();
        assert_eq!((user.uid, &*user.name, &user.groups[..]), (7, "7", &[8, 9, 8][..]));
        assert_eq!(of_status("Uid:\tx\n"), None);
    }

    #[test]
    fn root_is_known_by_name_and_nobody_else_is_made_up() {
        assert_eq!(of_name("root").unwrap().uid, 0);
        let of_unit = User::of(None, || true, Some("no-such-user-here"));
        assert_eq!(of_unit, Err("no-such-user-here".to_owned()));
    }

    #[test]
    fn a_process_that_may_have_ended_before_it_was_looked_at_says_nothing_of_the_daemons_user() {
        let of = |is_running| {
            User::of(Some(std::process::id()), || is_running, Some("no-such-user-here"))
        };
        assert!(of(true).is_ok());
        assert_eq!(of(false), Err("no-such-user-here".to_owned()));
    }
}
