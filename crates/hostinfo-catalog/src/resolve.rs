//! Finds the rows that a name refers to.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use hostinfo_wire::name::is_name;

use crate::id::StatId;
use crate::instances::OPEN;
use crate::scope::Scope;
use crate::stat::{fits, is_placeholder};
use crate::table::{LEN, STATS};
use crate::vhostmd;

/// What a word of a request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// One statistic; if the row has instances, one instance of it.
    Stat(StatId, Option<String>),
    /// Everything in the scope.
    Group(Scope),
    /// The instances of one statistic whose names continue the given one: [`Scope::below`].
    Below(StatId, String),
}

/// Finds what a word of a request refers to: a statistic, a group (`G` or `G.*`) or `*`. If a name
/// is both, the statistic wins. `None` if it refers to nothing.
pub fn resolve(word: &str) -> Option<Named> {
    if word == "*" {
        return Some(Named::Group(Scope::ALL));
    }
    let lower;
    let word = if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        lower = word.to_ascii_lowercase();
        &lower
    } else {
        word
    };
    if let Some(group) = word.strip_suffix(".*") {
        let Found { rows, is_stat, instance } = find(group)?;
        let first = StatId(rows.start);
        return match instance {
            Some(instance) if is_stat && first.stat().is_open() => {
                Some(Named::Below(first, instance))
            }
            instance => {
                let rows = if is_stat { rows.start + 1..rows.end } else { rows };
                (!rows.is_empty()).then(|| Named::Group(Scope::of_rows(rows, instance)))
            }
        };
    }
    let Found { rows, is_stat, instance } = find(word)?;
    Some(if is_stat {
        Named::Stat(StatId(rows.start), instance)
    } else {
        Named::Group(Scope::of_rows(rows, instance))
    })
}

/// Finds what a key of the rules refers to: the name itself and everything below it, `all`, or
/// `vhostmd`, which is more than one scope. Empty if it refers to nothing.
pub fn scopes(key: &str) -> Vec<Scope> {
    if key.eq_ignore_ascii_case("all") {
        vec![Scope::ALL]
    } else if key.eq_ignore_ascii_case("vhostmd") {
        vhostmd::stats().iter().copied().map(Scope::of).collect()
    } else {
        scope(key).into_iter().collect()
    }
}

fn scope(key: &str) -> Option<Scope> {
    find(&key.to_ascii_lowercase()).map(|found| Scope::of_rows(found.rows, found.instance))
}

/// The names of all rows and groups, for comparison with a misspelt name.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    PLAIN.keys().copied()
}

/// A name's rows; if `is_stat`, the first of them has exactly that name.
#[derive(Clone)]
struct Found {
    rows: Range<u16>,
    is_stat: bool,
    instance: Option<String>,
}

/// A row or group name without an instance in it.
struct Plain {
    found: Found,
    /// The rows whose next segment is an instance.
    instances: Range<u16>,
}

static PLAIN: LazyLock<HashMap<&'static str, Plain>> = LazyLock::new(|| {
    let mut plain: HashMap<&'static str, Plain> = HashMap::new();
    for (id, stat) in (0..LEN).zip(STATS) {
        let mut names = prefixes(stat.name).peekable();
        while let Some(name) = names.next_if(|name| !name.split('.').any(is_placeholder)) {
            let entry = plain.entry(name).or_insert(Plain {
                found: Found { rows: id..id, is_stat: name == stat.name, instance: None },
                instances: id..id,
            });
            entry.found.rows.end = id + 1;
            let instance_comes_next =
                names.peek().is_some_and(|next| next.split('.').any(is_placeholder));
            if instance_comes_next {
                if entry.instances.is_empty() {
                    entry.instances.start = id;
                }
                entry.instances.end = id + 1;
            }
        }
    }
    plain
});

fn find(name: &str) -> Option<Found> {
    if let Some(plain) = PLAIN.get(name) {
        return Some(plain.found.clone());
    }
    if !is_name(name) {
        return None;
    }
    // Only the rows below the longest plain beginning can match: a made-up name costs a look-up or
    // two in the table, not a scan of it.
    let group = prefixes(name).map_while(|prefix| PLAIN.get(prefix)).last()?;
    let mut all: Option<Found> = None;
    for id in group.instances.clone() {
        let row = StatId(id).stat().name;
        let Some((is_stat, instance)) = match_row(row, name) else { continue };
        let instance = Some(instance.to_owned());
        let found = all.get_or_insert(Found { rows: id..id, is_stat, instance });
        found.rows.end = id + 1;
    }
    all
}

/// Whether `name` is the row `template` or a group above it, and the instance it names.
fn match_row<'n>(template: &str, name: &'n str) -> Option<(bool, &'n str)> {
    let mut instance = None;
    let mut rest = Some(name);
    for segment in template.split('.') {
        let Some(left) = rest else {
            return instance.map(|instance| (false, instance));
        };
        if segment == OPEN {
            return Some((true, left));
        }
        let (own, behind) = left.split_once('.').map_or((left, None), |(o, b)| (o, Some(b)));
        if is_placeholder(segment) && fits(segment, own) {
            instance = Some(own);
        } else if segment != own {
            return None;
        }
        rest = behind;
    }
    match rest {
        None => instance.map(|instance| (true, instance)),
        Some(_) => None,
    }
}

/// `a`, `a.b`, `a.b.c` for `a.b.c`.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').filter_map(move |(at, _)| name.get(..at)).chain(std::iter::once(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_wire::request::VERBS;
    use proptest::prelude::*;

    fn names(word: &str) -> Vec<&'static str> {
        match resolve(word) {
            None => vec![],
            Some(Named::Stat(id, _)) => vec![id.stat().name],
            Some(Named::Group(scope)) => scope.rows().map(|id| id.stat().name).collect(),
            Some(Named::Below(id, _)) => vec![id.stat().name],
        }
    }

    #[test]
    fn every_row_is_found_under_its_own_name() {
        for id in StatId::all() {
            let instance = id.stat().has_instances().then_some("7");
            let name = id.stat().name_of(instance);
            let found = Some(Named::Stat(id, instance.map(str::to_owned)));
            assert_eq!(resolve(&name), found, "{name}");
        }
    }

    #[test]
    fn no_row_and_no_group_has_a_verbs_name() {
        for stat in STATS {
            for name in prefixes(stat.name) {
                let is_verb = VERBS.iter().any(|verb| verb.word() == name);
                assert!(!is_verb, "{} cannot be asked for: {name} is a verb", stat.name);
            }
        }
    }

    #[test]
    fn rows_of_a_group_stand_together() {
        for stat in STATS {
            for group in prefixes(stat.name).filter(|name| *name != stat.name) {
                let rows: Vec<usize> = STATS
                    .iter()
                    .enumerate()
                    .filter(|(_, s)| s.name == group || s.name.starts_with(&format!("{group}.")))
                    .map(|(at, _)| at)
                    .collect();
                let together = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
                assert!(together, "the rows of {group} are scattered");
            }
        }
    }

    #[test]
    fn a_name_that_is_both_means_the_statistic_and_behind_a_dot_and_star_the_group() {
        assert_eq!(names("session"), ["session"]);
        assert_eq!(names("session.*"), ["session.start"]);
        assert_eq!(names("loadavg"), ["loadavg.1", "loadavg.5", "loadavg.15"]);
        assert_eq!(names("loadavg.*"), names("loadavg"));
    }

    #[test]
    fn names_are_not_case_sensitive() {
        assert_eq!(names("LoadAvg.1"), ["loadavg.1"]);
        assert_eq!(names("LOADAVG.*"), names("loadavg"));
    }

    #[test]
    fn star_is_everything() {
        assert_eq!(names("*").len(), STATS.len());
    }

    #[test]
    fn a_word_that_names_nothing_is_not_found() {
        for word in [
            "",
            "loadavg.2",
            "loadavg.1.*",
            "physcpus.*",
            "nosuch",
            "vm.cpu.x",
            "vm.cpu.07.seconds",
            "vm.disk.vda.read.bytes.x",
            "custom.",
            "custom.a..b",
            "**",
            "*.*",
            ".*",
            "all",
            "ü",
        ] {
            assert_eq!(resolve(word), None, "{word}");
        }
    }

    #[test]
    fn an_instance_is_a_group_of_its_own() {
        assert_eq!(names("vm.cpu.3"), ["vm.cpu.N.seconds", "vm.cpu.N.delay"]);
        let Some(Named::Group(disk)) = resolve("vm.disk.vda.read") else { panic!("no group") };
        assert_eq!(disk.instance(), Some("vda"));
        assert_eq!(disk.rows().count(), 3);
        assert_eq!(
            resolve("custom.rack.temperature"),
            Some(Named::Stat(StatId(LEN - 1), Some("rack.temperature".to_owned())))
        );
    }

    #[test]
    fn names_below_a_custom_name_are_a_group() {
        let Some(Named::Below(row, name)) = resolve("Custom.Rack.*") else { panic!("no group") };
        assert_eq!((row.stat().name, name.as_str()), ("custom.NAME", "rack"));
        let rack = Scope::below(row, name);
        assert!(rack.covers(row, Some("rack.fan")) && rack.covers(row, Some("rack.fan.1")));
        for other in [None, Some("rack"), Some("racks"), Some("fan")] {
            assert!(!rack.covers(row, other), "{other:?}");
        }
    }

    #[test]
    fn a_key_of_the_rules_means_itself_and_all_below_it() {
        let session = scope("session").unwrap();
        assert_eq!(session.rows().count(), 2);
        assert_eq!(scopes("ALL"), [Scope::ALL]);
        let disk = scope("vm.disk").unwrap();
        let vda = scope("vm.disk.vda").unwrap();
        let row = vda.rows().next().unwrap();
        assert!(vda.covers(row, Some("vda")) && !vda.covers(row, Some("vdaa")));
        assert!(disk.covers(row, Some("vdb")));
    }

    #[test]
    fn the_key_vhostmd_means_what_the_document_is_made_of_and_nothing_else() {
        let opened: Vec<StatId> = scopes("vhostmd").iter().flat_map(Scope::rows).collect();
        assert!(opened == vhostmd::stats());
        assert_eq!(resolve("vhostmd"), None, "it is a word of the rules alone");
    }

    proptest! {
        #[test]
        fn any_word_has_an_answer(word in "\\PC{0,40}|[a-z.*NA-Z0-9]{0,30}") {
            let _ = (resolve(&word), scopes(&word));
        }
    }
}
