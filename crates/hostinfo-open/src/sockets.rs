//! `[[sockets]]` of hostinfod.toml: where sockets are, the driver of their guests, and which guests are enabled.

use serde::Deserialize;

use crate::enabled::Enabled;
use crate::pattern::{SocketPattern, is_driver};

/// The most entries. Each takes an inotify instance, and a user has 128 by default (`max_user_instances`,
/// inotify(7)).
pub const ENTRIES_MAX: usize = 16;

/// All entries. No path matches two of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Entry>")]
pub struct Sockets(Vec<Entry>);

/// One `[[sockets]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Entry {
    /// Where the sockets are.
    pub pattern: SocketPattern,
    /// The driver in the guests' whole names.
    pub driver: String,
    /// The enabled guests, by their whole names. hostinfod connects to no others.
    pub guests: Enabled,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: Option<SocketPattern>,
    driver: Option<String>,
    preset: Option<Preset>,
    #[serde(default)]
    guests: Vec<String>,
}

/// A path and a driver by name.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Preset {
    /// Proxmox VE's serial1.
    Proxmox,
}

impl Preset {
    fn path_and_driver(self) -> (&'static str, &'static str) {
        match self {
            Self::Proxmox => ("/var/run/qemu-server/{name}.serial1", "qemu"),
        }
    }
}

/// Why entries are invalid.
#[derive(Debug, thiserror::Error)]
pub enum BadEntry {
    /// It has both a preset and what the preset stands for.
    #[error("preset stands for path and driver: write preset alone, or path and driver")]
    PresetAndPath,
    /// It has neither a preset nor both `path` and `driver`.
    #[error(
        "expected path and driver, as in path = \"/run/vm/{{name}}.sock\" and driver = \"qemu\", or preset = \"proxmox\""
    )]
    Incomplete,
    /// The text cannot be a driver: see [`is_driver`].
    #[error("{0:?} cannot be a driver: expected one word without -, such as \"qemu\"")]
    Driver(String),
    /// A pattern in `guests` is invalid.
    #[error("guests: {0}")]
    Guests(#[from] hostinfo_rules::BadPattern),
    /// A preset's own path is invalid, which never happens.
    #[error(transparent)]
    Path(#[from] crate::pattern::BadPattern),
    /// Two patterns match one path, so that one VMM would be two guests.
    #[error("both {0:?} and {1:?} match one path: make one of them narrower, or remove it")]
    Overlap(String, String),
    /// There are that many, which is more than [`ENTRIES_MAX`].
    #[error("{0} [[sockets]]: at most {ENTRIES_MAX} are permitted")]
    TooMany(usize),
}

impl TryFrom<Written> for Entry {
    type Error = BadEntry;

    fn try_from(written: Written) -> Result<Self, BadEntry> {
        let Written { path, driver, preset, guests } = written;
        let (pattern, driver) = match (path, driver, preset) {
            (Some(path), Some(driver), None) => (path, driver),
            (None, None, Some(preset)) => {
                let (path, driver) = preset.path_and_driver();
                (path.to_owned().try_into()?, driver.to_owned())
            }
            (_, _, Some(_)) => return Err(BadEntry::PresetAndPath),
            (_, _, None) => return Err(BadEntry::Incomplete),
        };
        if !is_driver(&driver) {
            return Err(BadEntry::Driver(driver));
        }
        Ok(Self { pattern, driver, guests: guests.try_into()? })
    }
}

impl Entry {
    /// The whole name of the guest with that name.
    pub fn whole(&self, name: &str) -> String {
        format!("{}-{name}", self.driver)
    }

    /// Whether the guest with that name is enabled.
    pub fn allows(&self, name: &str) -> bool {
        self.guests.has(&self.whole(name))
    }

    /// Whether both are the same place, whichever guests are enabled.
    pub fn is_place_of(&self, other: &Self) -> bool {
        let Self { pattern, driver, guests: _ } = self;
        *pattern == other.pattern && *driver == other.driver
    }
}

impl TryFrom<Vec<Entry>> for Sockets {
    type Error = BadEntry;

    fn try_from(entries: Vec<Entry>) -> Result<Self, BadEntry> {
        if entries.len() > ENTRIES_MAX {
            return Err(BadEntry::TooMany(entries.len()));
        }
        for (number, one) in entries.iter().enumerate() {
            let mut others = entries.iter().skip(number + 1);
            if let Some(two) = others.find(|two| one.pattern.overlaps(&two.pattern)) {
                let [one, two] = [one, two].map(|entry| entry.pattern.text().to_owned());
                return Err(BadEntry::Overlap(one, two));
            }
        }
        Ok(Self(entries))
    }
}

/// A settings file, of which everything else is passed over: hostinfod checks that.
#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    sockets: Sockets,
}

impl Sockets {
    /// The entries in the text of a settings file. Ignores everything else in it.
    ///
    /// # Errors
    /// The text is not TOML, or a `[[sockets]]` in it is invalid: [`BadEntry`].
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text).map(|Settings { sockets }| sockets)
    }

    /// All entries, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The entry with exactly that pattern and driver.
    pub fn find(&self, pattern: &str, driver: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.pattern.text() == pattern && entry.driver == driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Sockets::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_entry_says_where_whose_and_who_is_enabled_and_nobody_is_by_default() {
        let sockets = Sockets::parse(
            "[paths]\nrules = '/x'\nanything = 1\n[[sockets]]\npreset = 'proxmox'\n\
             guests = ['qemu-100', 'qemu-2*']\n\
             [[sockets]]\npath = '/srv/{name}/h'\ndriver = 'lkvm'\n",
        );
        let sockets = sockets.unwrap();
        let [proxmox, lkvm] = sockets.entries() else { panic!("{sockets:?}") };
        assert_eq!(proxmox.whole("100"), "qemu-100");
        for (name, allows) in [("100", true), ("200", true), ("101", false), ("1000", false)] {
            assert_eq!(proxmox.allows(name), allows, "{name}");
        }
        assert!(!lkvm.allows("a"));
        assert_eq!(sockets.find("/srv/{name}/h", "lkvm"), Some(lkvm));
        assert_eq!(sockets.find("/srv/{name}/h", "qemu"), None);
        assert_eq!(sockets.find("/srv/{name}", "lkvm"), None);
        assert_eq!(Sockets::parse("").unwrap(), Sockets::default());
    }

    #[test]
    fn the_error_for_a_bad_section_names_its_line_and_the_remedy() {
        let two = "[[sockets]]\npath = '/r/{name}'\ndriver = 'a'\n\
                   [[sockets]]\npath = '/r/{name}.s'\ndriver = 'b'\n";
        for (text, line, word) in [
            ("\n[[sockets]]\npath = '/r/x'\ndriver = 'q'", "line 3", "has no {name}"),
            ("\n[[sockets]]\npath = '/r/{name}'", "line 2", "expected path and driver"),
            ("[[sockets]]\ndriver = 'q'", "line 1", "expected path and driver"),
            ("[[sockets]]\npreset = 'proxmox'\ndriver = 'q'", "line 1", "write preset alone"),
            ("[[sockets]]\npreset = 'kvmd'", "line 2", "proxmox"),
            ("[[sockets]]\npath = '/r/{name}'\ndriver = 'a-b'", "line 1", "one word without -"),
            ("[[sockets]]\npath = '/r/{name}'\ndriver = ''", "line 1", "one word without -"),
            ("[[sockets]]\npreset = 'proxmox'\nguests = ['a\\b']", "line 1", "guests: "),
            ("[[sockets]]\npreset = 'proxmox'\nguest = []", "line 3", "guest"),
            (two, "line 1", "both \"/r/{name}\" and \"/r/{name}.s\" match one path"),
            (&"[[sockets]]\npreset = 'proxmox'\n".repeat(17), "line 1", "at most 16"),
        ] {
            let why = refusal(text);
            assert!(why.contains(line) && why.contains(word), "{text}\n{why}");
        }
    }
}
