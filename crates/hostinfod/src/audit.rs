//! The audit log: which guests connected and by which rule, what was refused, and what an
//! administrator changed. Each is one event of the log, with fields that journald keeps; see
//! `docs/audit.md`. [`Quota`](quota::Quota)s bound the events that a guest can cause.

pub(crate) mod quota;

use std::borrow::Cow;
use std::path::Path;

use hostinfo_notices::{Declared, Notice};
use hostinfo_rules::Grant;
use tracing::{Level, event};

use quota::Permit;

/// The module in the log, for `[log.filters]`.
const TARGET: &str = "hostinfod::audit";

/// A guest's line is truncated to this many bytes.
const ASKED_MAX: usize = 128;

/// Writes an event to the log: its level, its name, its fields and its text.
macro_rules! audit {
    ($level:ident $name:literal: $($fields_and_text:tt)*) => {
        event!(target: TARGET, Level::$level, event = $name, $($fields_and_text)*)
    };
}

/// An event for auditors.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'a> {
    /// A guest has connected and may ask, or may ask from now on.
    Granted { guest: &'a str, grant: &'a Grant, pid: Option<i32>, permit: Permit },
    /// A guest has connected and may not ask, or may not from now on.
    Refused { guest: &'a str, grant: &'a Grant, why: &'a str, permit: Permit },
    /// A guest's connection has ended.
    Gone { guest: &'a str, why: &'a str, permit: Permit },
    /// A guest asked for what it may not see: `denied` names of that line.
    Denied { guest: &'a str, grant: &'a Grant, asked: &'a [u8], denied: u32, permit: Permit },
    /// Events about a guest were left out, and none followed that could say so.
    LeftOut { guest: &'a str, permit: Permit },
    /// The same of connections over a socket whose guest is not known, such as `vsock`.
    RefusalsLeftOut { socket: &'a str, permit: Permit },
    /// A socket is not served.
    SocketRefused { socket: &'a str, why: &'a str, permit: Permit },
    /// Other rules are in force; `rules` is their number.
    RulesLoaded { file: &'a Path, rules: usize },
    /// A rules file was not put in force.
    RulesRefused { file: &'a Path, why: &'a str },
    /// A notice was set by the user `uid`.
    NoticeSet { notice: &'a Notice, uid: u32 },
    /// A notice was removed by the user `uid`.
    NoticeCleared { notice: &'a Notice, uid: u32 },
    /// The host state was set by the user `uid`.
    HostStateSet { declared: &'a Declared, uid: u32 },
}

impl Event<'_> {
    /// Writes it to the log.
    pub(crate) fn log(self) {
        match self {
            Self::Granted { guest, grant, pid, permit: Permit { left_out } } => {
                let (rule, line) = place(grant);
                audit!(INFO "access-granted": guest, rule, line, pid, left_out, "guest {guest} may ask");
            }
            Self::Refused { guest, grant, why, permit: Permit { left_out } } => {
                let (rule, line) = place(grant);
                audit!(WARN "access-refused": guest, rule, line, left_out, "guest {guest} may not ask: {why}");
            }
            Self::Gone { guest, why, permit: Permit { left_out } } => {
                audit!(INFO "guest-gone": guest, left_out, "guest {guest}: {why}");
            }
            Self::Denied { guest, grant, asked, denied, permit: Permit { left_out } } => {
                let ((rule, line), asked) = (place(grant), &*shown(asked));
                audit!(
                    INFO "query-denied": guest, rule, line, asked, denied, left_out,
                    "guest {guest} asked for what it may not see"
                );
            }
            Self::LeftOut { guest, permit: Permit { left_out } } => {
                audit!(INFO "events-left-out": guest, left_out, "events about guest {guest} were left out");
            }
            Self::RefusalsLeftOut { socket, permit: Permit { left_out } } => {
                audit!(INFO "events-left-out": socket, left_out, "events about connections to {socket} were left out");
            }
            Self::SocketRefused { socket, why, permit: Permit { left_out } } => {
                audit!(WARN "socket-refused": socket, left_out, "{socket:?}: not served: {why}");
            }
            Self::RulesLoaded { file, rules } => {
                let file = file.display();
                audit!(INFO "rules-loaded": %file, rules, "{file}: in force");
            }
            Self::RulesRefused { file, why } => {
                let file = file.display();
                audit!(ERROR "rules-refused": %file, "the previous rules stay in force: {why}");
            }
            Self::NoticeSet { notice, uid } => {
                let (id, pattern) = (notice.id, &*notice.draft.pattern);
                let until = notice.draft.until.map(tracing::field::display);
                audit!(INFO "notice-set": id, pattern, until, uid, "notice is set: {notice}");
            }
            Self::NoticeCleared { notice, uid } => {
                let (id, pattern) = (notice.id, &*notice.draft.pattern);
                audit!(INFO "notice-cleared": id, pattern, uid, "notice is cleared: {notice}");
            }
            Self::HostStateSet { declared, uid } => {
                let (state, remark) = (declared.state.word(), declared.remark.as_deref());
                audit!(INFO "host-state-set": state, remark, uid, "the host's state is {state}");
            }
        }
    }
}

/// The rule's pattern as written, and its line. Both are `None` for the built-in default.
fn place(grant: &Grant) -> (Option<&str>, Option<usize>) {
    let rule = grant.rule();
    (rule.map(|rule| &*rule.pattern), rule.map(|rule| rule.line))
}

/// The beginning of a guest's line.
fn shown(asked: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(asked.get(..ASKED_MAX).unwrap_or(asked));
    // Removes a character that was cut in two.
    match text.strip_suffix(char::REPLACEMENT_CHARACTER) {
        Some(whole) if asked.len() > ASKED_MAX => Cow::Owned(whole.to_owned()),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
