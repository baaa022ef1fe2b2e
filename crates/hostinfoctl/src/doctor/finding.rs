//! What can be found. `words` says it, with the commands that mend it.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::denials::Denial;
use crate::exit::Failure;
use crate::held::HeldPort;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Units,
    Daemon,
    Rules,
    Settings,
    Directory,
    Libvirt,
    Guests,
    Denials,
}

impl Subject {
    fn word(self) -> &'static str {
        match self {
            Self::Units => "units",
            Self::Daemon => "daemon",
            Self::Rules => "rules",
            Self::Settings => "settings",
            Self::Directory => "directory",
            Self::Libvirt => "libvirt",
            Self::Guests => "guests",
            Self::Denials => "denials",
        }
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Finding {
    NoSystemd {
        daemon_runs: bool,
    },
    UnitsUnseen(String),
    UnitRuns {
        unit: &'static str,
        state: String,
    },
    UnitMissing {
        unit: &'static str,
        daemon_runs: bool,
    },
    UnitMasked {
        unit: &'static str,
        /// Masked until the host's next start alone.
        until_boot: bool,
    },
    UnitFailed {
        unit: &'static str,
    },
    UnitStopped {
        unit: &'static str,
    },
    UnitDisabled {
        unit: &'static str,
    },
    DaemonAnswers {
        version: String,
        pid: u32,
    },
    /// It is another version than this program.
    DaemonDiffers {
        version: String,
        pid: u32,
    },
    DaemonSilent {
        why: String,
        systemd: bool,
    },
    DaemonUnseen(String),
    /// What the daemon says is wrong with something that it needs.
    DaemonReports(String),
    RulesRead {
        path: PathBuf,
        rules: String,
    },
    RulesWrong {
        path: PathBuf,
        why: String,
    },
    RulesUnseen(Failure),
    RulesNotInForce {
        path: PathBuf,
    },
    SettingsRead {
        path: PathBuf,
    },
    SettingsWrong {
        path: PathBuf,
        why: String,
    },
    /// Only part of them could be checked.
    SettingsUnseen(String),
    DirectoryOpen {
        path: PathBuf,
        user: String,
        sockets: usize,
    },
    DirectoryMissing {
        path: PathBuf,
    },
    DirectoryUnseen {
        path: PathBuf,
        why: String,
    },
    DirectoryOther {
        path: PathBuf,
    },
    DirectoryClosed {
        path: PathBuf,
        user: String,
    },
    NoDefaultAcl {
        path: PathBuf,
        user: String,
    },
    NoUser {
        user: String,
    },
    SocketClosed {
        path: PathBuf,
        user: String,
    },
    LibvirtUnused,
    LibvirtAnswers {
        uri: String,
        domains: usize,
    },
    /// It fails, and no libvirt is installed.
    LibvirtAbsent,
    LibvirtFails(Failure),
    GuestWrong {
        guest: String,
        name: String,
        /// `None` if it is no domain.
        uuid: Option<String>,
        why: String,
        repairs: bool,
    },
    GuestNotRestarted {
        guest: String,
        name: String,
        uuid: Option<String>,
        pluggable: bool,
    },
    GuestHeld(HeldPort),
    GuestClosed {
        guest: String,
        rule: String,
    },
    /// It was asked for by name, as were the next two.
    GuestFine {
        guest: String,
        state: &'static str,
    },
    GuestWithoutPort {
        guest: String,
        name: String,
    },
    GuestUnknown(String),
    GuestsUnseen(String),
    GuestsWithoutPort {
        number: usize,
    },
    MoreGuests {
        number: usize,
    },
    /// The socket directory has not the label of hostinfo's module for SELinux, nor one that libvirt's own policy has.
    LabelUnknown {
        path: PathBuf,
        label: String,
    },
    /// The daemon runs without its profile of AppArmor.
    ProfileUnused,
    Denied(Denial),
    NothingDenied,
    DenialsUnseen(&'static str),
}

/// A finding for people and programs.
#[derive(Debug, Serialize)]
pub(crate) struct Description {
    pub(crate) subject: Subject,
    pub(crate) level: Level,
    pub(crate) message: String,
    /// The commands that mend it, one after the other.
    pub(crate) remedy: Vec<String>,
}

impl Description {
    /// `problem  directory  /var/lib/hostinfo is missing`
    pub(crate) fn line(&self) -> String {
        let (level, style) = self.level.shown();
        let gap = " ".repeat(7_usize.saturating_sub(level.len()));
        format!("{style}{level}{style:#}{gap}  {:9}  {}\n", self.subject.word(), self.message)
    }

    /// The line, and the commands below it.
    pub(crate) fn shown(&self) -> String {
        let remedy = self.remedy.iter().map(|command| format!("{:20}# {command}\n", ""));
        self.line() + &remedy.collect::<String>()
    }
}
