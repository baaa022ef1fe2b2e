//! `[[listen]]` of the settings: where the daemon listens for guests whose VMM connects them to a socket of the
//! host, as Firecracker and cloud-hypervisor do with vsock. Others call that hybrid vsock, so here it is `hybrid`.

use hostinfo_open::pattern::is_driver;
use hostinfo_open::{Enabled, SocketPattern};
use serde::Deserialize;

/// Sections of one file at the most: each has its inotify instance, of which a user has 128.
const SECTIONS_MAX: usize = 16;

/// What stands for the guest's name.
const NAME: &str = "{name}";

/// One `[[listen]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hybrid {
    /// The VMM's `uds_path`, `_` and the port.
    pub(crate) path: SocketPattern,
    /// The guest is `$driver-$name`.
    pub(crate) driver: String,
    /// The VMM's user, who alone may connect, besides root: a name or a number, in which `{name}` stands for
    /// the guest's name.
    user: String,
    /// Who is enabled. For other guests, the daemon does not listen.
    #[serde(default)]
    pub(crate) guests: Enabled,
}

impl Hybrid {
    /// The user of the VMM of that guest.
    pub(crate) fn user(&self, name: &str) -> String {
        self.user.replace(NAME, name)
    }

    /// Whether the two differ at most in who is enabled.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let Self { path, driver, user, guests: _ } = self;
        (path, driver, user) == (&other.path, &other.driver, &other.user)
    }

    /// The VMMs of different guests have the same user, so that each could connect as another's guest.
    pub(crate) fn shares_its_user(&self) -> bool {
        !self.user.contains(NAME)
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
        for (number, section) in sections.iter().enumerate() {
            let path = section.path.text();
            if !section.path.has_directories() {
                return Err(format!(
                    "[[listen]] path {path:?} has {NAME} in its last segment: it has to be in a \
                     directory's name, as in \"/srv/vm/{NAME}/vsock.sock_4678\", since hostinfod \
                     listens as soon as that directory appears"
                ));
            }
            if !is_driver(&section.driver) {
                return Err(format!(
                    "[[listen]] driver {:?} for {path:?}: expected a word without `-`, such as \
                     \"firecracker\"; the guest is called driver-name",
                    section.driver
                ));
            }
            if section.user.is_empty() {
                return Err(format!(
                    "[[listen]] user for {path:?} is empty: name the user that the VMM runs as"
                ));
            }
            let others = sections.iter().take(number);
            if let Some(other) =
                others.map(|other| &other.path).find(|it| it.overlaps(&section.path))
            {
                return Err(format!(
                    "[[listen]] paths {:?} and {path:?} may both match one path: change one of them",
                    other.text()
                ));
            }
        }
        Ok(Self(sections))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        listen: Hybrids,
    }

    fn section(path: &str, more: &str) -> String {
        format!("[[listen]]\npath = '{path}'\n{more}\n")
    }

    const REST: &str = "driver = 'firecracker'\nuser = 'fc'";

    fn parse(text: &str) -> Result<Hybrids, String> {
        toml::from_str(text).map(|File { listen }| listen).map_err(|error| error.to_string())
    }

    #[test]
    fn the_user_may_be_each_guests_own() {
        let text = section("/srv/{name}/v_4678", "driver = 'fc'\nuser = 'fc-{name}'");
        let own = parse(&text).unwrap().into_iter().next().unwrap();
        assert_eq!((own.user("web"), own.shares_its_user()), ("fc-web".to_owned(), false));
        let shared =
            parse(&section("/srv/{name}/v_4678", REST)).unwrap().into_iter().next().unwrap();
        assert_eq!((shared.user("web"), shared.shares_its_user()), ("fc".to_owned(), true));
    }

    #[test]
    fn no_guest_is_enabled_unless_the_section_says_so() {
        let first = |more: &str| {
            let sections = parse(&section("/srv/{name}/v", &format!("{REST}\n{more}")));
            sections.unwrap().into_iter().next().unwrap().guests
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
