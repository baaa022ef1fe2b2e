//! Settings that take effect only when the daemon starts.

use std::path::PathBuf;

use super::log::{Log, Output};
use super::paths::Paths;
use super::security::Security;
use super::{Control, Libvirt, Metrics, Settings};

/// Such settings, as the daemon was started with them.
#[derive(Debug)]
pub(crate) struct AtStart {
    paths: Paths,
    control: Control,
    metrics: Metrics,
    libvirt: Libvirt,
    security: Security,
    /// `enabled` and `port`.
    vsock: (bool, u32),
    log: (Output, PathBuf),
}

impl AtStart {
    /// Those in `settings`.
    // Without `..`, so that a new setting does not compile until it is listed here or applied while
    // running.
    pub(crate) fn of(settings: &Settings) -> Self {
        let Settings {
            paths,
            control,
            metrics,
            libvirt,
            security,
            vsock,
            log,
            flow: _,
            listen: _,
            tags: _,
            watch: _,
            labels: _,
            sockets: _,
        } = settings;
        let Log { output, file, level: _, filters: _ } = log;
        Self {
            paths: paths.clone(),
            control: control.clone(),
            metrics: metrics.clone(),
            libvirt: libvirt.clone(),
            security: *security,
            vsock: (vsock.enabled, vsock.port),
            log: (*output, file.clone()),
        }
    }

    /// The sections of the file that differ in `settings`, and so wait for a restart.
    pub(crate) fn waiting(&self, settings: &Settings) -> Vec<&'static str> {
        let Self { paths, control, metrics, libvirt, security, vsock, log } = Self::of(settings);
        let sections = [
            (paths != self.paths, "[paths]"),
            (control != self.control, "[control]"),
            (metrics != self.metrics, "[metrics]"),
            (libvirt != self.libvirt, "[libvirt]"),
            (security != self.security, "[security]"),
            (vsock != self.vsock, "enabled and port of [vsock]"),
            (log != self.log, "the log's output and file"),
        ];
        sections.into_iter().filter_map(|(waits, section)| waits.then_some(section)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(text: &str) -> Vec<&'static str> {
        let settings = toml::from_str(text).unwrap();
        AtStart::of(&Settings::default()).waiting(&settings)
    }

    #[test]
    fn each_section_that_is_not_taken_over_waits_for_a_restart() {
        for (text, section) in [
            ("[paths]\nrules = '/x'", "[paths]"),
            ("[control]\ngroup = 'x'", "[control]"),
            ("[metrics]\nlisten = '/x'", "[metrics]"),
            ("[libvirt]\nrequired = true", "[libvirt]"),
            ("[security]\nlandlock = false", "[security]"),
            ("[security]\nseccomp = false", "[security]"),
            ("[vsock]\nenabled = true", "enabled and port of [vsock]"),
            ("[vsock]\nport = 1", "enabled and port of [vsock]"),
            ("[log]\noutput = 'journald'", "the log's output and file"),
            ("[log]\nfile = '/x'", "the log's output and file"),
        ] {
            assert_eq!(waiting(text), [section], "{text}");
        }
        assert_eq!(
            waiting("[libvirt]\nuri = 'x'\n[paths]\nrules = '/x'"),
            ["[paths]", "[libvirt]"]
        );
    }

    #[test]
    fn settings_that_take_effect_at_once_or_are_unchanged_wait_for_no_restart() {
        let page = include_str!("../../../../docs/hostinfod.toml");
        let at_once = "[[sockets]]\npreset = 'proxmox'\n[flow]\nline_burst = 7\n[watch]\nguests = 7\n[labels]\na = 'b'\n[tags]\nown = false\n[vsock]\nguests = ['*']\n\
                       [[listen]]\npath = '/a/{name}/b'\ndriver = 'a'\nuser = '1'\n\
                       [log]\nlevel = 'error'\nfilters = { x = 'off' }\n";
        for text in ["", page, at_once] {
            assert!(waiting(text).is_empty(), "{text}");
        }
    }
}
