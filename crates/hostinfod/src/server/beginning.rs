//! What a daemon begins with: nothing, or all that another program hands over.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use hostinfo_control::{Upgraded, answer};
use hostinfo_custom::CustomState;
use hostinfo_handover::Document;
use hostinfo_sample::Host;

use crate::admin::{Before, Inherited};
use crate::args::Args;
use crate::handover::{FilesState, GuestsState, Handover, LibvirtState, ListenerState};
use crate::metrics::tally::Tally;
use crate::rules_file;
use crate::settings::Settings;
use crate::system::descriptors::{Incoming, Number};

/// What the parts of the daemon begin with.
pub(super) struct Beginning {
    pub(super) locks: [Option<OwnedFd>; 2],
    pub(super) control: Before,
    pub(super) scrape: Option<Inherited>,
    /// When the samples' grid begins.
    pub(super) start: Instant,
    pub(super) host: Host,
    pub(super) tally: Tally,
    pub(super) customs: CustomState,
    pub(super) log_left_out: u64,
    /// From another program.
    pub(super) before: Option<Predecessor>,
    /// The administrator's files as that goes by them.
    pub(super) files: Option<FilesState>,
}

/// What another program hands over besides.
pub(super) struct Predecessor {
    pub(super) guests: GuestsState,
    pub(super) fds: Incoming,
    pub(super) libvirt: LibvirtState,
    pub(super) clients: Clients,
}

/// Clients that asked for the upgrade.
pub(super) struct Clients {
    /// The release that they asked.
    before: String,
    fds: Vec<OwnedFd>,
}

impl Beginning {
    /// Nothing.
    pub(super) fn fresh() -> Self {
        Self {
            locks: [None, None],
            control: Before { socket: None, since: SystemTime::now(), left_out: 0 },
            scrape: None,
            start: Instant::now(),
            host: Host::default(),
            tally: Tally::default(),
            customs: CustomState::default(),
            log_left_out: 0,
            before: None,
            files: None,
        }
    }

    /// What waits at standard input.
    ///
    /// # Errors
    /// There is nothing, or it is damaged.
    pub(super) fn taken_over() -> anyhow::Result<Self> {
        let (document, mut fds) = Incoming::receive().context("nothing was handed over")?;
        let handover = Handover::read(&Document::open(document)?)?;
        let mut take = |fd: Number| fds.take(fd);
        let mut inherit = |state: Option<ListenerState>| {
            let ListenerState { fd, file } = state?;
            Some(Inherited { socket: take(fd)?, file })
        };
        let (socket, scrape) = (inherit(handover.control), inherit(handover.scrape));
        let locks = handover.locks.map(|lock| take(lock?));
        let askers = handover.askers.into_iter().filter_map(take).collect();
        Ok(Self {
            locks,
            control: Before { socket, since: handover.since, left_out: handover.events_left_out },
            scrape,
            start: handover.start,
            host: handover.host,
            tally: handover.tally,
            customs: handover.customs,
            log_left_out: handover.log_left_out,
            before: Some(Predecessor {
                guests: handover.guests,
                fds,
                libvirt: handover.libvirt,
                clients: Clients { before: handover.release, fds: askers },
            }),
            files: Some(handover.files),
        })
    }
}

impl Clients {
    /// Tells them which program they have now.
    pub(super) fn tell(self, guests: u64) {
        let Self { before, fds } = self;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        tracing::info!(
            "hostinfod {version} goes on in place of {before}; connected guests: {guests}"
        );
        let upgraded = serde_json::to_value(Upgraded { before, version, guests });
        let Ok(reply) = upgraded.map(|upgraded| answer(Ok(upgraded), false)) else { return };
        for fd in fds {
            // A client that has gone does not want it.
            let _ = rustix::io::write(fd, &reply);
        }
    }
}

/// `--check-handover`: whether this program can go on with the document at that descriptor, under the rules and the
/// settings in it.
///
/// # Errors
/// Why it cannot.
pub(super) fn check(fd: u32, args: &Args) -> anyhow::Result<()> {
    // The file is opened anew, so that it is read from its beginning, whoever else reads it.
    let path = PathBuf::from(format!("/proc/self/fd/{fd}"));
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let FilesState { settings, rules } = Handover::read(&Document::open(file.into())?)?.files;
    let settings = Settings::of(settings.into(), args)?;
    Ok(rules_file::check_handover(rules.as_deref(), &settings.paths.rules)?)
}

/// `--check`: whether a daemon would start with the rules and the settings that are there now.
///
/// # Errors
/// Why it would not.
pub(super) fn check_files(args: &Args) -> anyhow::Result<()> {
    let settings = Settings::load(args)?;
    Ok(rules_file::check(&settings.paths.rules)?)
}
