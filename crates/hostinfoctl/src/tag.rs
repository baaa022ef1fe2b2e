//! `tag`: what guests are known by besides their names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use hostinfo_domains::limits::{OWN_TAGS_MAX, TAG_KEY_MAX, TAG_MAX};
use hostinfo_domains::{
    Access, Entry, Form, TagSources, Unanswered, is_key, is_value, own_tags, own_tags_xml,
};
use serde::Serialize;
use serde_json::json;

use crate::args::{Options, Tag};
use crate::change::on_interrupt;
use crate::exit::{DONE, Failure, REFUSED, Status, complain, sum};
use crate::guests::select;
use crate::libvirt::Libvirt;
use crate::output::{coloured, printable, unified, write, write_json};
use crate::table::table;
use crate::tags;

/// What runs comes first: more can be wrong with it.
const FORMS: [Form; 2] = [Form::Live, Form::Config];

type Own = BTreeMap<String, String>;

/// Shows the tags of the guests that are wanted, or changes them.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: &Tag) -> Result<Status, Failure> {
    let sought = tags::sought(options)?;
    let is_used = sought.as_ref().is_some_and(|sought| sought.own);
    let sought = sought.unwrap_or_default();
    let wish = Wish::of(wanted, &sought)?;
    let interrupted = on_interrupt()?;
    let is_change = !wish.is_empty() && !wanted.dry_run;
    let access = if is_change { Access::Write } else { Access::Read };
    let mut libvirt = Libvirt::connect(options, access)?;
    let entries = libvirt.list()?;
    let (guests, unknown) = select(&entries, libvirt.driver(), std::slice::from_ref(&wanted.guest));
    let mut statuses: Vec<Status> = unknown.iter().map(Failure::status).collect();
    unknown.iter().for_each(complain);
    let mut reports = Vec::new();
    for entry in guests {
        if interrupted.load(Ordering::Relaxed) {
            complain(format!("interrupted before {}", printable(&libvirt.guest(entry))));
            statuses.push(REFUSED);
            break;
        }
        let done = match wish.is_empty() {
            true => show(&mut libvirt, entry, &sought),
            false => change(&mut libvirt, entry, &wish, wanted.dry_run),
        };
        let report = done.unwrap_or_else(|failure| {
            statuses.push(failure.status());
            Report::failed(libvirt.guest(entry), entry, &failure)
        });
        if !options.json {
            report.tell()?;
        }
        reports.push(report);
    }
    if options.json {
        write_json(&json!({ "guests": reports }))?;
    } else if wish.is_empty() {
        write(&listing(&reports))?;
    } else if !is_used {
        complain(format!(
            "note: hostinfod ignores these tags: {} says [tags] own = false or [libvirt] enabled = \
             false",
            options.config.display()
        ));
    }
    Ok(sum(statuses.into_iter().chain([DONE])))
}

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    set: Own,
    remove: BTreeSet<String>,
}

impl Wish {
    fn of(wanted: &Tag, sought: &TagSources) -> Result<Self, Failure> {
        let mut wish = Self::default();
        for tag in &wanted.tags {
            let Some((key, value)) = tag.split_once('=') else {
                return Err(Failure::Usage(format!(
                    "{tag:?} is not KEY=VALUE; to remove a tag: --remove KEY"
                )));
            };
            if !is_value(value) || value.trim() != value {
                return Err(Failure::Usage(format!(
                    "tag {}: a value has at most {TAG_MAX} bytes, no line breaks or other control \
                     characters, and no blanks around it",
                    printable(key)
                )));
            }
            if wish.set.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(Failure::Usage(format!("tag {} is given twice", printable(key))));
            }
        }
        wish.remove.extend(wanted.remove.iter().cloned());
        if let Some(both) = wish.remove.iter().find(|key| wish.set.contains_key(*key)) {
            return Err(Failure::Usage(format!("tag {both} is both set and removed")));
        }
        for key in wish.set.keys().chain(&wish.remove) {
            if !is_key(key) {
                return Err(Failure::Usage(format!(
                    "{key:?} is not the key of a tag: letters, digits, `_` and `-`, joined by dots, \
                     at most {TAG_KEY_MAX} bytes"
                )));
            }
            if sought.is_taken(key) && wish.set.contains_key(key) {
                return Err(Failure::Usage(format!(
                    "tag {key} is not hostinfo's own: it has its value from the domain or from \
                     another program. Choose another key"
                )));
            }
        }
        Ok(wish)
    }

    fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// What becomes of a guest's own tags. The others are kept, so they have to be clear.
    fn applied(&self, guest: &str, xml: &str) -> Result<(Own, Own), Failure> {
        let unclear = |what: &str| {
            Failure::Refused(format!(
                "{what}: correct it with virsh metadata {guest:?} --uri urn:hostinfo:1 --key hostinfo \
                 --edit, or remove all tags with --remove instead of --edit"
            ))
        };
        let read = own_tags(xml)
            .map_err(|error| Failure::Refused(format!("its XML cannot be read: {error}")))?;
        let hostinfo_domains::Tags::Known(read) = read else {
            return Err(unclear("its tags are malformed, or too many"));
        };
        let mut before = Own::new();
        for (key, value) in read {
            let is_replaced = self.set.contains_key(&key) || self.remove.contains(&key);
            match value {
                Some(value) => drop(before.insert(key, value)),
                // It differs from whatever comes in its place.
                None if is_replaced => drop(before.insert(key, "\0".to_owned())),
                None => {
                    return Err(unclear(&format!("its tag {key} is there twice, or malformed")));
                }
            }
        }
        let mut after = before.clone();
        after.retain(|key, _| !self.remove.contains(key));
        after.extend(self.set.clone());
        if after.len() > OWN_TAGS_MAX {
            return Err(Failure::Refused(format!("a guest can have at most {OWN_TAGS_MAX} tags")));
        }
        Ok((before, after))
    }
}

/// What became of a guest, for programs.
#[derive(Debug, Serialize)]
struct Report {
    /// `$driver-$name`.
    guest: String,
    name: String,
    /// `shown`, `changed`, `unchanged`, `would_change`; `failed`.
    result: &'static str,
    /// Why it failed, with the remedy.
    error: Option<String>,
    /// Of what runs, else of what is started; `null` for what cannot be read. All tags where they
    /// are shown, else hostinfo's own.
    tags: Option<BTreeMap<String, Option<String>>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
}

impl Report {
    fn failed(guest: String, entry: &Entry, failure: &Failure) -> Self {
        Self {
            guest,
            name: entry.name.clone(),
            result: "failed",
            error: Some(failure.to_string()),
            tags: None,
            diff: String::new(),
        }
    }

    fn tell(&self) -> Result<(), Failure> {
        let guest = printable(&self.guest);
        if let Some(error) = &self.error {
            complain(format!("{guest}: {error}"));
            return Ok(());
        }
        write(&coloured(&self.diff))?;
        match self.result {
            "changed" => write(&format!("{guest}: tagged\n")),
            "would_change" => write(&format!("{guest}: would be tagged\n")),
            "unchanged" => write(&format!("{guest}: was tagged already\n")),
            _ => Ok(()),
        }
    }
}

fn listing(reports: &[Report]) -> String {
    let tags = |report: &Report| -> Vec<Vec<String>> {
        let tags = report.tags.iter().flatten();
        let value = |value: &Option<String>| {
            value.as_ref().map_or("(cannot be read)".to_owned(), |value| printable(value))
        };
        tags.map(|(key, own)| vec![printable(&report.guest), key.clone(), value(own)]).collect()
    };
    let rows: Vec<Vec<String>> = reports.iter().flat_map(tags).collect();
    let unread = reports.iter().filter(|report| report.error.is_none() && report.tags.is_none());
    let unread =
        unread.map(|report| format!("{}: its tags cannot be read\n", printable(&report.guest)));
    table(&["GUEST", "KEY", "VALUE"], &rows) + &unread.collect::<String>()
}

/// The forms that a guest has.
fn forms(entry: &Entry) -> impl Iterator<Item = Form> {
    let (is_live, is_defined) = (entry.is_live, entry.is_defined);
    FORMS.into_iter().filter(move |form| match form {
        Form::Live => is_live,
        Form::Config => is_defined,
    })
}

fn show(libvirt: &mut Libvirt, entry: &Entry, sought: &TagSources) -> Result<Report, Failure> {
    let form = if entry.is_live { Form::Live } else { Form::Config };
    let xml = libvirt.xml(entry.uuid, form)?;
    let tags = tags::read(&xml, entry.uuid, sought);
    let (guest, name, diff) = (libvirt.guest(entry), entry.name.clone(), String::new());
    Ok(Report { guest, name, result: "shown", error: None, tags, diff })
}

fn change(
    libvirt: &mut Libvirt,
    entry: &Entry,
    wish: &Wish,
    dry_run: bool,
) -> Result<Report, Failure> {
    let mut plans = Vec::new();
    for form in forms(entry) {
        let (before, after) = wish.applied(&entry.name, &libvirt.xml(entry.uuid, form)?)?;
        plans.push((form, before, after));
    }
    let first = plans.first().map(|(_, _, after)| after.clone()).unwrap_or_default();
    plans.retain(|(_, before, after)| before != after);
    let whole = libvirt.guest(entry);
    let guest = printable(&whole);
    let mut diff = String::new();
    if dry_run {
        for (form, before, after) in plans.iter().rev() {
            let what = if *form == Form::Live { ", running," } else { "" };
            diff += &unified(&format!("{guest}{what}"), &lines(before), &lines(after));
        }
    } else {
        for (at, (form, _, after)) in plans.iter().enumerate() {
            if let Err(failure) = libvirt.tag(entry.uuid, *form, xml(after)) {
                return Err(take_back(
                    libvirt,
                    entry,
                    plans.get(..at).unwrap_or_default(),
                    failure,
                ));
            }
        }
    }
    let result = match (plans.is_empty(), dry_run) {
        (true, _) => "unchanged",
        (false, true) => "would_change",
        (false, false) => "changed",
    };
    let tags = Some(first.into_iter().map(|(key, value)| (key, Some(value))).collect());
    Ok(Report { guest: whole, name: entry.name.clone(), result, error: None, tags, diff })
}

/// Why it failed, with what became of what was done before.
fn take_back(
    libvirt: &mut Libvirt,
    entry: &Entry,
    done: &[(Form, Own, Own)],
    why: Failure,
) -> Failure {
    if let Failure::Libvirt { why: Unanswered::Silent(_), .. } = why {
        let doubt = "whether it was changed is not known: see hostinfoctl tag when it answers";
        return Failure::Doubtful(format!("{why}; {doubt}"));
    }
    for (form, before, _) in done {
        if let Err(failure) = libvirt.tag(entry.uuid, *form, xml(before)) {
            return Failure::Refused(format!(
                "{why}; and the tags of the running guest, which were changed before, cannot be \
                 changed back: {failure}"
            ));
        }
    }
    why
}

fn xml(tags: &Own) -> Option<String> {
    own_tags_xml(tags.iter().map(|(key, value)| (&**key, &**value)))
}

fn lines(tags: &Own) -> String {
    tags.iter().map(|(key, value)| format!("{key}={}\n", printable(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(tags: &[&str], remove: &[&str]) -> Result<Wish, Failure> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let (tags, remove) = (owned(tags), owned(remove));
        Wish::of(
            &Tag { guest: "web".to_owned(), tags, remove, dry_run: false },
            &TagSources::default(),
        )
    }

    fn domain(tags: &str) -> String {
        format!(
            "<domain type='kvm'><title>x</title><metadata><h:tags xmlns:h='urn:hostinfo:1'>{tags}</h:tags>\
             </metadata></domain>"
        )
    }

    fn own(tags: &[(&str, &str)]) -> Own {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_cannot_be_a_tag_is_refused_with_the_reason() {
        for (tags, remove, word) in [
            (&["role"][..], &[][..], "is not KEY=VALUE"),
            (&["role=a\nb"], &[], "no line breaks"),
            (&["role= a"], &[], "no blanks around it"),
            (&["a b=c"], &[], "is not the key of a tag"),
            (&["=c"], &[], "is not the key of a tag"),
            (&["a=1", "a=2"], &[], "given twice"),
            (&["a=1"], &["a"], "both set and removed"),
            (&["uuid=1"], &[], "not hostinfo's own"),
            (&["title=1"], &[], "not hostinfo's own"),
            (&["project=1"], &[], "not hostinfo's own"),
        ] {
            let error = wish(tags, remove).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.status(), 2);
        }
        let long = format!("a={}", "x".repeat(TAG_MAX + 1));
        assert!(wish(&[&long], &[]).is_err());
        assert_eq!(wish(&["a=b=c", "d="], &[]).unwrap().set, own(&[("a", "b=c"), ("d", "")]));
        assert!(wish(&[], &["project"]).is_ok(), "one from before the key meant something else");
    }

    #[test]
    fn the_other_tags_are_kept() {
        let xml = domain("<h:tag name='a'>1</h:tag><h:tag name='b'>2</h:tag>");
        let (before, after) = wish(&["c=3", "a=4"], &["b"]).unwrap().applied("web", &xml).unwrap();
        assert_eq!(before, own(&[("a", "1"), ("b", "2")]));
        assert_eq!(after, own(&[("a", "4"), ("c", "3")]));
        let (before, after) = wish(&["a=1"], &["z"]).unwrap().applied("web", &xml).unwrap();
        assert_eq!(before, after);
    }

    #[test]
    fn what_is_unclear_is_kept_by_nobody_and_can_be_replaced() {
        let xml = domain("<h:tag name='a'>1</h:tag><h:tag name='a'>2</h:tag>");
        let error = wish(&["b=1"], &[]).unwrap().applied("web", &xml).unwrap_err().to_string();
        assert!(error.contains("tag a is there twice") && error.contains("--edit"), "{error}");
        let (before, after) = wish(&["a=3"], &[]).unwrap().applied("web", &xml).unwrap();
        assert!(before != after && after == own(&[("a", "3")]));
        let nameless = domain("<h:tag>1</h:tag>");
        assert!(wish(&["b=1"], &[]).unwrap().applied("web", &nameless).is_err());
    }
}
