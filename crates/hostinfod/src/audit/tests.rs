use super::*;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use hostinfo_notices::{Draft, HostState, Kind, Notices};
use hostinfo_rules::Rules;
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// A logged event: its level, and its fields including the message.
type Logged = (Level, BTreeMap<&'static str, String>);

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Logged>>>);

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        assert_eq!(event.metadata().target(), TARGET);
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push((*event.metadata().level(), fields.0));
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

/// What these events write to the log.
fn logged(events: &[Event<'_>]) -> Vec<Logged> {
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    tracing::subscriber::with_default(subscriber, || events.iter().for_each(|event| event.log()));
    log.0.lock().unwrap().clone()
}

const PERMIT: Permit = Permit { left_out: Some(3) };

/// Every event, once.
fn all<'a>(grant: &'a Grant, notice: &'a Notice, declared: &'a Declared) -> Vec<Event<'a>> {
    let first = after(None, grant, notice, declared);
    std::iter::successors(first, |event| after(Some(event), grant, notice, declared)).collect()
}

/// The event after `event`, so that each is tested once with all its fields. Matched without a
/// wildcard, so that none is forgotten.
fn after<'a>(
    event: Option<&Event<'a>>,
    grant: &'a Grant,
    notice: &'a Notice,
    declared: &'a Declared,
) -> Option<Event<'a>> {
    let (guest, why, file) = ("qemu-a", "why", Path::new("/rules"));
    Some(match event {
        None => Event::Granted { guest, grant, pid: Some(7), permit: PERMIT },
        Some(Event::Granted { .. }) => Event::Refused { guest, grant, why, permit: PERMIT },
        Some(Event::Refused { .. }) => Event::Gone { guest, why, permit: PERMIT },
        Some(Event::Gone { .. }) => {
            Event::Denied { guest, grant, asked: b"host", denied: 2, permit: PERMIT }
        }
        Some(Event::Denied { .. }) => Event::LeftOut { guest, permit: PERMIT },
        Some(Event::LeftOut { .. }) => Event::RefusalsLeftOut { socket: "vsock", permit: PERMIT },
        Some(Event::RefusalsLeftOut { .. }) => {
            Event::SocketRefused { socket: "x", why, permit: PERMIT }
        }
        Some(Event::SocketRefused { .. }) => Event::RulesLoaded { file, rules: 2 },
        Some(Event::RulesLoaded { .. }) => Event::RulesRefused { file, why },
        Some(Event::RulesRefused { .. }) => Event::NoticeSet { notice, uid: 0 },
        Some(Event::NoticeSet { .. }) => Event::NoticeCleared { notice, uid: 0 },
        Some(Event::NoticeCleared { .. }) => Event::HostStateSet { declared, uid: 0 },
        Some(Event::HostStateSet { .. }) => return None,
    })
}

fn grant() -> Arc<Grant> {
    let rules = hostinfo_rules::parse(b"# 1\nqemu-*:\n interval = 1\n").unwrap().rules;
    rules.decide("qemu-a")
}

fn notice() -> Arc<Notice> {
    let draft = Draft {
        pattern: "qemu-*".to_owned(),
        kind: Kind::Info,
        at: Timestamp::UNIX_EPOCH,
        until: Some(Timestamp::MAX),
        text: "x".to_owned(),
    };
    Notices::default().set(draft, Timestamp::UNIX_EPOCH).unwrap()
}

fn declared() -> Declared {
    let remark = Some("a fan has failed".to_owned());
    Declared::new(HostState::Degraded, remark, Timestamp::UNIX_EPOCH).unwrap()
}

#[test]
fn whatever_an_event_is_about_is_named_in_its_sentence_which_journalctl_shows_alone() {
    let mut named = 0;
    for (_, fields) in logged(&all(&grant(), &notice(), &declared())) {
        let message = &fields["message"];
        for field in ["guest", "socket", "state"] {
            let Some(name) = fields.get(field) else { continue };
            assert!(message.contains(&**name), "{message}");
            named += 1;
        }
    }
    assert_eq!(named, 8);
}

#[test]
fn a_sockets_name_that_would_end_the_line_does_not() {
    let permit = Permit { left_out: None };
    let [(_, fields)] = &logged(&[Event::SocketRefused { socket: "a\nb", why: "why", permit }])[..]
    else {
        panic!("it is one event")
    };
    assert!(!fields["message"].contains('\n'), "{fields:?}");
}

#[test]
fn the_page_in_docs_names_every_event_its_level_and_its_fields() {
    let mut table: Vec<String> = Vec::new();
    for (level, mut fields) in logged(&all(&grant(), &notice(), &declared())) {
        let name = fields.remove("event").unwrap();
        assert!(fields.remove("message").is_some_and(|message| !message.is_empty()));
        let fields: Vec<&str> = fields.into_keys().collect();
        table.push(format!("{name} {} {}", level.as_str().to_lowercase(), fields.join(" ")));
    }
    let page = include_str!("../../../../docs/audit.md");
    let documented: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let [name, level, fields, _] = cells[..] else { panic!("{row}") };
            let mut fields: Vec<&str> =
                fields.split(", ").map(|field| field.trim_matches('`')).collect();
            fields.sort_unstable();
            format!("{} {level} {}", name.trim_matches('`'), fields.join(" "))
        })
        .collect();
    assert_eq!(documented, table);
    assert!(page.contains(TARGET));
}

#[test]
fn the_rule_and_its_line_are_logged_and_neither_for_the_built_in_default() {
    let permit = Permit { left_out: None };
    let (grant, builtin) = (grant(), Rules::builtin().decide("qemu-a"));
    let granted = |grant| Event::Granted { guest: "qemu-a", grant, pid: None, permit };
    let [(_, ruled), (_, default)] = &logged(&[granted(&grant), granted(&builtin)])[..] else {
        panic!("each is one event")
    };
    assert_eq!((&*ruled["rule"], &*ruled["line"]), ("qemu-*", "2"));
    assert_eq!(default.keys().copied().collect::<Vec<_>>(), ["event", "guest", "message"]);
}

#[test]
fn a_guests_line_is_cut_between_characters_and_is_text() {
    assert_eq!(shown(b"get host.name"), "get host.name");
    assert_eq!(shown(b"a\xffb"), "a\u{fffd}b");
    let long = format!("x{}", "ü".repeat(100));
    assert_eq!(shown(long.as_bytes()).len(), ASKED_MAX - 1);
}
