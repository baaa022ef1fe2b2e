//! Which user runs commands, and with which user's rights files are read: in hostinfo-run and in hostinfod, each
//! with what it may do itself.

use std::collections::HashMap;
use std::path::Path;

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, capabilities};

/// passwd(5).
const PASSWD: &str = "/etc/passwd";

/// The most that is read of it: 150,000 users of 100 bytes. Larger sites keep their users
/// elsewhere.
const PASSWD_MAX: u64 = 16 * 1024 * 1024;

/// The user if a definition names none.
const NOBODY: &str = "nobody";

/// An unprivileged user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Never 0.
    pub uid: u32,
    /// The user's first group; never 0.
    pub gid: u32,
}

/// The users of this host, according to passwd(5).
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    users: HashMap<String, (u32, u32)>,
    power: Power,
}

/// Which users this process can act as, for a command or a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Power {
    /// Only as itself; it is not root.
    #[default]
    Itself,
    /// As any user.
    Anybody,
    /// Only as root, as in a container that leaves root no capabilities.
    Root,
}

impl Power {
    fn of_this_process() -> Self {
        let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
        if capabilities(None).is_ok_and(|own| own.effective.contains(needed)) {
            Self::Anybody
        } else if geteuid().is_root() || getegid().is_root() {
            Self::Root
        } else {
            Self::Itself
        }
    }
}

impl Accounts {
    /// The users in the text of passwd(5), for a process with that power.
    pub fn parse(passwd: &str, power: Power) -> Self {
        // nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some((name.to_owned(), (uid, gid)))
        };
        Self { users: passwd.lines().filter_map(user).collect(), power }
    }

    /// The users in [`PASSWD`]; none if it cannot be read.
    pub(crate) fn of_host() -> Self {
        let passwd = hostinfo_file::read(Path::new(PASSWD), PASSWD_MAX).ok().flatten();
        let passwd = passwd.unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&passwd), Power::of_this_process())
    }

    /// The user of a definition, or why there is none; `None` means the process's own user.
    pub(crate) fn find(&self, user: Option<&str>) -> Result<Option<Account>, String> {
        match (self.power, user) {
            (Power::Anybody, _) => {}
            (Power::Itself, None) => return Ok(None),
            (Power::Itself, Some(user)) => {
                return Err(format!(
                    "the service may not act as user `{}`: leave `user` out, or let it change users \
                     as hostinfo-custom(5) says",
                    user.escape_debug()
                ));
            }
            (Power::Root, _) => {
                return Err(
                    "the service is root and may become no other user, and nothing is read \
                            or run as root: give it CAP_SETUID and CAP_SETGID, or start it as \
                            another user"
                        .to_owned(),
                );
            }
        }
        self.named(user.unwrap_or(NOBODY)).map(Some)
    }

    /// The user with that name, whether or not this process may act as it; or why it may not be in a definition.
    pub(crate) fn named(&self, user: &str) -> Result<Account, String> {
        match self.users.get(user) {
            None => Err(format!("no user `{}` in /etc/passwd", user.escape_debug())),
            Some((0, _) | (_, 0)) => Err(format!(
                "user `{user}` is root or in root's group: name an unprivileged user, such as \
                 `{NOBODY}`"
            )),
            Some(&(uid, gid)) => Ok(Account { uid, gid }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::thread::{CapabilitySets, set_capabilities};

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        operator:x:11:0:operator:/root:/sbin/nologin\n+::::::\nshort:x:1\n\
        nobody:x:65534:65533:nobody:/:/sbin/nologin\nbackup:x:34:35::/:/bin/sh\n";

    #[test]
    fn a_command_runs_as_nobody_unless_its_definition_names_somebody() {
        let accounts = Accounts::parse(PASSWD, Power::Anybody);
        assert_eq!(accounts.find(None), Ok(Some(Account { uid: 65534, gid: 65533 })));
        assert_eq!(accounts.find(Some("backup")), Ok(Some(Account { uid: 34, gid: 35 })));
    }

    #[test]
    fn root_and_its_group_and_who_is_not_there_are_refused() {
        let accounts = Accounts::parse(PASSWD, Power::Anybody);
        for user in ["root", "operator", "short", "ghost", "", "+"] {
            assert!(accounts.find(Some(user)).is_err(), "{user}");
        }
        assert!(Accounts::parse("", Power::Anybody).find(None).is_err());
    }

    #[test]
    fn a_process_that_may_not_change_users_is_itself_alone_and_never_root() {
        let accounts = Accounts::parse(PASSWD, Power::Itself);
        assert_eq!(accounts.find(None), Ok(None));
        assert!(accounts.find(Some("backup")).unwrap_err().contains("`backup`"));
        let accounts = Accounts::parse(PASSWD, Power::Root);
        for user in [None, Some("backup"), Some("root")] {
            assert!(accounts.find(user).unwrap_err().contains("CAP_SETUID"), "{user:?}");
        }
    }

    #[test]
    fn root_without_its_capabilities_is_taken_for_root() {
        std::thread::spawn(|| {
            let sets = capabilities(None).unwrap();
            let effective = sets.effective - CapabilitySet::SETGID;
            // Capabilities belong to this thread alone.
            set_capabilities(None, CapabilitySets { effective, ..sets }).unwrap();
            let expected = if geteuid().is_root() { Power::Root } else { Power::Itself };
            assert_eq!(Power::of_this_process(), expected);
        })
        .join()
        .unwrap();
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,60}|([a-z]{0,3}:x?:[0-9]{0,12}:[0-9]{0,3}\n?){0,4}") {
            let _ = Accounts::parse(&text, Power::Anybody).find(None);
        }
    }
}
