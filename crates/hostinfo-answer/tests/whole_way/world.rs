//! A host made of files, its guests, and an engine that answers them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_answer::{
    AdminValues, Bound, Conversation, Dialect, Engine, Flow, HostId, Libvirt, Meter, Name,
    Observed, Outcome, Peer, Process, Requester, Session,
};
use hostinfo_custom::Custom;
use hostinfo_domains::{Snapshot, Uuid};
use hostinfo_notices::Notices;
use hostinfo_rules::{Grant, Rules};
use hostinfo_sample::examples::captured;
use hostinfo_sample::{Absent, Host, OpenFiles, Roots};
use hostinfo_wire::limits::READ_CHUNK;
use hostinfo_wire::{Frame, Reply};

/// Sets of rules, used one after another.
pub(crate) const RULES: [&str; 7] = [
    "*:\n interval = 0\n",
    "*:\n interval = 0\n loadavg = 0\n memory.free = 0\n vm.cpu = 0\n",
    "*:\n interval = 0\n all = 0\n loadavg.1 = 1\n vm = 1\n vm.cpu.1 = 0\n verdict.memory = 1\n",
    "*:\n interval = 60\n all = 0\n vhostmd = 1\n label = 1\n",
    "qemu-a:\n interval = 5\n verdict = 1\n\n*:\n enabled = 0\n",
    "*:\n interval = 0\n all = 1\n watch = 1\n",
    "*:\n interval = 0\n all = 0\n",
];

/// The captured host and guest, and the guest's process.
pub(crate) const HOST: &str = "hosts/two-sockets-6.1";
pub(crate) const GUEST: &str = "guests/kvm-libvirt-v2-6.1";
const CAPTURED: i32 = 513;

/// A host that does not ask libvirt.
pub(crate) struct NoLibvirt;

impl Libvirt for NoLibvirt {
    fn snapshot(&self) -> Result<&Arc<Snapshot>, Absent> {
        Err(Absent::plain("this host does not ask libvirt"))
    }

    fn refresh(&mut self, _: Uuid, _: Instant) {}
}

/// A guest with a connection.
pub(crate) struct Guest {
    pub(crate) who: Requester,
    pub(crate) observed: Observed,
    meter: Meter,
    conversation: Conversation,
}

/// A host and its guests.
pub(crate) struct World {
    engine: Engine<NoLibvirt>,
    flow: Flow,
    pub(crate) guests: Vec<Guest>,
    reply: Reply,
}

impl World {
    /// The captured host, under the rules with that number.
    pub(crate) fn new(rules: u8, start: Instant) -> Self {
        let (host, vmm) = (captured(HOST), captured(GUEST));
        Self::on(&host, &vmm, RULES[usize::from(rules) % RULES.len()], start)
    }

    /// The host in a folder, under these rules, with a guest's VMM in another folder.
    pub(crate) fn on(host: &Path, vmm: &Path, rules: &str, start: Instant) -> Self {
        let (customs, _) =
            Custom::load(&host.join("custom.d"), u32::MAX, Path::new("/none")).unwrap();
        let labels = BTreeMap::from([("rack".to_owned(), "b 7".to_owned())]).try_into().unwrap();
        let admin_values =
            AdminValues { labels, customs, notices: Notices::default(), declared: None };
        let host = Host::new(roots(host), OpenFiles::default());
        let engine = Engine::new(host, NoLibvirt, admin_values, Some("x".to_owned()), start);
        let bound = Bound { per_second: 20, burst: 40 };
        let flow = Flow { lines: bound, bytes: Bound { per_second: 65_536, burst: 262_144 } };
        let mut world = Self { engine, flow, guests: Vec::new(), reply: Reply::new() };
        let rules = hostinfo_rules::parse(rules.as_bytes()).unwrap().rules;
        world.add("qemu-a", &rules, Some((vmm, CAPTURED)));
        world.add("qemu-b", &rules, None);
        world
    }

    /// Adds a guest, whose VMM is this process in a folder.
    pub(crate) fn add(&mut self, name: &str, rules: &Rules, vmm: Option<(&Path, i32)>) -> usize {
        let mut who = Requester::new(
            Name::parse(name).unwrap(),
            rules.decide(name),
            HostId::of(&[7; 32]),
            Duration::from_secs(7),
            Session::new([1; 8]),
        );
        let mut observed = Observed::default();
        if let Some((folder, pid)) = vmm {
            let peer = Peer { pid, start: None };
            who.connected(Some(peer), || Ok::<_, ()>(Session::new([2; 8]))).unwrap();
            let files = OpenFiles::default();
            observed = Observed::new(Ok(Process::new(roots(folder).into(), files, peer)));
        }
        let conversation = Conversation::new(Dialect::Hostinfo);
        self.guests.push(Guest { who, observed, meter: Meter::default(), conversation });
        self.guests.len() - 1
    }

    /// Takes one turn of a guest.
    pub(crate) fn turn(&mut self, guest: usize, input: &[u8], now: Instant) -> Outcome<'_> {
        let Guest { who, observed, meter, conversation } = &mut self.guests[guest];
        let asker = hostinfo_answer::Guest { who, observed, meter };
        conversation.turn(input, &mut self.engine, &self.flow, asker, now, &mut self.reply).outcome
    }

    /// One turn of an administrator's preview; `None` where it has to go on in the next one.
    pub(crate) fn preview(&mut self, guest: usize, line: &[u8], now: Instant) -> Option<String> {
        let Guest { who, observed, .. } = &mut self.guests[guest];
        self.engine.read_ahead(who, observed, now.into()).ok()?;
        let (who, observed, frame) = (who.for_preview(), observed.clone(), Frame::Line(line));
        let mut reply = self.engine.preview(who, observed, &frame, now.into()).ok()?;
        Some(String::from_utf8(reply.end().to_vec()).unwrap())
    }

    /// Units of work that were done since this was called last.
    pub(crate) fn take_work(&mut self) -> u32 {
        self.engine.take_work()
    }

    /// The reply to the line that was answered last.
    pub(crate) fn reply(&mut self) -> String {
        String::from_utf8(self.reply.end().to_vec()).unwrap()
    }

    /// Whether any of that is answered to a guest that has sent nothing before and has no limit on
    /// its flow.
    pub(crate) fn answers(&mut self, sent: &[u8], now: Instant) -> bool {
        let bound = Bound { per_second: 0, burst: 0 };
        let flow = Flow { lines: bound, bytes: bound };
        let Guest { who, observed, .. } = &mut self.guests[0];
        let (mut conversation, mut meter) =
            (Conversation::new(Dialect::Hostinfo), Meter::default());
        let mut reply = Reply::new();
        for mut chunk in sent.chunks(READ_CHUNK) {
            loop {
                let asker = hostinfo_answer::Guest { who, observed, meter: &mut meter };
                let chunk = std::mem::take(&mut chunk);
                let engine = &mut self.engine;
                match conversation.turn(chunk, engine, &flow, asker, now, &mut reply).outcome {
                    Outcome::Read => break,
                    Outcome::Wait(_) => {}
                    Outcome::WaitForValue(_) | Outcome::Answered { .. } => return true,
                }
            }
        }
        false
    }

    pub(crate) fn has_held(&self, guest: usize) -> bool {
        self.guests[guest].conversation.has_held()
    }

    /// Replaces the guest's connection.
    pub(crate) fn reconnect(&mut self, guest: usize) {
        self.guests[guest].conversation = Conversation::new(Dialect::Hostinfo);
    }

    pub(crate) fn apply(&mut self, guest: usize, grant: Arc<Grant>) {
        let Guest { who, observed, .. } = &mut self.guests[guest];
        who.apply_grant(grant, observed);
    }

    /// Takes the samples that are due.
    pub(crate) fn watch(&mut self, guest: usize, now: Instant) {
        let Guest { who, observed, .. } = &mut self.guests[guest];
        let due = observed.watch.as_ref().and_then(|watch| watch.next_sample());
        if due.is_some_and(|due| due <= now) {
            let _ = self.engine.watch(who, observed, now);
        }
    }
}

fn roots(folder: &Path) -> Roots {
    Roots { proc: folder.join("proc"), sys: folder.join("sys") }
}
