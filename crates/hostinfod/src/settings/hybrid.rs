//! `[[listen]]` of the settings: where the daemon listens for guests whose VMM connects them to a socket of the
//! host, as Firecracker and cloud-hypervisor do with vsock. Others call that hybrid vsock, so here it is `hybrid`.

use hostinfo_open::pattern::is_driver;
use hostinfo_open::{Enabled, Entry, SocketPattern};
use serde::{Deserialize, Serialize};

/// Sections of one file at the most: each has its inotify instance, of which a user has 128.
const SECTIONS_MAX: usize = 16;

/// What stands for the guest's name.
const NAME: &str = "{name}";

/// One `[[listen]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct Hybrid {
    /// The VMM's `uds_path`, `_` and the port; and who is enabled. For other guests, the daemon does not listen.
    pub(crate) entry: Entry,
    pub(crate) user: VmmUser,
}

/// The user of VMMs, who alone may connect: a name or a number, in which `{name}` stands for the guest's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VmmUser(String);

/// A `[[listen]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: SocketPattern,
    driver: String,
    user: VmmUser,
    #[serde(default)]
    guests: Enabled,
}

impl From<Written> for Hybrid {
    fn from(Written { path, driver, user, guests }: Written) -> Self {
        Self { entry: Entry { pattern: path, driver, guests }, user }
    }
}

impl VmmUser {
    /// The user of the VMM of that guest.
    pub(crate) fn of(&self, name: &str) -> String {
        self.0.replace(NAME, name)
    }

    /// The VMMs of different guests have the same user, so that each could connect as another's guest.
    pub(crate) fn is_shared(&self) -> bool {
        !self.0.contains(NAME)
    }
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Hybrid>")]
pub(crate) struct Hybrids(Vec<Hybrid>);

impl Hybrids {
    /// One after another.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Hybrid> {
        self.0.iter()
    }

    /// The same.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = Hybrid> {
        self.0.into_iter()
    }
}

impl TryFrom<Vec<Hybrid>> for Hybrids {
    type Error = String;

    fn try_from(sections: Vec<Hybrid>) -> Result<Self, String> {
        if sections.len() > SECTIONS_MAX {
            return Err(format!(
                "{} sections [[listen]]: at most {SECTIONS_MAX} are possible",
                sections.len()
            ));
        }
        for (number, Hybrid { entry, user }) in sections.iter().enumerate() {
            let path = entry.pattern.text();
            if !entry.pattern.has_directories() {
                return Err(format!(
                    "[[listen]] path {path:?} has {NAME} in its last segment: it has to be in a \
                     directory's name, as in \"/srv/vm/{NAME}/vsock.sock_4678\", since hostinfod \
                     listens as soon as that directory appears"
                ));
            }
            if !is_driver(&entry.driver) {
                return Err(format!(
                    "[[listen]] driver {:?} for {path:?}: expected a word without `-`, such as \
                     \"firecracker\"; the guest is called driver-name",
                    entry.driver
                ));
            }
            if user.0.is_empty() {
                return Err(format!(
                    "[[listen]] user for {path:?} is empty: name the user that the VMM runs as"
                ));
            }
            let others = sections.iter().take(number).map(|other| &other.entry.pattern);
            if let Some(other) = others.into_iter().find(|other| other.overlaps(&entry.pattern)) {
                return Err(format!(
                    "[[listen]] paths {:?} and {path:?} may both match one path: change one of them",
                    other.text()
                ));
            }
        }
        Ok(Self(sections))
    }
}

/// What a text of settings says, which has nothing else.
#[cfg(test)]
pub(crate) fn parse(text: &str) -> Result<Hybrids, String> {
    #[derive(Deserialize)]
    struct File {
        listen: Hybrids,
    }
    toml::from_str(text).map(|File { listen }| listen).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(path: &str, more: &str) -> String {
        format!("[[listen]]\npath = '{path}'\n{more}\n")
    }

    const REST: &str = "driver = 'firecracker'\nuser = 'fc'";

    #[test]
    fn the_user_may_be_each_guests_own() {
        let text = section("/srv/{name}/v_4678", "driver = 'fc'\nuser = 'fc-{name}'");
        let own = parse(&text).unwrap().into_iter().next().unwrap();
        assert_eq!((own.user.of("web"), own.user.is_shared()), ("fc-web".to_owned(), false));
        let shared =
            parse(&section("/srv/{name}/v_4678", REST)).unwrap().into_iter().next().unwrap();
        assert_eq!((shared.user.of("web"), shared.user.is_shared()), ("fc".to_owned(), true));
    }

    #[test]
    fn no_guest_is_enabled_unless_the_section_says_so() {
        let first = |more: &str| {
            let sections = parse(&section("/srv/{name}/v", &format!("{REST}\n{more}")));
            sections.unwrap().into_iter().next().unwrap().entry.guests
        };
        assert!(first("").is_empty() && !first("").has("firecracker-web"));
        let some = first("guests = ['firecracker-web*']");
        assert!(some.has("firecracker-web1") && !some.has("firecracker-db"));
    }

    #[test]
    fn a_section_that_cannot_work_is_refused_with_the_reason() {
        let twice = section("/srv/{name}/v", REST) + &section("/srv/a{name}/v", REST);
        let many: String =
            (0..17).map(|number| section(&format!("/srv/{number}/{{name}}/v"), REST)).collect();
        for (text, word) in [
            (section("/srv/vm/v_4678", REST), "has no {name}"),
            (section("/srv/{name}.sock_4678", REST), "in a directory's name"),
            (section("/srv/{name}/v", "driver = 'a-b'\nuser = 'fc'"), "without `-`"),
            (section("/srv/{name}/v", "driver = 'fc'\nuser = ''"), "name the user"),
            (section("/srv/{name}/v", "driver = 'fc'"), "missing field `user`"),
            (section("/srv/{name}/v", &format!("{REST}\nmode = 1")), "mode"),
            (twice, "change one of them"),
            (many, "at most 16"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
