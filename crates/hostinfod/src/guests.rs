//! Guests and the ways to them: all that is known of them, and what is due for each. A file below for each
//! thing that is done. Nobody else changes any of it.

mod arrivals;
mod channels;
mod clients;
mod connecting;
mod disks;
mod given;
mod hybrid;
mod incidents;
mod libvirt;
mod preview;
mod samples;
mod turns;
mod values;
mod vsock;
mod watching;
mod who;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_answer::{Dialect, Engine, Labels};
use hostinfo_control::Event as Seen;
use hostinfo_sample::{OpenFiles, Roots};

use crate::audit::Event;
use crate::desk::Desk;
use crate::disks::Disks;
use crate::given::GivenFiles;
use crate::guest::Round;
use crate::guest::identity::Identity;
use crate::guest::roster::Roster;
use crate::guest::watched::Watched;
use crate::incidents::IncidentFiles;
use crate::libvirt::Libvirt;
use crate::metrics::tally::Tally;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{SectionId, Table};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};
use crate::rules_file::RulesFile;
use crate::settings::flow::Flow;
use crate::settings::hybrid::Hybrids;
use crate::settings::paths::Paths;
use crate::settings::vsock::Vsock;
use crate::settings::watch::Watch;
use crate::sockets::directories::Directories;
use crate::sockets::hybrid::Section;
use crate::sockets::listening::Kept;
use crate::system::systemd;

use incidents::may_be_watched;
use vsock::VsockState;

/// Guests, their ports, and whatever is kept of them.
pub(crate) struct Guests {
    rules: RulesFile,
    identity: Identity,
    directories: Directories,
    /// Where guests' VMMs connect.
    sections: Table<SectionId, Section>,
    /// What of that is open since before the daemon started.
    kept: Kept,
    vsock: VsockState,
    roster: Roster,
    /// Guests that are watched for good.
    watched: Watched,
    incidents: IncidentFiles,
    disks: Disks,
    desk: Desk,
    /// What keeps what the administrator tells guests.
    given_files: GivenFiles,
    /// Where processes are looked at.
    roots: Arc<Roots>,
    /// The files of theirs that stay open.
    files: OpenFiles,
    round: Round,
}

impl Guests {
    /// Nobody has come yet.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub(crate) fn new(
        rules: RulesFile,
        directories: Directories,
        desk: Desk,
        given_files: GivenFiles,
        files: OpenFiles,
        paths: &Paths,
        watch: Watch,
    ) -> io::Result<Self> {
        let kept = |guest: &str| may_be_watched(rules.rules(), guest);
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
            sections: Table::default(),
            kept: Kept::default(),
            vsock: VsockState::new(Vsock::default()),
            roster: Roster::default(),
            watched: Watched::new(watch.guests),
            disks: Disks::beside(&paths.socket_dir),
            desk,
            given_files,
            roots: paths.roots().into(),
            files,
            round: Round::default(),
        })
    }

    /// Waits for all that tells of guests.
    ///
    /// # Errors
    /// Where the kernel has no room for it.
    pub(crate) fn wait_for_all(&mut self, reactor: &Reactor) -> io::Result<()> {
        reactor.add(self.rules.watcher(), Token::Rules, Interest::Read)?;
        reactor.add(&self.desk.given().customs, Token::Custom, Interest::Read)?;
        for dialect in Dialect::ALL {
            let watcher = self.directories.of(dialect).watcher();
            reactor.add(watcher, Token::Sockets(dialect), Interest::Read)?;
        }
        match self.desk.libvirt().helper() {
            Some(helper) => reactor.add(helper, Token::Libvirt, Interest::Read),
            None => Ok(()),
        }
    }

    /// Looks who is there already.
    pub(crate) fn begin(&mut self, listen: Hybrids, vsock: Vsock, ctx: &mut Ctx<'_>) {
        // Before any program is started, which would have them too.
        let mut handed_over = systemd::handed_over();
        self.kept = Kept::of(&mut handed_over);
        self.vsock = VsockState::new(vsock);
        self.listen_on_vsock(handed_over, ctx);
        self.desk.libvirt().begin(ctx.now);
        Dialect::ALL.into_iter().for_each(|dialect| self.look_at_all(dialect, ctx));
        self.listen_at(listen, ctx);
        self.kept.give_up();
        self.plan_disks(ctx);
    }

    /// Sets the alarms of what has deadlines of its own.
    pub(crate) fn set_deadlines(&mut self, reactor: &mut Reactor) {
        reactor.set_alarm(Alarm::Libvirt, self.desk.libvirt().next_deadline());
        reactor.set_alarm(Alarm::Custom, self.desk.given().customs.next_deadline());
        reactor.set_alarm(Alarm::Incidents, self.incidents.due());
        reactor.set_alarm(Alarm::Rules, self.rules.due());
    }

    /// The daemon ends: what is kept has to be in its file.
    pub(crate) fn end(&mut self) {
        self.incidents.write_all();
    }

    /// Something has changed on the way to the rules file.
    pub(crate) fn take_rules_changes(&mut self, now: Instant) {
        self.rules.take_changes(now);
    }

    /// SIGHUP: has the rules file read.
    pub(crate) fn ask_for_rules(&mut self, now: Instant) {
        self.rules.ask(now);
    }

    /// The rules file has settled: every guest comes under its rule.
    pub(crate) fn reload_rules(&mut self, ctx: &mut Ctx<'_>) {
        match self.rules.reload() {
            Ok(false) => {}
            Ok(true) => {
                for (number, guest) in self.roster.guests.iter_mut() {
                    if guest.who.grant().vhostmd_disk() {
                        ctx.reactor.set_alarm(Alarm::Disk(number), Some(ctx.now));
                    }
                    let grant = self.rules.rules().decide(guest.who.name().whole());
                    guest.apply_grant(grant, ctx.now);
                }
                self.plan_disks(ctx);
                self.plan_all_watches(ctx);
                self.drop_incidents();
            }
            Err(error) => {
                Event::RulesRefused { file: self.rules.path(), why: &error.to_string() }.log();
            }
        }
    }

    /// Takes over what the settings say of guests.
    pub(crate) fn apply_settings(
        &mut self,
        flow: Flow,
        watch: Watch,
        labels: Labels,
        ctx: &mut Ctx<'_>,
    ) {
        let Watch { guests } = watch;
        self.desk.set_flow(flow.bounds());
        self.desk.given().labels = labels;
        self.watched.max = guests;
        self.plan_all_watches(ctx);
    }

    /// What answers them.
    pub(crate) fn engine(&self) -> &Engine<Libvirt> {
        self.desk.engine()
    }

    /// Who is there.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Who is watched for good.
    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    /// The rules file.
    pub(crate) fn rules(&self) -> &RulesFile {
        &self.rules
    }

    /// The directories of sockets.
    pub(crate) fn directories(&self) -> &Directories {
        &self.directories
    }

    /// What became of all lines.
    pub(crate) fn tally(&self) -> &Tally {
        &self.desk.tally
    }

    /// Every guest may have a turn again.
    pub(crate) fn begin_round(&mut self) {
        self.round = self.round.next();
    }

    /// Units of work that were done in turns and in samples since this was called last.
    pub(crate) fn take_work(&mut self) -> u32 {
        self.desk.take_work()
    }

    /// Whether somebody is to be told of each line and its reply.
    pub(crate) fn set_seen(&mut self, is_seen: bool) {
        self.desk.is_watched = is_seen;
    }

    /// What was answered in the last turn, where somebody is to be told.
    pub(crate) fn take_seen(&mut self) -> Option<Seen> {
        self.desk.take_seen()
    }
}
