//! The daemon confines itself once it has opened what it needs, and before it serves anybody: Landlock bounds where
//! files are written and executed and which network is reached, seccomp which system calls are possible. What it
//! starts later, `hostinfo-libvirt` and a new version of itself, is confined with it.
//!
//! This holds wherever the daemon runs. As a service, it is confined by its unit as well.

#[cfg(debug_assertions)]
mod attempts;
mod landlock;
mod layers;
mod places;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod seccomp;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "confinement/no_seccomp.rs"]
mod seccomp;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod system_calls;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::settings::Settings;
use crate::settings::listen::Listen;
use crate::settings::log::Output;
use crate::settings::security::Security;
pub(crate) use layers::Layers;

/// What the daemon gives up, and what it keeps.
#[derive(Debug)]
pub(crate) struct Confinement {
    security: Security,
    /// Directories below which it may write.
    writable: Vec<PathBuf>,
    /// Directories below which it may execute.
    executable: Vec<PathBuf>,
    /// Where it listens for Prometheus over TCP, if another program has ended that has that port now.
    port: Option<u16>,
    /// Whether it may have to listen for guests over AF_VSOCK again.
    vsock: bool,
    /// Whether the process goes on in place of another, whose confinement it has.
    is_upgrade: bool,
}

impl Confinement {
    /// That of a daemon with these settings, which runs from `own`, and goes on in place of another or begins.
    pub(crate) fn of(settings: &Settings, own: &Path, is_upgrade: bool) -> Self {
        let written = written(settings);
        let writable = written.iter().filter_map(|directory| {
            let above = places::above(directory);
            if above.is_none() {
                tracing::warn!(
                    "{}: hostinfod will not be able to make it: make it, then restart hostinfod",
                    directory.display()
                );
            }
            above
        });
        let writable = writable.collect();
        let executable = places::of_programs(own);
        let port = match &settings.metrics.listen {
            Listen::Loopback(address) => Some(address.port()),
            Listen::Off | Listen::Unix(_) => None,
        };
        let vsock = settings.vsock.enabled;
        Self { security: settings.security, writable, executable, port, vsock, is_upgrade }
    }

    /// Confines this process, and logs it. Returns what is in force. Landlock confines only the thread that calls this,
    /// so there must be no other yet.
    pub(crate) fn enter(self) -> Layers {
        let mut layers = if self.is_upgrade { Layers::inherited() } else { Layers::default() };
        warn_of(layers);
        if !layers.landlock {
            layers.landlock = self.confine_by("landlock", self.security.landlock, |this| {
                landlock::restrict(&this.writable, &this.executable, this.port)
            });
        }
        if !layers.seccomp {
            layers.seccomp = self
                .confine_by("seccomp", self.security.seccomp, |this| seccomp::restrict(this.vsock));
        }
        #[cfg(debug_assertions)]
        attempts::make();
        layers
    }

    /// Has a part confine this process, unless its setting says otherwise. Returns whether it does.
    fn confine_by<E: Display>(
        &self,
        part: &str,
        is_wanted: bool,
        restrict: impl Fn(&Self) -> Result<(), E>,
    ) -> bool {
        if !is_wanted {
            tracing::info!("not confined by {part}: [security] {part} = false");
            return false;
        }
        match restrict(self) {
            Ok(()) => tracing::info!("confined by {part}"),
            Err(error) => {
                tracing::warn!(
                    "not confined by {part}: {error}. [security] {part} = false in hostinfod.toml silences this"
                );
                return false;
            }
        }
        true
    }
}

/// Asks for a restart if what the previous version left in force is not what this one needs.
fn warn_of(layers: Layers) {
    if layers.are_too_narrow() {
        tracing::warn!(
            "this version needs more than the confinement of the previous one permits: systemctl restart hostinfo"
        );
    }
    if layers.are_too_wide() {
        tracing::warn!(
            "the confinement of the previous version stays in force, which permits more than this version's: systemctl restart hostinfo"
        );
    }
}

/// The directories in which the daemon makes files and sockets.
fn written(settings: &Settings) -> Vec<&Path> {
    let mut written = vec![&*settings.paths.socket_dir, &settings.paths.state_dir];
    written.extend(settings.control.socket.parent());
    if let Listen::Unix(socket) = &settings.metrics.listen {
        written.extend(socket.parent());
    }
    if matches!(settings.log.output, Output::File) {
        written.extend(settings.log.file.parent());
    }
    written.extend(settings.listen.iter().map(|listen| listen.entry.pattern.directory()));
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// What is logged, each line without the time and the place.
    fn logged(log: impl FnOnce()) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let subscriber = tracing_subscriber::fmt().without_time().with_target(false);
        let subscriber = subscriber.with_ansi(false).with_writer(Arc::new(file.reopen().unwrap()));
        tracing::subscriber::with_default(subscriber.finish(), log);
        let log = std::fs::read_to_string(file).unwrap();
        log.lines().map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn a_restart_is_asked_for_after_an_upgrade_to_a_version_that_needs_or_permits_something_else() {
        let after = |said: &str| logged(|| warn_of(Layers::parse(said)));
        let needs_more = "WARN this version needs more than the confinement of the previous one permits: systemctl restart hostinfo";
        let is_stricter = "WARN the confinement of the previous version stays in force, which permits more than this version's: systemctl restart hostinfo";
        assert_eq!(after("0 strictness=99 landlock"), [needs_more]);
        assert_eq!(after("99 strictness=0 seccomp"), [is_stricter]);
        assert_eq!(after("0 landlock seccomp"), [needs_more, is_stricter]);
        for nothing in ["99 strictness=99 landlock seccomp", "0", ""] {
            assert!(after(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_kernel_that_lacks_a_part_is_told_of_in_one_line_and_what_is_switched_off_is_not_tried() {
        let confinement = |security| {
            let settings = Settings { security, ..Settings::default() };
            Confinement::of(&settings, Path::new("/no/such/hostinfod"), false)
        };
        let lacking = confinement(Security::default());
        let lines = logged(|| {
            assert!(!lacking.confine_by("landlock", true, |_| Err("the kernel does not offer it")));
        });
        let line = "WARN not confined by landlock: the kernel does not offer it. [security] landlock = false in hostinfod.toml silences this";
        assert_eq!(lines, [line]);
        let off = confinement(Security { landlock: false, seccomp: false });
        let lines = logged(|| {
            let layers = off.enter();
            assert!(!layers.landlock && !layers.seccomp);
        });
        let off = |part: &str| format!("INFO not confined by {part}: [security] {part} = false");
        assert_eq!(lines, ["landlock", "seccomp"].map(off));
    }

    #[test]
    fn whatever_the_settings_name_for_writing_is_writable_and_what_they_only_read_is_not() {
        let settings: Settings = toml::from_str(
            "[paths]\nsocket_dir = '/a/s'\nstate_dir = '/b/s'\nrules = '/r/r'\ncustom_dir = '/r/c'\n\
             [control]\nsocket = '/c/s/x'\n[metrics]\nlisten = '/d/s/x'\n\
             [log]\noutput = 'file'\nfile = '/e/s/x'\n\
             [[listen]]\npath = '/f/s/{name}/x'\ndriver = 'a'\nuser = 'b'\n\
             [[sockets]]\npath = '/r/s/{name}/x'\ndriver = 'q'\n",
        )
        .unwrap();
        let mut found = written(&settings);
        found.sort_unstable();
        assert_eq!(found, ["/a/s", "/b/s", "/c/s", "/d/s", "/e/s", "/f/s/"].map(Path::new));
    }
}
