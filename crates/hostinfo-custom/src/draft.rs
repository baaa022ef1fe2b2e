//! Which keys a definition may have, and which go together.

use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::{About, Kind, Unit};
use hostinfo_wire::duration;
use hostinfo_wire::text::is_printable;
use toml::de::DeValue;

use crate::account::Accounts;
use crate::definition::{Definition, GUEST, Scope, Source};
use crate::limits::{
    EVERY_DEFAULT, EVERY_MAX, EVERY_MIN, HELP_MAX, TIMEOUT_DEFAULT, TIMEOUT_MAX, TIMEOUT_MIN,
};

/// Every key.
const KEYS: &str =
    "`kind`, `unit`, `help`, `scope`, `file`, `command`, `every`, `timeout` or `user`";

/// A definition, as far as its keys have been read.
#[derive(Default)]
pub(crate) struct Draft {
    kind: Option<Kind>,
    unit: Option<Unit>,
    help: Option<String>,
    scope: Option<Scope>,
    file: Option<String>,
    command: Option<Vec<String>>,
    every: Option<Duration>,
    timeout: Option<Duration>,
    user: Option<String>,
}

impl Draft {
    /// Sets a key's value, or says what is wrong with it.
    pub(crate) fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), String> {
        match key {
            "kind" => self.kind = Some(one_of(value, &Kind::ALL, Kind::word)?),
            "unit" => self.unit = Some(one_of(value, Unit::ALL, Unit::word)?),
            "scope" => self.scope = Some(one_of(value, &Scope::ALL, Scope::word)?),
            "help" => self.help = Some(help(value)?),
            "file" => self.file = Some(absolute(word(value)?)?),
            "command" => self.command = Some(command(value)?),
            "every" => self.every = Some(span(value, EVERY_MIN, EVERY_MAX)?),
            "timeout" => self.timeout = Some(span(value, TIMEOUT_MIN, TIMEOUT_MAX)?),
            "user" => self.user = Some(word(value)?.to_owned()),
            _ => return Err(format!("unknown key `{}`: expected {KEYS}", key.escape_debug())),
        }
        Ok(())
    }

    /// The definition, or what is missing or contradictory.
    pub(crate) fn finish(self, name: &str, accounts: &Accounts) -> Result<Definition, String> {
        let kind = self.kind.ok_or("`kind` is missing: `info`, `gauge` or `counter`")?;
        let unit = self.unit.unwrap_or(Unit::None);
        if kind == Kind::Info && unit != Unit::None {
            return Err("an info is text and has no unit".to_owned());
        }
        let help = self.help.ok_or("`help` is missing: one line for the guest's owner")?;
        let source = match (self.file, self.command) {
            (Some(_), None) if self.timeout.is_some() => {
                return Err("`timeout` is for a command".to_owned());
            }
            (Some(path), None) => Source::File(path),
            (None, Some(words)) => Source::Command(words),
            _ => return Err("either `file` or `command` says where the value is".to_owned()),
        };
        let scope = self.scope.unwrap_or(Scope::Host);
        check_guest_words(&source, scope)?;
        let user = self.user;
        let account = match source {
            Source::File(_) => accounts.find(user.as_deref())?,
            // Whether it may act as that user is for hostinfo-run to say, which is another process.
            Source::Command(_) => {
                user.as_deref().map(|user| accounts.named(user)).transpose()?;
                None
            }
        };
        Ok(Definition {
            name: name.to_owned(),
            about: Arc::new(About { kind, unit, help, metric: None }),
            scope,
            source,
            every: self.every.unwrap_or(EVERY_DEFAULT),
            timeout: self.timeout.unwrap_or(TIMEOUT_DEFAULT),
            user,
            account,
        })
    }
}

/// A `{guest}` that would be taken literally, or one that is missing, is a mistake.
fn check_guest_words(source: &Source, scope: Scope) -> Result<(), String> {
    if source.words().any(|word| word.contains(GUEST) && word != GUEST) {
        return Err(format!(
            "`{GUEST}` stands alone: a whole word of a command, a whole step of a path"
        ));
    }
    match (scope, source.words().any(|word| word == GUEST)) {
        (Scope::Host, true) => Err(format!("`{GUEST}` needs scope = \"guest\"")),
        (Scope::Guest, false) => Err(format!(
            "scope = \"guest\" needs the word `{GUEST}`, which stands for the guest's name"
        )),
        _ => Ok(()),
    }
}

fn word<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    let word = value.as_str().filter(|word| !word.contains('\0'));
    word.ok_or_else(|| "expected a text in quotes".to_owned())
}

fn one_of<T: Copy>(
    value: &DeValue<'_>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let found = value.as_str().and_then(|word| all.iter().find(|one| name(**one) == word));
    found.copied().ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|one| format!("\"{}\"", name(*one))).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn help(value: &DeValue<'_>) -> Result<String, String> {
    let help = word(value)?.trim();
    if help.is_empty() || help.len() > HELP_MAX || !help.chars().all(is_printable) {
        return Err(format!("expected one line of at most {HELP_MAX} bytes"));
    }
    Ok(help.to_owned())
}

fn absolute(path: &str) -> Result<String, String> {
    if path.starts_with('/') {
        Ok(path.to_owned())
    } else {
        Err("expected a path that begins with `/`".to_owned())
    }
}

fn command(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let expected = "expected a list of words, the first an absolute path: [\"/path\", \"word\"]";
    let words = value.as_array().ok_or(expected)?.iter().map(|one| word(one.get_ref()));
    let words: Vec<String> = words.map(|word| word.map(str::to_owned)).collect::<Result<_, _>>()?;
    match words.first() {
        Some(program) if program.starts_with('/') && !program.contains(GUEST) => Ok(words),
        _ => Err(expected.to_owned()),
    }
}

fn span(value: &DeValue<'_>, shortest: Duration, longest: Duration) -> Result<Duration, String> {
    value.as_str().and_then(|text| duration::parse(text, shortest..=longest)).ok_or_else(|| {
        format!("expected a time such as \"10s\", \"500ms\" or \"5m\", {shortest:?} to {longest:?}")
    })
}
