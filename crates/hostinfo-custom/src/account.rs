//! Whom commands run as.

use std::collections::HashMap;
use std::fs;

use rustix::thread::{CapabilitySet, capabilities};

/// Who is meant where a definition names nobody.
const NOBODY: &str = "nobody";

/// An unprivileged user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Never 0.
    pub uid: u32,
    /// The user's first group; never 0.
    pub gid: u32,
}

/// The users of this host, as passwd(5) has them.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    users: HashMap<String, (u32, u32)>,
    may_change_user: bool,
}

impl Accounts {
    /// Those in the text of passwd(5). `may_change_user` says whether the daemon may become
    /// another user: else commands run as its own, and none as another.
    pub fn parse(passwd: &str, may_change_user: bool) -> Self {
        // nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some((name.to_owned(), (uid, gid)))
        };
        Self { users: passwd.lines().filter_map(user).collect(), may_change_user }
    }

    /// Those of `/etc/passwd`; none where it cannot be read.
    pub(crate) fn of_host() -> Self {
        let passwd = fs::read("/etc/passwd").unwrap_or_default();
        let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
        let may_change_user = capabilities(None).is_ok_and(|own| own.effective.contains(needed));
        Self::parse(&String::from_utf8_lossy(&passwd), may_change_user)
    }

    /// Whom a definition's command runs as, or why nobody; `None` for the daemon's own user.
    pub(crate) fn find_for_command(&self, user: Option<&str>) -> Result<Option<Account>, String> {
        if let (Some(user), false) = (user, self.may_change_user) {
            return Err(format!(
                "hostinfod may not run a command as `{}`: leave `user` out, or let the service \
                 change users as hostinfo-custom(5) says",
                user.escape_debug()
            ));
        }
        self.find(user)
    }

    /// The user of a definition, or why there is none.
    pub(crate) fn find(&self, user: Option<&str>) -> Result<Option<Account>, String> {
        if user.is_none() && !self.may_change_user {
            return Ok(None);
        }
        let user = user.unwrap_or(NOBODY);
        match self.users.get(user) {
            None => Err(format!("there is no user `{}` in /etc/passwd", user.escape_debug())),
            Some((0, _) | (_, 0)) => Err(format!(
                "user `{user}` is root or in root's group: name an unprivileged user, such as \
                 `{NOBODY}`"
            )),
            Some(&(uid, gid)) => Ok(Some(Account { uid, gid })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        operator:x:11:0:operator:/root:/sbin/nologin\n+::::::\nshort:x:1\n\
        nobody:x:65534:65533:nobody:/:/sbin/nologin\nbackup:x:34:35::/:/bin/sh\n";

    #[test]
    fn a_command_runs_as_nobody_unless_its_definition_names_somebody() {
        let accounts = Accounts::parse(PASSWD, true);
        assert_eq!(accounts.find(None), Ok(Some(Account { uid: 65534, gid: 65533 })));
        assert_eq!(accounts.find(Some("backup")), Ok(Some(Account { uid: 34, gid: 35 })));
    }

    #[test]
    fn root_and_its_group_and_who_is_not_there_are_refused() {
        let accounts = Accounts::parse(PASSWD, true);
        for user in ["root", "operator", "short", "ghost", "", "+"] {
            assert!(accounts.find(Some(user)).is_err(), "{user}");
        }
        assert!(Accounts::parse("", true).find(None).is_err());
    }

    #[test]
    fn a_daemon_that_may_not_change_users_runs_commands_as_itself_alone() {
        let accounts = Accounts::parse(PASSWD, false);
        assert_eq!(accounts.find_for_command(None), Ok(None));
        assert!(accounts.find_for_command(Some("backup")).unwrap_err().contains("`backup`"));
        // A file that the user may read needs nobody to become that user.
        assert!(accounts.find(Some("backup")).is_ok() && accounts.find(Some("root")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,60}|([a-z]{0,3}:x?:[0-9]{0,12}:[0-9]{0,3}\n?){0,4}") {
            let _ = Accounts::parse(&text, true).find(None);
        }
    }
}
