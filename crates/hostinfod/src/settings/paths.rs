//! `[paths]` of the settings.

use std::path::PathBuf;

use hostinfo_sample::Roots;
use serde::Deserialize;

/// Paths of files and directories.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Paths {
    /// hostinfo.conf(5).
    pub(crate) rules: PathBuf,
    /// The directory of custom statistics.
    pub(crate) custom_dir: PathBuf,
    /// The socket directory.
    pub(crate) socket_dir: PathBuf,
    /// The socket of hostinfo-open.
    pub(crate) opener: PathBuf,
    /// The socket of hostinfo-run.
    pub(crate) runner: PathBuf,
    /// The directory of state that outlives the daemon: the host's secret, the host's state, notices, incidents.
    pub(crate) state_dir: PathBuf,
    /// Used instead of `/proc`.
    pub(crate) proc_root: PathBuf,
    /// Used instead of `/sys`.
    pub(crate) sys_root: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            rules: "/etc/hostinfo/hostinfo.conf".into(),
            custom_dir: "/etc/hostinfo/custom.d".into(),
            socket_dir: hostinfo_domains::SOCKET_DIR.into(),
            opener: hostinfo_open::SOCKET.into(),
            runner: hostinfo_custom::SOCKET.into(),
            state_dir: "/var/lib/hostinfod".into(),
            proc_root: "/proc".into(),
            sys_root: "/sys".into(),
        }
    }
}

impl Paths {
    /// Where the host's figures are read.
    pub(crate) fn roots(&self) -> Roots {
        Roots { proc: self.proc_root.clone(), sys: self.sys_root.clone() }
    }
}
