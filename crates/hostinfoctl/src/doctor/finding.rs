//! What was found, for people and programs.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use hostinfo_domains::shell;
use hostinfo_wire::text::escaped;
use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// It is as it should be.
    Fine,
    /// Nothing has to be done, but it explains something.
    Note,
    /// This user cannot see whether it is as it should be.
    Unseen,
    /// Something has to be done.
    Problem,
}

impl Level {
    fn shown(self) -> (&'static str, Style) {
        match self {
            Self::Fine => ("ok", AnsiColor::Green.on_default()),
            Self::Note => ("note", Style::new()),
            Self::Unseen => ("unseen", AnsiColor::Yellow.on_default()),
            Self::Problem => ("problem", AnsiColor::Red.on_default()),
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Subject {
    Units,
    Daemon,
    Rules,
    Settings,
    Directory,
    Libvirt,
    Guests,
    Vsock,
    Denials,
}

impl Subject {
    pub(super) fn fine(self, message: impl AsRef<str>) -> Finding {
        self.finding(Level::Fine, message, &[])
    }

    pub(super) fn note(self, message: impl AsRef<str>) -> Finding {
        self.finding(Level::Note, message, &[])
    }

    /// What nobody can see.
    pub(super) fn unseen(self, message: impl AsRef<str>) -> Finding {
        self.finding(Level::Unseen, message, &[])
    }

    /// What root can see.
    pub(super) fn unseen_without_root(self, message: impl AsRef<str>) -> Finding {
        self.finding(Level::Unseen, message, &["sudo hostinfoctl doctor".to_owned()])
    }

    /// `remedy`: the commands that mend it, one after the other.
    pub(super) fn problem(self, message: impl AsRef<str>, remedy: &[String]) -> Finding {
        self.finding(Level::Problem, message, remedy)
    }

    fn finding(self, level: Level, message: impl AsRef<str>, remedy: &[String]) -> Finding {
        let remedy = remedy.iter().map(|command| escaped(command)).collect();
        Finding { subject: self, level, message: escaped(message.as_ref()), remedy }
    }
}

/// Something that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(super) subject: Subject,
    pub(super) level: Level,
    pub(super) message: String,
    /// The commands that mend it, one after the other.
    pub(super) remedy: Vec<String>,
}

impl Finding {
    /// `problem  directory  /var/lib/hostinfo is missing`
    pub(super) fn line(&self) -> String {
        let (level, style) = self.level.shown();
        let gap = " ".repeat(7_usize.saturating_sub(level.len()));
        format!("{style}{level}{style:#}{gap}  {:9}  {}\n", self.subject, self.message)
    }

    /// The line, and the commands below it.
    pub(super) fn shown(&self) -> String {
        let remedy = self.remedy.iter().map(|command| format!("{:20}# {command}\n", ""));
        self.line() + &remedy.collect::<String>()
    }
}

/// A path as one word of a command.
pub(super) fn quoted(path: &Path) -> String {
    shell(&path.display().to_string())
}
