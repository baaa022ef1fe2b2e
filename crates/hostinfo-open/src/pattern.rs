//! Where a VMM puts its guests' sockets: a path in which `{name}` stands for the guest's name.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What stands for the guest's name.
const NAME: &str = "{name}";

/// The longest pattern, in bytes. The kernel accepts paths of 4,095 bytes.
pub const PATTERN_MAX: usize = 1024;

/// The longest name, in bytes: the longest segment of a path that the kernel accepts.
pub const NAME_MAX: usize = 255;

/// The longest driver's name, in bytes.
pub const DRIVER_MAX: usize = 64;

/// An absolute path that contains `{name}` once, as a whole segment or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SocketPattern {
    text: String,
    /// The directories above the segment with the name, with a `/` at both ends.
    above: String,
    /// The part of that segment before the name.
    before: String,
    /// The part of that segment after the name.
    behind: String,
    /// The segments after that one, the last of which is the socket. If there are none, that one is the socket.
    below: Vec<String>,
}

/// Why a text is not a pattern. Each variant has the text, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It does not begin with `/`.
    #[error("{0:?} is not an absolute path: expected one such as \"/run/vm/{{name}}.hostinfo\"")]
    Relative(String),
    /// It does not contain `{name}`.
    #[error(
        "{0:?} has no {{name}}: write {{name}} where the guest's name stands in the path, as in \
         \"/run/vm/{{name}}.hostinfo\""
    )]
    NoName(String),
    /// It contains `{name}` more than once.
    #[error("{0:?} has more than one {{name}}: a guest has one name, so leave one")]
    TwoNames(String),
    /// It has braces around something else.
    #[error("{0:?} has braces that are not {{name}}: only {{name}} can stand in braces")]
    Braces(String),
    /// It is below `/proc`, where no guest's socket is.
    #[error("{0:?} is below /proc, where no socket of a guest is: give the VMM's own directory")]
    Proc(String),
    /// A segment is empty, `.` or `..`.
    #[error("{0:?} has an empty segment, or one that is . or ..: write the path without it")]
    Segment(String),
    /// It has a control character, such as a line end.
    #[error("{0:?} has a control character: remove it")]
    Control(String),
    /// It has that many bytes, which is more than [`PATTERN_MAX`].
    #[error("a pattern of {0} bytes: at most {PATTERN_MAX} are permitted")]
    TooLong(usize),
}

impl TryFrom<String> for SocketPattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        if text.len() > PATTERN_MAX {
            return Err(BadPattern::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(BadPattern::Control(text));
        }
        // /var/run is a link to /run wherever there is systemd, and the opener follows no links.
        let path = match text.strip_prefix("/var/run/") {
            Some(rest) => format!("/run/{rest}"),
            None => text.clone(),
        };
        let Some(relative) = path.strip_prefix('/') else { return Err(BadPattern::Relative(text)) };
        if relative.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(BadPattern::Segment(text));
        }
        if relative.split('/').next() == Some("proc") {
            return Err(BadPattern::Proc(text));
        }
        let Some((to_name, from_name)) = path.split_once(NAME) else {
            return Err(BadPattern::NoName(text));
        };
        if from_name.contains(NAME) {
            return Err(BadPattern::TwoNames(text));
        }
        if [to_name, from_name].iter().any(|part| part.contains(['{', '}'])) {
            return Err(BadPattern::Braces(text));
        }
        let (above, before) = to_name.rsplit_once('/').unwrap_or_default();
        let mut behind = from_name.split('/').map(str::to_owned);
        Ok(Self {
            above: format!("{above}/"),
            before: before.to_owned(),
            behind: behind.next().unwrap_or_default(),
            below: behind.collect(),
            text,
        })
    }
}

impl SocketPattern {
    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The directory that contains the segment with the name.
    pub fn directory(&self) -> &Path {
        Path::new(&self.above)
    }

    /// The guest's name in the name of a file of [`SocketPattern::directory`]. `None` if the file does not match
    /// the pattern, or if that part cannot be a guest's name: see [`is_name`].
    pub fn name<'s>(&self, segment: &'s str) -> Option<&'s str> {
        let name = segment.strip_prefix(&*self.before)?.strip_suffix(&*self.behind)?;
        is_name(name).then_some(name)
    }

    /// The segments of a guest's path below [`SocketPattern::directory`], the last of which is the socket.
    pub fn segments(&self, name: &str) -> Vec<String> {
        let first = format!("{}{name}{}", self.before, self.behind);
        std::iter::once(first).chain(self.below.iter().cloned()).collect()
    }

    /// The path of a guest's socket.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(self.segments(name).join("/"))
    }

    /// The segments after the one with the name, the last of which is the socket. Empty if that one is the socket.
    pub fn below(&self) -> &[String] {
        &self.below
    }

    /// Whether each guest has a directory of its own for its socket.
    pub fn has_directories(&self) -> bool {
        !self.below.is_empty()
    }

    /// Whether some path matches both patterns.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.all_segments(), other.all_segments());
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(one, two)| one.overlaps(two))
    }

    fn all_segments(&self) -> Vec<Segment<'_>> {
        let above = self.above.split('/').filter(|segment| !segment.is_empty());
        let named = Segment::Named(&self.before, &self.behind);
        let below = self.below.iter().map(|segment| Segment::Fixed(segment));
        above.map(Segment::Fixed).chain([named]).chain(below).collect()
    }
}

/// What a segment of a path has to be.
enum Segment<'p> {
    Fixed(&'p str),
    /// That, a name, and that.
    Named(&'p str, &'p str),
}

impl Segment<'_> {
    /// Whether one text can be both.
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fixed(one), Self::Fixed(two)) => one == two,
            (Self::Named(before, behind), Self::Fixed(fixed))
            | (Self::Fixed(fixed), Self::Named(before, behind)) => {
                let name = fixed.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
                name.is_some_and(is_name)
            }
            // The longer beginning, any name and the longer end is both.
            (Self::Named(before, behind), Self::Named(other_before, other_behind)) => {
                (before.starts_with(other_before) || other_before.starts_with(before))
                    && (behind.ends_with(other_behind) || other_behind.ends_with(behind))
            }
        }
    }
}

/// Whether a word can be the driver in a guest's whole name, where the first `-` ends it.
pub fn is_driver(word: &str) -> bool {
    is_name(word) && !word.contains('-') && word.len() <= DRIVER_MAX
}

/// Whether both a guest and a file can have that name: see `docs/rules.md` for the names of guests.
pub fn is_name(name: &str) -> bool {
    let is_segment = !matches!(name, "" | "." | "..") && name.len() <= NAME_MAX;
    is_segment && !name.chars().any(|c| c.is_control() || c == '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn pattern(text: &str) -> SocketPattern {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn a_name_is_a_segment_or_a_part_of_one_and_matches_in_full() {
        let proxmox = pattern("/var/run/qemu-server/{name}.serial1");
        assert_eq!(proxmox.directory(), Path::new("/run/qemu-server/"));
        assert_eq!(proxmox.text(), "/var/run/qemu-server/{name}.serial1");
        assert_eq!(proxmox.name("100.serial1"), Some("100"));
        assert_eq!(proxmox.path("100"), Path::new("/run/qemu-server/100.serial1"));
        for other in ["100.serial0", "100.serial10", "100.qmp", "100.qga", ".serial1", "..serial1"]
        {
            assert_eq!(proxmox.name(other), None, "{other}");
        }
        let below = pattern("/srv/{name}/run/h");
        assert_eq!((below.name("a"), below.name("..")), (Some("a"), None));
        assert_eq!(below.segments("a"), ["a", "run", "h"]);
        assert_eq!(below.below(), ["run", "h"]);
        assert_eq!(pattern("/{name}").path("a"), Path::new("/a"));
    }

    #[test]
    fn a_driver_is_a_word_without_a_hyphen() {
        assert!(is_driver("firecracker") && is_driver("qemu"));
        for none in ["", "a-b", "a/b", "a\n", &"a".repeat(DRIVER_MAX + 1)] {
            assert!(!is_driver(none), "{none:?}");
        }
    }

    #[test]
    fn the_error_for_a_bad_pattern_says_why_and_what_to_write() {
        for (text, word) in [
            ("run/{name}", "not an absolute path"),
            ("", "not an absolute path"),
            ("/run/qemu", "has no {name}"),
            ("/run/{name}/{name}.s", "more than one {name}"),
            ("/run/{id}/{name}", "only {name} can stand in braces"),
            ("/run/{{name}}", "only {name} can stand in braces"),
            ("/proc/{name}/fd/3", "below /proc"),
            ("/run/../proc/{name}", "or one that is . or .."),
            ("/run//{name}", "an empty segment"),
            ("/run/{name}/", "an empty segment"),
            ("/run/{name}\n", "a control character"),
        ] {
            let why = SocketPattern::try_from(text.to_owned()).unwrap_err().to_string();
            assert!(why.contains(word), "{text}: {why}");
        }
        let long = format!("/{{name}}{}", "x".repeat(PATTERN_MAX));
        assert!(matches!(SocketPattern::try_from(long), Err(BadPattern::TooLong(_))));
    }

    #[test]
    fn two_patterns_meet_where_one_path_matches_both() {
        for (one, two, meet) in [
            ("/r/{name}.a", "/r/{name}.a", true),
            ("/r/{name}.a", "/r/{name}.b", false),
            ("/r/{name}.a", "/r/{name}", true),
            ("/r/x{name}", "/r/{name}y", true),
            ("/r/x{name}", "/r/y{name}", false),
            ("/r/{name}/a", "/r/{name}", false),
            ("/r/{name}/a", "/r/b/{name}", true),
            ("/r/{name}/a", "/r/b/c{name}", false),
            ("/var/run/{name}", "/run/{name}", true),
            ("/q/{name}", "/r/{name}", false),
        ] {
            assert_eq!(pattern(one).overlaps(&pattern(two)), meet, "{one} {two}");
            assert_eq!(pattern(two).overlaps(&pattern(one)), meet, "{two} {one}");
        }
    }

    proptest! {
        #[test]
        fn a_path_of_a_name_gives_that_name_back(
            text in "/[a-z/.]{0,12}\\{name\\}[a-z/.]{0,8}",
            name in "[ -~]{0,6}",
        ) {
            let Ok(pattern) = SocketPattern::try_from(text) else { return Ok(()) };
            if is_name(&name) {
                let segments = pattern.segments(&name);
                prop_assert_eq!(pattern.name(&segments[0]), Some(&*name));
            }
        }

        #[test]
        fn any_text_is_a_pattern_or_an_error(text in any::<String>(), other in "/.{0,9}\\{name\\}.{0,9}") {
            let _ = SocketPattern::try_from(text.clone());
            if let Ok(pattern) = SocketPattern::try_from(other) {
                prop_assert!(pattern.overlaps(&pattern));
                let _ = pattern.name(&text);
            }
        }
    }
}
