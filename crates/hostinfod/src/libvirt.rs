//! libvirt in the daemon: the helper that asks it, and who waits for its answer.
//!
//! On a host without libvirt this does nothing: no process is started, and the daemon is not woken.

mod log;
mod remedy;
mod standing;
mod state;
mod tags;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_domains::limits::DEADLINE;
use hostinfo_domains::{Helper, Snapshot, TagSources, Uuid};
use hostinfo_sample::Absent;

use crate::audit::quota::Quota;
use crate::handover::LibvirtState;
use crate::reactor::id::PortId;
use crate::settings;
use crate::settings::security::Security;
use crate::system::children::end_child;

use remedy::{NOT_ASKED, NOT_RUNNING, SILENT, SWITCHED_OFF, not_installed};

/// How long a new socket waits for libvirt to say whose it is. That takes some milliseconds, and
/// 0.1 s the first time. A libvirt that is only starting, or hangs, is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a connection over AF_VSOCK waits for that: its guest cannot be answered before. A new helper, as after an
/// upgrade, may need seconds on a busy host. One that hangs is noticed within [`DEADLINE`], and the next one has as long.
const PEER_PATIENCE: Duration = DEADLINE.saturating_mul(2);

/// What libvirt knows, and the helper that asks it.
pub(crate) struct Libvirt {
    helper: Option<Helper>,
    /// The helper's command line except for the tags.
    arguments: Vec<OsString>,
    /// Which tags are looked for.
    sought: TagSources,
    /// Whether guests' standings and tags must be looked at again at the next update, whatever changed.
    guests_are_due: bool,
    /// Whether the settings want libvirt asked.
    is_wanted: bool,
    /// Whether the settings want guests served at their channels for vhostmd's clients.
    has_channels: bool,
    uri: String,
    /// Whether it is this host's own libvirt, so that its sockets are visible.
    is_own: bool,
    required: bool,
    /// Whether it had a socket when that was looked at last, at the start and at each turn of the helper: guests' queries
    /// look at no directory.
    is_there: bool,
    /// Whether it answers, as last logged.
    answers: Option<bool>,
    /// Whether its first answer is still awaited. False after an answer or a failure.
    is_first: bool,
    /// Ports that wait to learn whose sockets they are.
    waiting: Vec<PortId>,
    /// How often it stopped answering.
    outages: u64,
    /// What the helper may write to the log, or have written there.
    errors: Quota,
}

/// The result of a turn of the helper.
pub(crate) struct LibvirtUpdate {
    /// The previous snapshot, if anything but figures changed in a domain.
    pub(crate) before: Option<Arc<Snapshot>>,
    /// Whether guests' tags, or whose their sockets are, may have changed.
    pub(crate) concerns_guests: bool,
    /// Ports that waited to learn whose sockets they are.
    pub(crate) waited: Vec<PortId>,
}

impl Libvirt {
    /// Does not start the helper yet. There is no helper if the settings turn libvirt off, or if
    /// its program is not installed.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(crate) fn new(
        settings: &settings::Libvirt,
        socket_dir: &Path,
        sought: TagSources,
        security: Security,
    ) -> io::Result<Self> {
        let own = std::env::current_exe().unwrap_or_default();
        let programs = hostinfo_domains::programs(&own);
        let is_installed = programs.iter().any(|program| program.is_file());
        if !settings.enabled {
            tracing::info!("libvirt is not asked: {SWITCHED_OFF}");
        } else if !is_installed {
            tracing::debug!("libvirt is not asked: {}", not_installed());
        }
        let mut arguments: Vec<OsString> = vec!["--connect".into(), settings.uri.clone().into()];
        arguments.extend(["--socket-dir".into(), socket_dir.into()]);
        if settings.vhostmd_channels {
            arguments.push("--vhostmd-channels".into());
        }
        if security.landlock {
            arguments.push("--confine".into());
        }
        if security.seccomp {
            arguments.push("--filter".into());
        }
        let helper = (settings.enabled && is_installed)
            .then(|| Helper::new(programs, tags::with_tags(&arguments, &sought)));
        let is_own = settings.uri.ends_with(":///system");
        let (helper, required) = (helper.transpose()?, settings.required);
        let (is_wanted, uri) = (settings.enabled, settings.uri.clone());
        let has_channels = settings.vhostmd_channels;
        Ok(Self {
            helper,
            arguments,
            sought,
            guests_are_due: false,
            is_wanted,
            has_channels,
            uri,
            is_own,
            required,
            is_there: hostinfo_domains::is_there(),
            answers: None,
            is_first: false,
            waiting: Vec::new(),
            outages: 0,
            errors: Quota::default(),
        })
    }

    /// What another program goes on with.
    pub(crate) fn hand_over(&self, now: Instant) -> LibvirtState {
        let helper = self.helper.as_ref();
        LibvirtState {
            known: helper.and_then(|helper| helper.hand_over(now)),
            answers: self.answers,
            outages: self.outages,
            processes: helper.map(|helper| helper.processes().collect()).unwrap_or_default(),
        }
    }

    /// Goes on with what another program knew. A helper of its own tells more.
    pub(crate) fn take_over(&mut self, state: LibvirtState) {
        let LibvirtState { known, answers, outages, processes } = state;
        processes.into_iter().for_each(end_child);
        // One that the settings have switched off since is not waited for.
        self.answers = answers.filter(|_| self.helper.is_some());
        self.outages = outages;
        if let (Some(helper), Some(known)) = (&mut self.helper, known) {
            helper.take_over(known);
        }
    }

    /// The helper, which is waited for.
    pub(crate) fn helper(&mut self) -> Option<&mut Helper> {
        self.helper.as_mut()
    }

    /// The current snapshot; `None` if libvirt does not answer or there is none.
    pub(crate) fn known(&self) -> Option<&Arc<Snapshot>> {
        self.helper.as_ref().map(Helper::snapshot).filter(|snapshot| snapshot.outage().is_none())
    }

    /// Whether guests are served at their channels for vhostmd's clients.
    pub(crate) fn has_channels(&self) -> bool {
        self.has_channels && self.helper.is_some()
    }

    /// The current snapshot, where guests are served at the channels that are in it. A helper that was taken over reports
    /// channels in any case.
    pub(crate) fn known_with_channels(&self) -> Option<&Arc<Snapshot>> {
        self.known().filter(|_| self.has_channels())
    }

    /// Whether the current snapshot was requested at that time or later.
    pub(crate) fn is_asked_since(&self, since: Instant) -> bool {
        let as_of = self.helper.as_ref().and_then(Helper::as_of);
        self.known().is_some() && as_of.is_some_and(|as_of| as_of >= since)
    }

    /// Whether a process that came at `since`, if that is known, came after libvirt's last answer was requested, which then says
    /// nothing of it. The next one will, so guests are looked at again with that.
    fn came_since(&mut self, since: Option<Instant>) -> bool {
        let as_of = self.helper.as_ref().and_then(Helper::as_of);
        let is_newer = since.is_some_and(|since| as_of.is_none_or(|as_of| as_of < since));
        self.guests_are_due |= is_newer;
        is_newer
    }

    /// Until when a connection over AF_VSOCK that was accepted at `since` waits at the most.
    pub(crate) fn peer_patience(since: Instant) -> Instant {
        since + PEER_PATIENCE
    }

    /// Whether this host may have libvirt, also while it does not answer. Where it has been stopped, its domains may run on.
    pub(crate) fn may_be_there(&mut self) -> bool {
        self.answers.is_some() || self.worth_asking().is_some()
    }

    /// How often libvirt stopped answering.
    pub(crate) fn outages(&self) -> u64 {
        self.outages
    }

    /// Whether libvirt has never answered and does not run on this host, where it may not even be installed.
    fn is_not_there(&self) -> bool {
        self.answers.is_none() && self.is_own && !self.is_there
    }

    /// Starts the helper if libvirt is there, or once it comes.
    pub(crate) fn begin(&mut self, now: Instant) {
        if let Some(helper) = &mut self.helper {
            helper.await_libvirt();
        }
        if let Some(helper) = self.worth_asking() {
            helper.want(now);
            self.is_first = true;
        }
    }

    /// Until when a port that appeared at `since` has to wait for libvirt to say whose it is; the current snapshot may be
    /// older. `None` if it need not wait, as for a libvirt that does not answer.
    pub(crate) fn awaited(
        &mut self,
        port: PortId,
        since: Instant,
        now: Instant,
    ) -> Option<Instant> {
        let until = self.look_until(since, since + PATIENCE, now)?;
        self.waiting.push(port);
        Some(until)
    }

    /// The same for a connection over AF_VSOCK.
    pub(crate) fn awaited_by_peer(&mut self, since: Instant, now: Instant) -> Option<Instant> {
        self.look_until(since, Self::peer_patience(since), now)
    }

    fn look_until(&mut self, since: Instant, until: Instant, now: Instant) -> Option<Instant> {
        let is_up = self.known().is_some() || self.is_first;
        let helper = self.worth_asking()?;
        if helper.as_of().is_some_and(|as_of| as_of >= since) {
            return None;
        }
        helper.look(now);
        (is_up && until > now).then_some(until)
    }

    /// Requests the figures of these domains, in one request.
    pub(crate) fn refresh_each(&mut self, domains: impl IntoIterator<Item = Uuid>, now: Instant) {
        if let Some(helper) = self.worth_asking() {
            helper.refresh_each(domains, now);
        }
    }

    /// When [`Libvirt::turn`] is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.helper.as_ref().and_then(Helper::next_deadline)
    }

    /// The helper, unless it would be started for nothing.
    fn worth_asking(&mut self) -> Option<&mut Helper> {
        let is_up = self.known().is_some();
        let may_be_there = || is_up || !self.is_own || hostinfo_domains::is_there();
        self.helper.as_mut().filter(|_| may_be_there())
    }

    /// Gives the helper its turn: it has sent something, or a deadline has come. `None` if nothing
    /// has changed.
    pub(crate) fn turn(
        &mut self,
        turn: impl FnOnce(&mut Helper) -> bool,
        now: Instant,
    ) -> Option<LibvirtUpdate> {
        let helper = self.helper.as_mut()?;
        let before = Arc::clone(helper.snapshot());
        let has_changed = turn(helper);
        if self.answers.is_none() {
            self.is_there = hostinfo_domains::is_there();
        }
        if !has_changed {
            return None;
        }
        // If only figures changed, both snapshots share one map of sockets to domains.
        let is_same = std::ptr::eq(before.whose(), helper.snapshot().whose());
        self.log(now);
        if !is_same {
            self.log_unread(&before, now);
        }
        self.is_first = false;
        let waited = std::mem::take(&mut self.waiting);
        let concerns_guests = std::mem::take(&mut self.guests_are_due) || !is_same;
        Some(LibvirtUpdate { before: (!is_same).then_some(before), concerns_guests, waited })
    }
}

impl hostinfo_answer::Libvirt for Libvirt {
    fn snapshot(&self) -> Result<&Arc<Snapshot>, Absent> {
        self.known().ok_or_else(|| match &self.helper {
            None => NOT_ASKED,
            Some(_) if self.is_not_there() => NOT_RUNNING,
            Some(_) => SILENT,
        })
    }

    fn refresh(&mut self, domain: Uuid, now: Instant) {
        self.refresh_each([domain], now);
    }
}

#[cfg(test)]
impl Libvirt {
    /// For a libvirt that has not answered.
    pub(crate) fn silent() -> Self {
        Self { is_wanted: true, ..Self::none() }
    }

    /// For a libvirt that has answered, and was stopped.
    pub(crate) fn stopped() -> Self {
        Self { answers: Some(false), ..Self::silent() }
    }

    /// For a libvirt that this helper asks.
    pub(crate) fn asked_by(helper: Helper) -> Self {
        Self { helper: Some(helper), is_wanted: true, is_own: false, ..Self::none() }
    }

    /// The same, where the settings want guests served at their channels, or do not.
    pub(crate) fn with_channels(self, has_channels: bool) -> Self {
        Self { has_channels, ..self }
    }

    /// A helper that reports that, and nothing more when it is asked.
    pub(crate) fn helper_that_says(said: &[hostinfo_domains::Message]) -> Helper {
        Self::helper_that_answers(said, &[])
    }

    /// A helper that reports that, and when it is asked, one of the `answers` after the other.
    pub(crate) fn helper_that_answers(
        said: &[hostinfo_domains::Message],
        answers: &[hostinfo_domains::Message],
    ) -> Helper {
        let lines = |said: &[hostinfo_domains::Message]| {
            let lines = said.iter().flat_map(|said| hostinfo_domains::to_line(said).unwrap());
            String::from_utf8(lines.collect()).unwrap()
        };
        let script = r#"printf '%s' "$0"; n=0
            while read -r _; do
                printf '%s' "$1"; [ $# = 0 ] || shift; n=$((n+1)); printf '{"done":%s}\n' $n
            done"#;
        let mut arguments = vec!["-c".to_owned(), script.to_owned(), lines(said)];
        arguments.extend(answers.chunks(1).map(lines));
        let arguments = arguments.into_iter().map(Into::into).collect();
        Helper::new(vec!["/bin/sh".into()], arguments).unwrap()
    }

    /// For a host without libvirt.
    pub(crate) fn none() -> Self {
        Self {
            helper: None,
            arguments: Vec::new(),
            sought: TagSources::default(),
            guests_are_due: false,
            is_wanted: false,
            has_channels: false,
            uri: String::new(),
            is_own: true,
            required: false,
            is_there: false,
            answers: None,
            is_first: false,
            waiting: Vec::new(),
            outages: 0,
            errors: Quota::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_libvirt_that_was_switched_off_before_an_upgrade_is_not_there_any_more() {
        let mut after = Libvirt::none();
        after.take_over(Libvirt::stopped().hand_over(Instant::now()));
        assert!(!after.may_be_there());
    }
}
