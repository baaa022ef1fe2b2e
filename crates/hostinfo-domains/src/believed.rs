//! What the daemon believes of what the helper says. The helper keeps to the same bounds; one that an attacker controls need
//! not.

use std::borrow::Cow;

use hostinfo_wire::text::printable;
use uuid::Uuid;

use crate::conflict::Conflict;
use crate::cut::cut;
use crate::domain::{Disk, Domain, Figures, Net, Vcpu};
use crate::limits::{NAME_MAX, NAMES_MAX, WORDS_MAX};
use crate::message::Hypervisor;
use crate::tags::Tags;
use crate::xml::Unreadable;

/// Words for the log, which can neither look like the end of a line nor be long.
pub(crate) fn words(text: &str) -> String {
    printable(Cow::Borrowed(cut(text, WORDS_MAX))).into_owned()
}

impl Domain {
    /// With texts that can be logged. A domain with more than [`NAMES_MAX`] names of a kind counts as unreadable.
    pub(crate) fn believed(mut self) -> Self {
        let Self { name, driver, names, unread, .. } = &mut self;
        if !names.fit() {
            unread.get_or_insert_with(|| Unreadable::TooManyPorts.to_string());
            names.lists_mut().into_iter().for_each(|list| list.truncate(NAMES_MAX));
        }
        for name in [name, driver].into_iter().chain(names.lists_mut().into_iter().flatten()) {
            name.truncate(cut(name, NAME_MAX).len());
        }
        *unread = unread.as_deref().map(words);
        self
    }

    /// About how many bytes of memory it takes. Its run and its socket's name are also in [`Whose`](crate::Whose), as is each
    /// of its names, with what is wrong with it, which has the domain's own name twice.
    pub(crate) fn size(&self) -> usize {
        let Self { name, driver, names, channel, tags, unread, .. } = self;
        let conflict = size_of::<Conflict>() + driver.len() + 2 * name.len();
        let listed = names.lists().into_iter().flatten();
        let listed = listed.map(|name| conflict + 2 * (size_of::<String>() + name.len()));
        let tags = match tags {
            Tags::Known(tags) => tags
                .iter()
                .map(|(key, value)| {
                    size_of::<(String, Option<String>)>() + key.len() + length(value)
                })
                .sum(),
            Tags::Unreadable => 0,
        };
        let texts = name.len() + driver.len() + length(channel) + length(unread);
        let socket = size_of::<(String, Uuid)>() + driver.len() + 1 + name.len();
        let run = size_of::<(u32, Uuid)>();
        size_of::<Self>() + texts + run + socket + tags + listed.sum::<usize>()
    }
}

impl Hypervisor {
    /// With short texts.
    pub(crate) fn believed(self) -> Self {
        Self { name: words(&self.name), version: words(&self.version) }
    }
}

impl Figures {
    /// Bytes of memory that they take, about.
    pub(crate) fn size(&self) -> usize {
        let names = self.disks.iter().map(|disk| disk.dev.len());
        size_of_val::<[Vcpu]>(&self.vcpus)
            + size_of_val::<[Disk]>(&self.disks)
            + size_of_val::<[Net]>(&self.nets)
            + names.sum::<usize>()
    }
}

fn length(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn words_of_the_helper_are_one_short_line() {
        assert_eq!(words("no\x1b[2K\r\nWARN forged\n"), "no [2K  WARN forged");
        assert_eq!(words(&"x".repeat(1 << 20)).len(), WORDS_MAX);
        let long = "x".repeat(1 << 20);
        let mut domain = examples::domain(1, &long);
        domain.names.hidden = vec![long.clone()];
        domain.unread = Some(format!("a\nb{long}"));
        let domain = domain.believed();
        let unread = domain.unread.unwrap();
        assert!(unread.starts_with("a bx") && unread.len() == WORDS_MAX, "{unread}");
        assert_eq!((domain.name.len(), domain.names.hidden[0].len()), (NAME_MAX, NAME_MAX));
    }

    #[test]
    fn a_domain_with_more_names_than_the_helper_may_tell_is_unreadable() {
        let mut domain = examples::domain(1, "web");
        domain.names.others = vec!["qemu-web".to_owned(); NAMES_MAX];
        assert_eq!(domain.clone().believed().unread, None);
        domain.names.others = vec!["qemu-web".to_owned(); NAMES_MAX + 1];
        let domain = domain.believed();
        assert_eq!(domain.names.others.len(), NAMES_MAX);
        assert_eq!(domain.unread.as_deref(), Some("it has over 16 ports for hostinfo"));
    }
}
