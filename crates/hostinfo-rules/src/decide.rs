//! The decision: what a guest may ask for, and which line of the file decides.

pub(crate) mod change;

use std::time::Duration;

use hostinfo_catalog::{Scope, StatId};
use hostinfo_wire::limits::INTERVAL_DEFAULT;

use crate::setting::Setting;

/// What the guests of one rule may do.
///
/// Two grants are equal if the same lines of the file say the same. To compare only what a guest
/// may see, use [`Grant::shows_the_same`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    origin: Option<Origin>,
    /// The line of `enabled = 0`, if that applies.
    disabled: Option<usize>,
    interval: Duration,
    watch: bool,
    vhostmd_disk: bool,
    /// From top to bottom: the last selection that covers a statistic decides.
    selections: Vec<Selection>,
    /// The result of the selections for each row of the catalog.
    table: Box<[Shown]>,
}

/// A rule in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The pattern and its conditions as written, including quotes and escapes.
    pub pattern: String,
    /// The line of the header, from 1.
    pub line: usize,
}

/// A decision with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why {
    /// Whether the guest may see the statistic.
    pub permitted: bool,
    /// The line of the setting that decided, from 1. `None`: the built-in default.
    pub line: Option<usize>,
}

/// A setting that opens or closes statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Selection {
    line: usize,
    scopes: Vec<Scope>,
    permitted: bool,
}

impl Selection {
    /// Everything except its line.
    fn says(&self) -> (&[Scope], bool) {
        let Self { line: _, scopes, permitted } = self;
        (scopes, *permitted)
    }
}

/// Whether a row of the catalog is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    No,
    Yes,
    /// A setting names an instance.
    ByInstance,
}

impl Grant {
    /// The grant of a guest without a rule.
    pub(crate) fn builtin() -> Self {
        Self::new(None, [])
    }

    /// The grant of a guest as long as its tags leave open which rule applies: it permits nothing.
    pub fn closed() -> Self {
        Self::new(None, [(0, Setting::Select(vec![Scope::ALL], false))])
    }

    /// Applies the settings, each with its line, to the built-in default.
    pub(crate) fn new(
        origin: Option<Origin>,
        settings: impl IntoIterator<Item = (usize, Setting)>,
    ) -> Self {
        let mut grant = Self {
            origin,
            disabled: None,
            interval: INTERVAL_DEFAULT,
            watch: false,
            vhostmd_disk: false,
            selections: Vec::new(),
            table: StatId::all().map(|stat| Shown::of(stat.stat().default)).collect(),
        };
        for (line, setting) in settings {
            match setting {
                Setting::Enabled(enabled) => grant.disabled = (!enabled).then_some(line),
                Setting::Interval(interval) => grant.interval = interval,
                Setting::Watch(watch) => grant.watch = watch,
                Setting::VhostmdDisk(disk) => grant.vhostmd_disk = disk,
                Setting::Select(scopes, permitted) => grant.select(line, scopes, permitted),
            }
        }
        grant
    }

    fn select(&mut self, line: usize, scopes: Vec<Scope>, permitted: bool) {
        for scope in &scopes {
            let shown = match scope.instance() {
                None => Shown::of(permitted),
                Some(_) => Shown::ByInstance,
            };
            for row in scope.rows() {
                if let Some(cell) = self.table.get_mut(row.index()) {
                    *cell = shown;
                }
            }
        }
        self.selections.push(Selection { line, scopes, permitted });
    }

    /// Whether the guest may ask at all. Check this first: [`Grant::permits`] does not.
    pub fn enabled(&self) -> bool {
        self.disabled.is_none()
    }

    /// The line of the setting that forbids the guest to ask at all, from 1. `None`: it may ask.
    pub fn disabled_by(&self) -> Option<usize> {
        self.disabled
    }

    /// The time between two queries of a guest, from 0 to
    /// [`INTERVAL_MAX`](hostinfo_wire::limits::INTERVAL_MAX).
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether the guest is watched for its verdicts while it does not ask.
    pub fn watch(&self) -> bool {
        self.watch
    }

    /// Whether the guest has a metrics disk.
    pub fn vhostmd_disk(&self) -> bool {
        self.vhostmd_disk
    }

    /// Whether the guest may see a statistic; if it has instances, that instance of it.
    pub fn permits(&self, stat: StatId, instance: Option<&str>) -> bool {
        match self.table.get(stat.index()) {
            Some(Shown::No) => false,
            Some(Shown::Yes) => true,
            Some(Shown::ByInstance) | None => self.explain(stat, instance).permitted,
        }
    }

    /// Whether the guest may see any instance of the statistic.
    pub fn may_permit(&self, stat: StatId) -> bool {
        !matches!(self.table.get(stat.index()), Some(Shown::No))
    }

    /// Whether a setting names an instance of the statistic, so that the decision may differ
    /// between instances.
    pub fn names_an_instance_of(&self, stat: StatId) -> bool {
        matches!(self.table.get(stat.index()), Some(Shown::ByInstance) | None)
    }

    /// The result of [`Grant::permits`], and the line that decided.
    pub fn explain(&self, stat: StatId, instance: Option<&str>) -> Why {
        // Keys are not case-sensitive, so neither are instances.
        let lower = instance.map(str::to_ascii_lowercase);
        let means = |scope: &Scope| scope.covers(stat, lower.as_deref());
        match self.selections.iter().rev().find(|selection| selection.scopes.iter().any(means)) {
            Some(selection) => Why { permitted: selection.permitted, line: Some(selection.line) },
            None => Why { permitted: stat.stat().default, line: None },
        }
    }

    /// Whether a guest may see the same under both grants, so that a reply made under one may be
    /// sent under the other. The rule may have moved within the file, or have another interval.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        // Destructured so that a new field does not compile until it is considered here.
        let Self { origin: _, disabled, interval: _, watch: _, vhostmd_disk: _, selections, table } =
            self;
        disabled.is_some() == other.disabled.is_some()
            && *table == other.table
            && selections
                .iter()
                .map(Selection::says)
                .eq(other.selections.iter().map(Selection::says))
    }

    /// The instances that settings name, each with its statistic.
    pub(crate) fn instances(&self) -> impl Iterator<Item = (StatId, &str)> {
        let scopes = self.selections.iter().flat_map(|selection| &selection.scopes);
        scopes
            .filter_map(|scope| Some((scope, scope.instance()?)))
            .flat_map(|(scope, instance)| scope.rows().map(move |row| (row, instance)))
    }

    /// The rule. `None` if no rule matched.
    pub fn rule(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }
}

impl Shown {
    fn of(permitted: bool) -> Self {
        if permitted { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests;
