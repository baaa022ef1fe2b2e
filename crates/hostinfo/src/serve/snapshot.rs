//! The host's values at one time, and which of them a name refers to.

mod value;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use hostinfo_catalog::resolve;
use hostinfo_wire::reply::BLOCKED;
use hostinfo_wire::{Code, Refusal};

use crate::listed::Listed;
use crate::reply::{Line, interval};
use crate::serve::snapshot::value::{is_text, nearer, older};

/// How old the values are.
const AGE: &str = "sample.age";

/// The host's values. All times come from [`clock`](super::clock).
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// When it was asked.
    asked: Duration,
    /// In the host's order.
    values: Vec<NamedValue>,
    /// The values' positions by name.
    places: BTreeMap<String, usize>,
    /// What may be asked for: lines of `list`.
    listed: Rc<Vec<Line>>,
    /// Why groups are not available, as far as the host says so.
    reasons: BTreeMap<String, String>,
    /// Whether this guest may not ask for anything.
    is_blocked: bool,
}

/// A value, and its statistic.
#[derive(Debug)]
pub(crate) struct NamedValue {
    pub(crate) name: String,
    value: String,
    /// Whether it is text, which JSON puts between quotes.
    pub(crate) is_text: bool,
}

/// The result for one word of a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Picked<'a> {
    /// The position of a value.
    Value(usize),
    Refused(Cow<'a, str>, Refusal),
}

impl Snapshot {
    /// Made from the replies to `get * verdict` and to `list`.
    pub(crate) fn new(asked: Duration, values: &[Line], listed: Rc<Vec<Line>>) -> Self {
        let is_blocked = matches!(values, [line] if line.text == BLOCKED);
        let rows = Listed::all(&listed);
        let mut named: Vec<NamedValue> = values
            .iter()
            .filter(|line| line.code == Code::Done)
            .filter_map(|line| line.text.split_once('='))
            .map(|(name, value)| NamedValue {
                name: name.to_owned(),
                value: value.to_owned(),
                is_text: is_text(name, value, &rows),
            })
            .collect();
        // How long it has kept them is its own to say, also where the host may not say more.
        if !is_blocked && named.iter().all(|value| value.name != AGE) {
            let age = NamedValue { name: AGE.to_owned(), value: "0".to_owned(), is_text: false };
            named.insert(0, age);
        }
        let reasons = values.iter().filter(|line| line.code == Code::Unavailable);
        let reasons = reasons.filter_map(|line| line.text.split_once(": "));
        let reasons = reasons.map(|(name, why)| (name.to_owned(), why.to_owned())).collect();
        let places = named.iter().enumerate().map(|(at, value)| (value.name.clone(), at)).collect();
        Self { asked, values: named, places, listed, reasons, is_blocked }
    }

    /// Whether the list contains every value.
    pub(crate) fn is_all_listed(&self) -> bool {
        let rows = self.rows();
        let is_listed = |value: &NamedValue| {
            value.name == AGE
                || rows.iter().any(|row| row.name == value.name)
                || rows.iter().any(|row| row.describes(&value.name))
        };
        self.values.iter().all(is_listed)
    }

    /// Whether the host's rules forbid this guest to ask at all.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// What may be asked for.
    pub(crate) fn rows(&self) -> Vec<Listed<'_>> {
        Listed::all(&self.listed)
    }

    /// The interval according to the host.
    pub(crate) fn interval(&self) -> Option<Duration> {
        interval(&self.values.get(*self.places.get("interval")?)?.value)
    }

    /// A value adjusted to `now`: its age has grown, and a pending verdict is closer.
    pub(crate) fn value(&self, place: usize, now: Duration) -> Option<(&NamedValue, Cow<'_, str>)> {
        let named = self.values.get(place)?;
        let age = now.saturating_sub(self.asked);
        let value = match named.name.as_str() {
            AGE => older(&named.value, age),
            name if name.starts_with("verdict.") => nearer(&named.value, age),
            _ => None,
        };
        Some((named, value.map_or(Cow::Borrowed(named.value.as_str()), Cow::Owned)))
    }

    /// The results for the words of a query, each value once.
    pub(crate) fn pick<'w>(&self, words: impl Iterator<Item = &'w str>) -> Vec<Picked<'w>> {
        let (mut picked, mut seen, mut words_seen) = (Vec::new(), HashSet::new(), HashSet::new());
        for word in words {
            if !words_seen.insert(word.to_ascii_lowercase()) {
                continue;
            }
            match self.places_of(word) {
                places if places.is_empty() => {
                    picked.push(Picked::Refused(Cow::Borrowed(word), self.why_not(word)));
                }
                places => {
                    let new = places.into_iter().filter(|place| seen.insert(*place));
                    picked.extend(new.map(Picked::Value));
                }
            }
        }
        picked
    }

    /// The positions of the values that a word refers to, in the host's order.
    fn places_of(&self, word: &str) -> Vec<usize> {
        if word == "*" {
            return (0..self.values.len()).collect();
        }
        let word = word.to_ascii_lowercase();
        let group = word.strip_suffix(".*");
        if let (None, Some(place)) = (group, self.places.get(&word)) {
            return vec![*place];
        }
        let prefix = format!("{}.", group.unwrap_or(&word));
        let below = self.places.range(prefix.clone()..);
        let mut places: Vec<usize> =
            below.take_while(|(name, _)| name.starts_with(&prefix)).map(|(_, at)| *at).collect();
        places.sort_unstable();
        places
    }

    /// Why there is nothing under that name. The host is not asked for it: its answer was
    /// everything.
    fn why_not(&self, word: &str) -> Refusal {
        let word = word.to_ascii_lowercase();
        let group = word.strip_suffix(".*").unwrap_or(&word);
        let is_listed = |row: &Listed<'_>| {
            row.describes(&word)
                || row.name.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'))
        };
        let rows = self.rows();
        if rows.iter().any(is_listed) || (word == "*" && !rows.is_empty()) {
            let groups = std::iter::successors(Some(group), |name| Some(name.rsplit_once('.')?.0));
            let mut reasons = groups.filter_map(|name| self.reasons.get(name).cloned());
            let why = reasons.next().map_or("not available now".into(), Cow::Owned);
            return Refusal::Unavailable(why);
        }
        // Hidden statistics of the administrator's own look like unknown ones, as they do on the
        // host.
        let mut first = word.split('.');
        let own = first.next().filter(|group| matches!(*group, "custom" | "label"));
        let may_see_own =
            own.is_some_and(|own| rows.iter().any(|row| row.name.split('.').next() == Some(own)));
        if resolve(&word).is_some() && !may_see_own {
            Refusal::NotPermitted
        } else {
            Refusal::NoSuchStatistic
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::any_figures;
    use hostinfo_wire::limits::INTERVAL_MAX;
    use proptest::prelude::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| Line { code: Code::Done, text: (*text).to_owned() }).collect()
    }

    fn snapshot() -> Snapshot {
        let values = lines(&[
            "session=a1",
            "session.start=5",
            "sample.age=0.1",
            "interval=60",
            "loadavg.1=0.42",
            "loadavg.15=2",
            "vm.cpu.1.delay=7",
            "vm.cpu.0.delay=6",
            "verdict.cpu=unknown: ask again in 60 s",
            "newer.thing=x",
        ]);
        let listed = lines(&[
            "session info - s",
            "session.start gauge seconds s",
            "interval gauge seconds i",
            "loadavg.1 gauge - load",
            "swap.free gauge bytes free swap",
            "vm.cpu.N.delay counter seconds d",
            "custom.rack gauge - r",
        ]);
        Snapshot::new(NOW, &values, listed.into())
    }

    fn names(words: &[&str]) -> Vec<String> {
        let snapshot = snapshot();
        let name = |picked| match picked {
            Picked::Value(place) => snapshot.value(place, NOW).unwrap().0.name.clone(),
            Picked::Refused(name, refusal) => format!("{} {name}", refusal.code()),
        };
        snapshot.pick(words.iter().copied()).into_iter().map(name).collect()
    }

    #[test]
    fn a_name_is_a_statistic_a_group_or_everything_each_value_once() {
        assert_eq!(names(&["LOADAVG", "loadavg.1"]), ["loadavg.1", "loadavg.15"]);
        assert_eq!(names(&["session"]), ["session"]);
        assert_eq!(names(&["session.*", "session"]), ["session.start", "session"]);
        assert_eq!(names(&["vm.cpu"]), ["vm.cpu.1.delay", "vm.cpu.0.delay"], "the host's order");
        assert_eq!(names(&["*", "loadavg"]).len(), 10);
    }

    #[test]
    fn a_name_without_a_value_is_unavailable_forbidden_or_unknown_by_the_list() {
        assert_eq!(
            names(&["swap.free", "swap", "vm.cpu.7.delay", "host.name", "no.such", "custom.x"]),
            [
                "503 swap.free",
                "503 swap",
                "503 vm.cpu.7.delay",
                "403 host.name",
                "404 no.such",
                "404 custom.x"
            ]
        );
        assert_eq!(names(&["label.x", "host.*", "é"]), ["403 label.x", "403 host.*", "404 é"]);
    }

    #[test]
    fn why_the_host_has_no_verdicts_is_said_as_the_host_says_it() {
        let why = "hostinfod cannot see this guest's VMM";
        let values = [Line { code: Code::Unavailable, text: format!("verdict: {why}") }];
        let listed = lines(&["verdict.cpu info - v", "vm.cpu.N.delay counter seconds d"]);
        let snapshot = Snapshot::new(NOW, &values, listed.into());
        for word in ["verdict", "verdict.*", "VERDICT.cpu"] {
            let told = Refusal::Unavailable(why.into());
            assert_eq!(snapshot.pick([word].into_iter()), [Picked::Refused(word.into(), told)]);
        }
        let told = Refusal::Unavailable("not available now".into());
        assert_eq!(snapshot.pick(["vm"].into_iter()), [Picked::Refused("vm".into(), told)]);
    }

    #[test]
    fn values_grow_old_and_verdicts_come_nearer() {
        let snapshot = snapshot();
        let value = |name: &str, millis| {
            let place = snapshot.places[name];
            let (_, value) = snapshot.value(place, NOW + Duration::from_millis(millis)).unwrap();
            value.into_owned()
        };
        assert_eq!(value("sample.age", 0), "0.1");
        assert_eq!(value("sample.age", 1850), "2");
        assert_eq!(value("sample.age", 1901), "2.1");
        assert_eq!(value("verdict.cpu", 20_100), "unknown: ask again in 40 s");
        assert_eq!(value("verdict.cpu", 90_000), "unknown: ask again in 1 s");
        assert_eq!(value("loadavg.1", 90_000), "0.42");
        assert_eq!(snapshot.interval(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn where_the_host_does_not_say_how_old_values_are_the_broker_says_how_long_it_has_kept_them() {
        let listed = lines(&["loadavg.1 gauge - load"]);
        let snapshot = Snapshot::new(NOW, &lines(&["loadavg.1=0.42"]), listed.into());
        let [Picked::Value(place)] = *snapshot.pick(["sample.age"].into_iter()) else { panic!() };
        let (_, value) = snapshot.value(place, NOW + Duration::from_secs(25)).unwrap();
        assert_eq!(value, "25");
        assert!(snapshot.is_all_listed());
    }

    #[test]
    fn text_is_told_from_numbers_by_the_list_and_else_by_its_look() {
        let snapshot = snapshot();
        let is_text = |name: &str| snapshot.values[snapshot.places[name]].is_text;
        assert!(is_text("session") && is_text("newer.thing") && is_text("verdict.cpu"));
        assert!(!is_text("loadavg.1") && !is_text("vm.cpu.0.delay") && !is_text("sample.age"));
    }

    #[test]
    fn a_guest_that_may_not_ask_has_nothing() {
        let refused = [Line { code: Code::NotPermitted, text: BLOCKED.to_owned() }];
        assert!(Snapshot::new(NOW, &refused, Rc::default()).is_blocked());
        assert!(!snapshot().is_blocked());
    }

    proptest! {
        #[test]
        fn any_figures_of_a_host_are_given_on(lines in any_figures(), later in any::<u32>()) {
            let snapshot = Snapshot::new(NOW, &lines, Rc::default());
            let now = NOW + Duration::from_secs(later.into());
            let values = (0..lines.len() + 1).filter_map(|place| snapshot.value(place, now));
            prop_assert!(values.count() >= lines.len());
            prop_assert!(snapshot.interval().is_none_or(|interval| interval <= INTERVAL_MAX));
        }

        #[test]
        fn any_words_are_picked(words in proptest::collection::vec("\\PC{0,12}|[a-z]{1,7}(\\.\\*)?", 0..9)) {
            prop_assert!(snapshot().pick(words.iter().map(String::as_str)).len() <= 10 + words.len());
        }
    }
}
