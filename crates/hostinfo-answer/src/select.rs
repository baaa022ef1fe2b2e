//! Looks up a query's names for one guest, using only tables.

use std::borrow::Cow;
use std::collections::HashSet;

use hostinfo_catalog::{Named, Scope, StatId, resolve};
use hostinfo_render::Answer;
use hostinfo_rules::Grant;
use hostinfo_wire::Refusal;

use crate::admin_values::AdminValues;

/// The meaning of one word of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pick<'a> {
    /// Nothing that this guest may see.
    Refused(Cow<'a, str>, Refusal),
    /// One statistic, asked for by its full name.
    Stat(StatId, Option<String>),
    /// A group that contains something this guest may see.
    Group(Cow<'a, str>, Scope),
}

impl Pick<'_> {
    /// Whether the pick includes that statistic, which has no instances.
    pub(crate) fn includes(&self, stat: StatId, grant: &Grant) -> bool {
        match self {
            Self::Refused(..) => false,
            Self::Stat(picked, _) => *picked == stat,
            Self::Group(_, scope) => scope.covers(stat, None) && grant.permits(stat, None),
        }
    }

    /// The rows that it may be answered with.
    pub(crate) fn rows<'g>(&self, grant: &'g Grant) -> impl Iterator<Item = StatId> + use<'g> {
        let (one, scope) = match self {
            Self::Refused(..) => (None, None),
            Self::Stat(stat, _) => (Some(*stat), None),
            Self::Group(_, scope) => (None, Some(scope)),
        };
        one.into_iter().chain(scope.map(|scope| permitted(scope, grant)).into_iter().flatten())
    }
}

/// The picks of a query, in the order of its words. A repeated word counts once.
pub(crate) fn select<'a>(
    words: impl Iterator<Item = &'a str>,
    grant: &Grant,
    admin_values: &AdminValues,
) -> Vec<Pick<'a>> {
    let mut words = words.map(|word| (word, lower_case(word)));
    let Some((asked, first)) = words.next() else { return Vec::new() };
    let mut picks = vec![pick(asked, first.clone(), grant, admin_values)];
    // Most queries have a single word.
    let mut seen = HashSet::new();
    for (asked, word) in words {
        if word != first && seen.insert(word.clone()) {
            picks.push(pick(asked, word, grant, admin_values));
        }
    }
    picks
}

/// Looks up `word`. An unknown name is returned the way it was `asked`.
fn pick<'a>(
    asked: &'a str,
    word: Cow<'a, str>,
    grant: &Grant,
    admin_values: &AdminValues,
) -> Pick<'a> {
    match resolve(&word) {
        None => Pick::Refused(asked.into(), Refusal::NoSuchStatistic),
        Some(Named::Stat(stat, Some(name))) if stat.stat().is_open() => {
            if grant.permits(stat, Some(&name)) && admin_values.has(stat.stat().instances, &name) {
                Pick::Stat(stat, Some(name))
            } else {
                pick_below(word, stat, name, grant, admin_values)
            }
        }
        Some(Named::Below(stat, name)) => pick_below(word, stat, name, grant, admin_values),
        Some(Named::Stat(stat, instance)) if grant.permits(stat, instance.as_deref()) => {
            Pick::Stat(stat, instance)
        }
        Some(Named::Group(scope)) if permitted(&scope, grant).next().is_some() => {
            Pick::Group(word, scope)
        }
        Some(_) => Pick::Refused(word, Refusal::NotPermitted),
    }
}

/// The administrator's names that begin with `name` and a dot. Only names that this guest may see
/// count, so that a hidden name looks like one that does not exist.
fn pick_below<'a>(
    word: Cow<'a, str>,
    stat: StatId,
    name: String,
    grant: &Grant,
    admin_values: &AdminValues,
) -> Pick<'a> {
    let permits = |name: &str| grant.permits(stat, Some(name));
    if admin_values.names(stat.stat().instances, &format!("{name}.")).any(permits) {
        Pick::Group(word, Scope::below(stat, name))
    } else if permits(&name) {
        Pick::Refused(word, Refusal::NoSuchStatistic)
    } else {
        Pick::Refused(word, Refusal::NotPermitted)
    }
}

/// The answers if nothing may be seen. They need no source.
pub(crate) fn refused(picks: Vec<Pick<'_>>) -> Vec<Answer<'_>> {
    let answer = |pick| match pick {
        Pick::Refused(name, refusal) => Some(Answer::Refused { name, refusal }),
        Pick::Stat(..) | Pick::Group(..) => None,
    };
    picks.into_iter().filter_map(answer).collect()
}

/// The rows of a scope of which a guest may see something.
pub(crate) fn permitted<'g>(
    scope: &Scope,
    grant: &'g Grant,
) -> impl Iterator<Item = StatId> + use<'g> {
    let instance = scope.instance().map(str::to_owned);
    scope.rows().filter(move |row| match &instance {
        None if row.stat().has_instances() => grant.may_permit(*row),
        instance => grant.permits(*row, instance.as_deref()),
    })
}

fn lower_case(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}
