//! `diff`: what a new rules file would change, and for which guests.

use std::time::Duration;

use hostinfo_rules::{Changes, Decision, Grant, Rules, Tags};
use hostinfo_wire::text::escaped;
use serde_json::{Value, json};

use crate::args::{Diff, Options};
use crate::daemon;
use crate::exit::{DONE, Failure, REFUSED, Status, complain, sum};
use crate::output::{write, write_json};
use crate::present::Present;
use crate::rules::{self, RulesOf};
use crate::uri::is_remote;

/// Compares the file with the rules in force or, without the daemon, with the current rules file,
/// for the guests that the words match.
///
/// # Errors
/// [`Failure`]: one of the files cannot be read or has errors; the guests are another host's.
pub(crate) fn run(options: &Options, wanted: &Diff) -> Result<Status, Failure> {
    let Diff { file, guests: words, exit_code } = wanted;
    if is_remote(&options.connect) {
        return Err(Failure::Usage(format!(
            "{} is on another host, which has its own rules: run hostinfoctl diff on that host",
            options.connect
        )));
    }
    let known = daemon::known(options);
    let old = RulesOf::in_force(options, known.as_ref())?.rules;
    if rules::read(file)?.is_none() {
        return Err(Failure::Refused(format!("{}: no such file", file.display())));
    }
    let new = rules::load(file)?;
    let present = Present::find(options, words, known.as_ref());
    let mut statuses = present.complain();
    let mut changed = Vec::new();
    for row in &present.rows {
        match Changed::of(row.guest.clone(), &row.tags, &old, &new) {
            Ok(change) => changed.extend(change),
            Err(failure) => {
                complain(&failure);
                statuses.push(failure.status());
            }
        }
    }
    if options.json {
        let guests: Vec<Value> = changed.iter().map(Changed::json).collect();
        write_json(&json!({ "guests": guests }))?;
    } else if !changed.is_empty() {
        write(&grouped(&changed))?;
    } else if present.is_complete() && statuses.is_empty() {
        write(match **words {
            [] => "Nothing would change for any guest.\n",
            _ => "Nothing would change for these guests.\n",
        })?;
    }
    if *exit_code && !changed.is_empty() {
        statuses.push(REFUSED);
    }
    Ok(sum(statuses.into_iter().chain([DONE])))
}

/// Guests with the same change share one entry, in the order of the first guest of each.
fn grouped(changed: &[Changed]) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for one in changed {
        let (guest, change) = (escaped(&one.guest), one.shown());
        match groups.iter_mut().find(|(other, _)| *other == change) {
            Some((_, guests)) => guests.push(guest),
            None => groups.push((change, vec![guest])),
        }
    }
    let shown =
        |(change, guests): &(String, Vec<String>)| format!("{}: {change}", guests.join(", "));
    groups.iter().map(shown).collect()
}

/// A guest for which something would change.
struct Changed {
    guest: String,
    /// The rule that applies now, and the one that would apply: pattern and line.
    rules: [Option<(String, usize)>; 2],
    changes: Changes,
}

impl Changed {
    /// # Errors
    /// It depends on tags that cannot be read.
    fn of(guest: String, tags: &Tags, old: &Rules, new: &Rules) -> Result<Option<Self>, Failure> {
        let decided = (old.decide_tagged(&guest, tags), new.decide_tagged(&guest, tags));
        let (Decision::Granted(before), Decision::Granted(after)) = decided else {
            return Err(Failure::Refused(format!(
                "{}: its tags cannot be read, so which rule applies is not known: see them with \
                 hostinfoctl tag",
                escaped(&guest)
            )));
        };
        let changes = Changes::between(&before, &after);
        let rule = |grant: &Grant| grant.rule().map(|rule| (rule.pattern.clone(), rule.line));
        let rules = [rule(&before), rule(&after)];
        Ok((!changes.is_empty()).then_some(Self { guest, rules, changes }))
    }

    /// The change in words, without the guest's name.
    fn shown(&self) -> String {
        let rule = |rule: &Option<(String, usize)>| match rule {
            Some((pattern, line)) => format!("{} (line {line})", escaped(pattern)),
            None => "the built-in default".to_owned(),
        };
        let [old, new] = &self.rules;
        let mut text = format!("{} -> {}\n", rule(old), rule(new));
        let changes = &self.changes;
        let mut add = |line: String| text.push_str(&format!("  {line}\n"));
        match changes.enabled {
            Some(true) => add("may ask".to_owned()),
            Some(false) => add("may not ask any more".to_owned()),
            None => {}
        }
        if let Some((before, now)) = changes.interval {
            add(format!("interval: {} -> {}", seconds(before), seconds(now)));
        }
        match changes.watch {
            Some(true) => add("is watched while it does not ask".to_owned()),
            Some(false) => add("is not watched any more while it does not ask".to_owned()),
            None => {}
        }
        match changes.vhostmd_disk {
            Some(true) => add("gets a metrics disk".to_owned()),
            Some(false) => add("has no metrics disk any more".to_owned()),
            None => {}
        }
        if !changes.opened.is_empty() {
            add(format!("may see: {}", changes.opened.join(", ")));
        }
        if !changes.closed.is_empty() {
            add(format!("may not see any more: {}", changes.closed.join(", ")));
        }
        text
    }

    fn json(&self) -> Value {
        let rule = |rule: &Option<(String, usize)>| {
            rule.as_ref().map(|(pattern, line)| json!({ "pattern": pattern, "line": line }))
        };
        let [old, new] = &self.rules;
        let changes = &self.changes;
        let seconds = |time: Duration| time.as_secs_f64();
        json!({
            "guest": self.guest,
            "rule": { "before": rule(old), "after": rule(new) },
            "enabled": changes.enabled,
            "interval": changes.interval.map(
                |(before, now)| json!({ "before": seconds(before), "after": seconds(now) })
            ),
            "watch": changes.watch,
            "vhostmd_disk": changes.vhostmd_disk,
            "opened": changes.opened,
            "closed": changes.closed,
        })
    }
}

fn seconds(interval: Duration) -> String {
    format!("{} s", interval.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_rules::Tag;

    fn rules(text: &str) -> Rules {
        hostinfo_rules::parse(text.as_bytes()).unwrap().rules
    }

    fn of(guest: &str, old: &Rules, new: &Rules) -> Option<Changed> {
        Changed::of(guest.to_owned(), &Tags::NONE, old, new).unwrap()
    }

    #[test]
    fn tags_decide_and_those_that_cannot_be_read_leave_it_open() {
        let (old, new) = (rules("*:\n"), rules("* role=db:\n physcpus = 0\n*:\n"));
        assert!(of("qemu-a", &old, &new).is_none());
        let tags = Tags::Known([("role".into(), Tag::Value("db".into()))].into());
        let changed = Changed::of("qemu-a".to_owned(), &tags, &old, &new).unwrap().unwrap();
        let text = grouped(&[changed]);
        assert!(text.starts_with("qemu-a: * (line 1) -> * role=db (line 1)\n"), "{text}");
        assert!(Changed::of("qemu-a".to_owned(), &Tags::Unreadable, &old, &new).is_err());
    }

    #[test]
    fn only_what_changes_for_a_guest_is_shown() {
        let old = rules("qemu-web:\n interval = 60\n\n*:\n");
        let new = rules("# more\nqemu-web:\n interval = 0.5\n physcpus = 0\n watch = 1\n\n*:\n");
        assert!(of("qemu-db", &old, &new).is_none());
        let web = of("qemu-web", &old, &new).unwrap();
        assert_eq!(
            grouped(&[web]),
            "qemu-web: qemu-web (line 1) -> qemu-web (line 2)\n  interval: 60 s -> 0.5 s\n  \
             is watched while it does not ask\n  may not see any more: physcpus\n"
        );
    }

    #[test]
    fn guests_for_which_the_same_would_change_are_shown_together() {
        let (old, new) = (rules("*:\n"), rules("*:\n physcpus = 0\n"));
        let changed = ["a", "b"].map(|guest| of(guest, &old, &new).unwrap());
        let text = grouped(&changed);
        assert_eq!(text, "a, b: * (line 1) -> * (line 1)\n  may not see any more: physcpus\n");
        assert_eq!(changed[0].json()["closed"], json!(["physcpus"]));
    }
}
