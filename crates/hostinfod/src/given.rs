//! What the host's administrator gives to guests beside the host's own figures: labels, and
//! own statistics. See `docs/custom.md`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_catalog::{About, Source};
use hostinfo_custom::{Custom, Problem};
use hostinfo_wire::Refusal;

use crate::labels::Labels;
use crate::server::{Alarm, Server};

/// Whose the directory of definitions has to be: what it names is run.
const ROOT: u32 = 0;

/// Labels, and statistics of the administrator's own.
pub(crate) struct Given {
    /// Those of the settings.
    pub(crate) labels: Labels,
    /// Those of the directory.
    pub(crate) customs: Custom,
}

impl Given {
    /// Reads the directory's definitions, and logs what is wrong in them.
    ///
    /// # Errors
    /// Where there are no descriptors left.
    pub(crate) fn load(directory: &Path, labels: Labels) -> io::Result<Self> {
        let (customs, problems) = Custom::load(directory, ROOT)?;
        log(&problems);
        Ok(Self { labels, customs })
    }

    /// The names of a source; none of another than labels and the administrator's own.
    pub(crate) fn names(&self, source: Source) -> Vec<String> {
        match source {
            Source::Label => self.labels.names().map(str::to_owned).collect(),
            Source::Custom => self.customs.definitions().map(|one| one.name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// What there is to say of a statistic that the table does not know.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub(crate) fn about(&self, source: Source, name: &str) -> Result<Option<Arc<About>>, Refusal> {
        match source {
            Source::Label if self.labels.get(name).is_none() => Err(Refusal::NoSuchStatistic),
            Source::Custom => match self.customs.find(name) {
                Some(definition) => Ok(Some(Arc::clone(&definition.about))),
                None => Err(Refusal::NoSuchStatistic),
            },
            _ => Ok(None),
        }
    }
}

fn log(problems: &[Problem]) {
    for problem in problems {
        tracing::error!("{problem}");
    }
}

impl Server {
    /// Values may have come: guests that wait for them have their turn.
    pub(crate) fn take_values(&mut self, now: Instant) {
        let news = self.desk.given().customs.turn(now);
        if !news.is_empty() {
            self.wake(now, |guest| news.contains("") || news.contains(guest));
        }
    }

    /// Reads the directory again.
    pub(crate) fn reload_customs(&mut self) {
        log(&self.desk.given().customs.reload());
        // Who waits for what is gone now is told so.
        self.wake(Instant::now(), |_| true);
    }

    fn wake(&mut self, now: Instant, is_meant: impl Fn(&str) -> bool) {
        for (number, port) in &self.roster.ports {
            let waits = port.connection.as_ref().is_some_and(|one| one.asked.is_some());
            let guest = self.roster.guests.get(port.guest);
            if waits && guest.is_some_and(|guest| is_meant(guest.name.whole())) {
                self.alarms.set(Alarm::Port(number), Some(now));
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    /// What an administrator gives with those definitions and a label.
    pub(crate) fn given(definitions: &str) -> Given {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.toml");
        fs::write(&file, definitions).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let owner = rustix::process::geteuid().as_raw();
        let (customs, problems) = Custom::load(directory.path(), owner).unwrap();
        assert_eq!(problems, []);
        let labels = BTreeMap::from([("Rack".to_owned(), "b 7".to_owned())]);
        Given { labels: labels.try_into().unwrap(), customs }
    }
}
