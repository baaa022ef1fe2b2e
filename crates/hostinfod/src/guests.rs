//! All guests and their ports: what is known about them, and what is due for each. The files below
//! handle one subject each. Nothing outside this module changes any of it.

mod admin_values;
mod channels;
mod clients;
mod connecting;
mod contest;
mod directories;
mod disks;
mod handover;
mod hybrid;
mod incidents;
mod libvirt;
mod looks;
mod marks;
mod opener;
mod patterns;
mod peers;
mod preview;
mod refusals;
mod rules;
mod samples;
mod standing;
mod tags;
mod turns;
mod values;
mod vsock;
mod watches;
mod watching;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_answer::{Bucket, Dialect, Engine, Peer};
use hostinfo_control::{Event as WatchEvent, Place};
use hostinfo_file::aside::{Looks, Signal};
use hostinfo_open::Sockets;
use hostinfo_sample::{OpenFiles, Roots};

use self::looks::FINISHED_WITHIN;
use crate::admin_values::AdminFiles;
use crate::audit::quota::Quota;
use crate::disks::Disks;
use crate::guest::Round;
use crate::guest::identity::Identity;
use crate::guest::roster::Roster;
use crate::guest::watched::Watched;
use crate::handover::GuestsState;
use crate::incidents::IncidentFiles;
use crate::libvirt::Libvirt;
use crate::metrics::tally::Tally;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, PortId, SectionId, Table};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};
use crate::responder::Responder;
use crate::rules_file::RulesFile;
use crate::settings::hybrid::Hybrids;
use crate::settings::paths::Paths;
use crate::settings::vsock::Vsock;
use crate::settings::watch::Watch;
use crate::sockets::Found;
use crate::sockets::directories::Directories;
use crate::sockets::hybrid::Section;
use crate::sockets::listening::EarlierSockets;
use crate::sockets::pattern_dir::PatternDir;
use crate::system::descriptors::Incoming;
use crate::system::systemd;

use handover::Later;
use hybrid::RefusedPeers;
use incidents::may_be_watched;
pub(crate) use patterns::Patterns;
use vsock::VsockState;

/// Guests, their ports, and everything kept about them.
pub(crate) struct Guests {
    rules: RulesFile,
    identity: Identity,
    directories: Directories,
    /// How often changes were read, of all that is watched.
    readings: Bucket,
    /// Where guests' VMMs connect.
    sections: Table<SectionId, Section>,
    /// Listening sockets that were open before the daemon started.
    earlier_sockets: EarlierSockets,
    refused_peers: RefusedPeers,
    vsock: VsockState,
    patterns: Patterns,
    /// Readable when a look at a place of sockets has ended that took long.
    looks_ended: Signal,
    /// Looks for the sockets of libvirt's channels. Each is in a directory that belongs to its QEMU's user.
    channels: Looks<(PortId, PathBuf), Found>,
    /// Guests that are not served, since two processes claim to be them; and these.
    contested: HashMap<GuestId, [Option<Peer>; 2]>,
    roster: Roster,
    /// Guests that are watched permanently.
    watched: Watched,
    incidents: IncidentFiles,
    disks: Disks,
    /// Log lines about disks of those that are no guests yet.
    others: Quota,
    responder: Responder,
    /// Files that store what the administrator sets for guests.
    admin_files: AdminFiles,
    /// Where processes are read.
    roots: Arc<Roots>,
    /// Open files of those processes.
    files: OpenFiles,
    round: Round,
}

impl Guests {
    /// A daemon without guests.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(crate) fn new(
        rules: RulesFile,
        directories: Directories,
        responder: Responder,
        admin_files: AdminFiles,
        files: OpenFiles,
        paths: &Paths,
        watch: Watch,
    ) -> io::Result<Self> {
        let kept = |guest: &str| may_be_watched(rules.rules(), guest);
        let looks_ended = Signal::new()?;
        Ok(Self {
            incidents: IncidentFiles::open(
                &paths.state_dir,
                &paths.proc_root,
                kept,
                Instant::now(),
            ),
            rules,
            identity: Identity::open(&paths.state_dir)?,
            directories,
            readings: Bucket::default(),
            sections: Table::default(),
            earlier_sockets: EarlierSockets::default(),
            refused_peers: RefusedPeers::new(),
            vsock: VsockState::new(Vsock::default()),
            patterns: Patterns::new(paths.opener.clone()),
            channels: Looks::new(looks_ended.clone()),
            looks_ended,
            contested: HashMap::new(),
            roster: Roster::default(),
            watched: Watched::new(watch.guests),
            disks: Disks::beside(&paths.socket_dir)?,
            others: Quota::default(),
            responder,
            admin_files,
            roots: paths.roots().into(),
            files,
            round: Round::default(),
        })
    }

    /// Adds everything that reports about guests to the reactor.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub(crate) fn wait_for_all(&mut self, reactor: &Reactor) -> io::Result<()> {
        reactor.add(self.rules.watcher(), Token::Rules, Interest::Read)?;
        self.responder.admin_values().customs.wait_with(reactor.of_part(Token::Custom))?;
        reactor.add(self.disks.failed(), Token::Disks, Interest::Read)?;
        reactor.add(&self.looks_ended, Token::Looks, Interest::Read)?;
        for dialect in Dialect::ALL {
            let watcher = self.directories.of(dialect).watcher();
            reactor.add(watcher, Token::Sockets(dialect), Interest::Read)?;
        }
        match self.responder.libvirt().helper() {
            Some(helper) => helper.wait_with(reactor.of_part(Token::Libvirt)),
            None => Ok(()),
        }
    }

    /// Looks for guests that are already there, also in the places of `sockets`, and listens for those that
    /// connect. Goes on with those that another program hands over.
    pub(crate) fn begin(
        &mut self,
        sockets: &Sockets,
        listen: Hybrids,
        vsock: Vsock,
        before: Option<(GuestsState, Incoming)>,
        ctx: &mut Ctx<'_>,
    ) {
        self.vsock = VsockState::new(vsock);
        let goes_on = before.is_some();
        let (mut later, mut kept) = match before {
            Some((state, fds)) => (self.take_over(state, fds, ctx), Vec::new()),
            // Before any program is started, which would inherit them.
            None => (Later::default(), systemd::handed_over()),
        };
        let roster = &self.roster;
        self.disks.clear_all_but(|guest| {
            let guest = roster.named(guest).and_then(|guest| roster.guests.get(guest));
            guest.is_some_and(|guest| guest.has_disk)
        });
        kept.append(&mut later.listeners);
        self.earlier_sockets = EarlierSockets::of(&mut kept);
        let vsock = kept.into_iter().map(|(_, fd)| fd).chain(later.vsock.take());
        self.listen_on_vsock(vsock.collect(), ctx);
        self.responder.libvirt().begin(ctx.now);
        Dialect::ALL.into_iter().for_each(|dialect| self.check_directory(dialect, ctx));
        self.apply_sockets(sockets, ctx);
        self.listen_at(listen, ctx);
        self.give_up_earlier_sockets();
        self.take_over_later(later, ctx);
        self.plan_disks(ctx);
        self.plan_reading_of_customs(ctx);
        if goes_on {
            self.reload_rules(ctx);
        }
    }

    /// Has metrics disks written.
    pub(crate) fn go_on_with_disks(&self, reactor: &mut Reactor) {
        let look_at = self.disks.go_on();
        reactor.set_alarm(Alarm::HeldDisks, look_at);
    }

    /// Sets the alarms of the parts that have deadlines of their own.
    pub(crate) fn set_deadlines(&mut self, reactor: &mut Reactor) {
        reactor.set_alarm(Alarm::Libvirt, self.responder.libvirt().next_deadline());
        reactor.set_alarm(Alarm::Custom, self.responder.admin_values().customs.next_deadline());
        reactor.set_alarm(Alarm::Incidents, self.incidents.due());
        reactor.set_alarm(Alarm::Rules, self.rules.due());
        self.plan_report_of_looks(reactor);
    }

    /// Before the daemon ends: writes what has to be kept to its files, and removes its sockets.
    pub(crate) fn end(&mut self) {
        self.incidents.write_all();
        self.stop_listening();
        for finished in [self.disks.finish(), self.finish_looks(Instant::now() + FINISHED_WITHIN)] {
            if let Err(why) = finished {
                tracing::warn!("hostinfod cannot end yet: {why}");
            }
        }
    }

    /// Before another program goes on: takes what threads have found, and writes what has to be kept to its files. Returns
    /// the text of the rules in force.
    ///
    /// # Errors
    /// Why another program would not go on with all that this one has, with the remedy.
    pub(crate) fn prepare_handover(&mut self, ctx: &mut Ctx<'_>) -> Result<Option<String>, String> {
        let then = |why| format!("{why}, then try again");
        let until = Instant::now() + FINISHED_WITHIN;
        self.disks.finish().and_then(|()| self.finish_looks(until)).map_err(then)?;
        self.take_late_looks(ctx);
        // What went on there may have begun other looks.
        self.finish_looks(until).map_err(then)?;
        // A socket that a thread makes for [[listen]] could not be handed over.
        if self.sections.iter().any(|(_, section)| section.place.is_being_looked_at()) {
            return Err(
                "hostinfod is looking at the directories of [[listen]]: try again".to_owned()
            );
        }
        let rules = self.rules.hand_over(ctx.now)?;
        self.incidents.write_all();
        Ok(rules)
    }

    /// The engine that answers them.
    pub(crate) fn engine(&self) -> &Engine<Libvirt> {
        self.responder.engine()
    }

    /// All guests and their ports.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Number of guests that are connected.
    pub(crate) fn count_connected(&self) -> u64 {
        let guests = self.roster.guests.iter();
        guests.filter(|(number, _)| self.roster.is_connected(*number)).count() as u64
    }

    /// The guests that are watched permanently.
    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    pub(crate) fn rules(&self) -> &RulesFile {
        &self.rules
    }

    /// The socket directories.
    pub(crate) fn directories(&self) -> &Directories {
        &self.directories
    }

    /// Each `[[sockets]]` and `[[listen]]`.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        let sections = self.sections.iter().map(|(_, section)| section.place.state());
        self.patterns.dirs().map(PatternDir::state).chain(sections)
    }

    /// Sockets outside the socket directories.
    pub(crate) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// Counts of all lines, by outcome.
    pub(crate) fn tally(&self) -> &Tally {
        &self.responder.tally
    }

    /// Begins a round, in which every guest may have a turn.
    pub(crate) fn begin_round(&mut self) {
        self.round = self.round.next();
    }

    /// Units of work done in turns and for samples since this was last asked.
    pub(crate) fn take_work(&mut self) -> u32 {
        self.responder.take_work()
    }

    /// Sets whether each line and its reply is kept for watching clients.
    pub(crate) fn keep_events(&mut self, keep: bool) {
        self.responder.keeps_events = keep;
    }

    /// The event of the last turn, if a client watches.
    pub(crate) fn take_event(&mut self) -> Option<WatchEvent> {
        self.responder.take_event()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::Path;

    use hostinfo_answer::Labels;
    use hostinfo_sample::Host;

    use crate::admin_values;
    use crate::settings::flow::Flow;
    use crate::system::watch::Watcher;

    /// A daemon without guests whose files are below a directory, under the built-in rules and without libvirt.
    pub(crate) fn guests(below: &Path) -> Guests {
        let paths = Paths {
            rules: below.join("hostinfo.conf"),
            custom_dir: below.join("custom.d"),
            socket_dir: below.to_owned(),
            state_dir: below.to_owned(),
            ..Paths::default()
        };
        let files = OpenFiles::default();
        let (values, admin_files) = admin_values::load(&paths, Labels::default()).unwrap();
        let host = Host::new(paths.roots(), files.clone());
        let engine = Engine::new(host, Libvirt::none(), values, None, Instant::now());
        let responder = Responder::new(engine, Flow::default().bounds());
        let rules = RulesFile::taken_over(None, &paths.rules, Watcher::new().unwrap()).unwrap();
        let directories = Directories::open(&paths.socket_dir, false, [None, None]).unwrap();
        let watch = Watch::default();
        Guests::new(rules, directories, responder, admin_files, files, &paths, watch).unwrap()
    }
}
