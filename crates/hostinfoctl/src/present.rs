//! Which guests exist: those of libvirt, of the daemon, and of the socket directory.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use hostinfo_control::GuestState;
use hostinfo_domains::Access;
use hostinfo_rules::Tags;
use hostinfo_wire::text::escaped;

use crate::args::Options;
use crate::daemon::Known;
use crate::exit::{Failure, Status, complain};
use crate::facts::Facts;
use crate::guests::{is_pattern, means, select};
use crate::libvirt::Libvirt;
use crate::row::Row;
use crate::tags::{self, Lookup};
use crate::uri::is_remote;

/// The guests that were asked for.
pub(crate) struct Present {
    pub(crate) rows: Vec<Row>,
    /// Guests that were asked for but do not exist or cannot be read.
    unknown: Vec<Failure>,
    /// Why there may be further guests.
    missing: Option<Failure>,
}

impl Present {
    /// Finds the guests that the words match; without words, all.
    pub(crate) fn find(options: &Options, words: &[String], known: Option<&Known>) -> Self {
        let sought = tags::sought(options);
        if let Err(failure) = &sought {
            complain(format!("note: without guests' tags: {failure}"));
        }
        let (rows, unknown, missing) = match domains(options, words, &sought) {
            Ok((rows, unknown)) => (rows, unknown, None),
            Err(failure) => {
                let unknown =
                    |word: &String| Failure::NoGuest { name: word.clone(), nearest: None };
                (Vec::new(), words.iter().map(unknown).collect(), Some(failure))
            }
        };
        let sockets = match known {
            Some(known) => known
                .guests
                .values()
                .filter(|guest| guest.state != GuestState::Absent)
                .map(|guest| guest.guest.clone())
                .collect(),
            None if is_remote(&options.connect) => Vec::new(),
            None => sockets(&options.directory),
        };
        let mut present = Self { rows, unknown, missing };
        // A guest that is not a domain has no tags, and neither has any if libvirt is not used.
        let tags = match present.missing.is_some() && !matches!(sought, Ok(None)) {
            true => Tags::Unreadable,
            false => Tags::NONE,
        };
        present.add_sockets_without_domain(&sockets, words, &tags);
        if let Some(failure) = &present.missing {
            // All guests that were asked for were found.
            let has_all = !words.is_empty()
                && present.unknown.is_empty()
                && !words.iter().any(|word| is_pattern(word));
            if has_all || known.is_some_and(|known| known.has_all) {
                complain(format!("note: what libvirt knows is left out: {failure}"));
                present.missing = None;
            }
        }
        present
    }

    /// Whether these are certainly all.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing.is_none()
    }

    /// Guests that were asked for but do not exist or cannot be read.
    pub(crate) fn unknown(&self) -> &[Failure] {
        &self.unknown
    }

    /// Reports what was not found, and returns the exit statuses that follow.
    pub(crate) fn complain(&self) -> Vec<Status> {
        let Some(failure) = &self.missing else {
            self.unknown.iter().for_each(complain);
            return self.unknown.iter().map(Failure::status).collect();
        };
        for unknown in &self.unknown {
            match unknown {
                Failure::NoGuest { name, .. } => {
                    complain(format!(
                        "{}: only libvirt knows whether there is such a guest",
                        escaped(name)
                    ));
                }
                other => complain(other),
            }
        }
        complain(format!("{failure}; so guests without a socket are left out"));
        vec![failure.status()]
    }

    /// Adds guests for which there is a socket but no domain: those of a host without libvirt, and
    /// leftovers of removed guests. A word that matches one of them counts as found.
    fn add_sockets_without_domain(&mut self, sockets: &[String], words: &[String], tags: &Tags) {
        let domains: HashSet<String> = self.rows.iter().map(|row| row.guest.clone()).collect();
        let without_domain = sockets.iter().filter_map(|socket| {
            let (driver, name) = socket.split_once('-')?;
            let row = Row { tags: tags.clone(), ..Row::of_socket(driver, name) };
            (!domains.contains(socket)).then_some(row)
        });
        let is_meant = |row: &Row| {
            words.is_empty() || words.iter().any(|word| means(word, &row.guest, &row.name))
        };
        let without_domain: Vec<Row> = without_domain.filter(is_meant).collect();
        self.unknown.retain(|failure| match failure {
            Failure::NoGuest { name: word, .. } | Failure::NoMatch(word) => {
                !without_domain.iter().any(|row| means(word, &row.guest, &row.name))
            }
            _ => true,
        });
        self.rows.extend(without_domain);
    }
}

/// The guests that libvirt has, and a failure for each word that matches none.
fn domains(
    options: &Options,
    words: &[String],
    sought: &Lookup,
) -> Result<(Vec<Row>, Vec<Failure>), Failure> {
    let mut libvirt = Libvirt::connect(options, Access::Read)?;
    let entries = libvirt.list()?;
    let (guests, mut unknown) = select(&entries, libvirt.driver(), words);
    let mut rows = Vec::new();
    for entry in guests {
        match Facts::read(&mut libvirt, entry) {
            Ok(facts) => rows.extend(Row::of_domain(&facts, sought)),
            Err(failure @ Failure::Refused(_)) => {
                let guest = escaped(&libvirt.guest(entry));
                unknown.push(Failure::Refused(format!("{guest}: {failure}")));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((rows, unknown))
}

/// The names of the sockets in the directory.
fn sockets(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let names = sockets.filter_map(|socket| socket.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_socket_that_no_domain_has_is_a_guest_too() {
        let sockets = words(&["qemu-a", "qemu-web", "odd"]);
        let names = |asked: &[&str]| {
            let unknown = asked.iter().map(|word| Failure::NoMatch((*word).to_owned())).collect();
            let rows = vec![Row::of_socket("qemu", "web")];
            let mut present = Present { rows, unknown, missing: None };
            present.add_sockets_without_domain(&sockets, &words(asked), &Tags::NONE);
            let ids: Vec<String> =
                present.rows.iter().skip(1).map(|row| row.guest.clone()).collect();
            (ids, present.unknown.len())
        };
        assert_eq!(names(&[]), (words(&["qemu-a"]), 0));
        assert_eq!(names(&["a", "b*"]), (words(&["qemu-a"]), 1));
        assert_eq!(names(&["qemu-a"]), (words(&["qemu-a"]), 0));
    }
}
