//! `hostinfod.toml` and the command line put together.

pub(crate) mod labels;
pub(crate) mod listen;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use hostinfo_sample::Roots;
use hostinfo_wire::limits;

use crate::args::Args;
use crate::flow::Bound;
use crate::system::file_error::FileError;
use labels::Labels;
use listen::Listen;

/// Where the settings are, unless the command line says otherwise.
pub(crate) const CONFIG: &str = "/etc/hostinfo/hostinfod.toml";

/// Everything that an administrator sets for the daemon.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where things are.
    pub(crate) paths: Paths,
    /// Who may ask the daemon itself.
    pub(crate) control: Control,
    /// Where the daemon's own metrics can be read.
    pub(crate) metrics: Metrics,
    /// What one guest may send and get.
    pub(crate) flow: Flow,
    /// What is asked of libvirt.
    pub(crate) libvirt: Libvirt,
    /// What guests can be told of this host.
    pub(crate) labels: Labels,
    /// What is logged, and where.
    pub(crate) log: Log,
}

/// Where things are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Paths {
    /// hostinfo.conf(5).
    pub(crate) rules: PathBuf,
    /// The directory of the administrator's own statistics.
    pub(crate) custom_dir: PathBuf,
    /// The directory of the guests' sockets.
    pub(crate) socket_dir: PathBuf,
    /// The directory of what outlives the daemon: the host's secret, notices.
    pub(crate) state_dir: PathBuf,
    /// In place of `/proc`.
    pub(crate) proc_root: PathBuf,
    /// In place of `/sys`.
    pub(crate) sys_root: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            rules: "/etc/hostinfo/hostinfo.conf".into(),
            custom_dir: "/etc/hostinfo/custom.d".into(),
            socket_dir: hostinfo_domains::SOCKET_DIR.into(),
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

/// Who may ask the daemon itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Control {
    /// Where.
    pub(crate) socket: PathBuf,
    /// Who may besides root and the daemon's own user; empty for nobody.
    pub(crate) group: String,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: hostinfo_control::SOCKET.into(), group: String::new() }
    }
}

/// Where the daemon's own metrics can be read, besides the control socket.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// Over HTTP.
    pub(crate) listen: Listen,
}

/// What one guest may send and get, over all its connections; 0 for no bound.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Flow {
    lines_per_second: u32,
    line_burst: u32,
    bytes_per_second: u32,
    byte_burst: u32,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            lines_per_second: limits::LINES_PER_SECOND,
            line_burst: limits::LINE_BURST,
            bytes_per_second: limits::BYTES_PER_SECOND,
            byte_burst: limits::BYTE_BURST,
        }
    }
}

impl Flow {
    /// Lines answered.
    pub(crate) fn lines(&self) -> Bound {
        bound(self.lines_per_second, self.line_burst)
    }

    /// Bytes read.
    pub(crate) fn bytes(&self) -> Bound {
        bound(self.bytes_per_second, self.byte_burst)
    }
}

/// A burst of 0 is no bound either: it would let nothing pass.
fn bound(per_second: u32, burst: u32) -> Bound {
    Bound { per_second: if burst == 0 { 0 } else { per_second }, burst }
}

/// What is asked of libvirt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Libvirt {
    /// Whether anything is.
    pub(crate) enabled: bool,
    /// Which libvirt.
    pub(crate) uri: String,
    /// Whether a socket that no running domain names is refused.
    pub(crate) required: bool,
    /// Whether guests are served over libvirt's own channels for vhostmd's clients, too.
    pub(crate) vhostmd_channels: bool,
}

impl Default for Libvirt {
    fn default() -> Self {
        let uri = hostinfo_domains::URI.into();
        Self { enabled: true, uri, required: false, vhostmd_channels: false }
    }
}

/// What is logged, and where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// The least grave that is logged.
    pub(crate) level: Level,
    /// Other levels for single modules, such as `"hostinfod::server" = "debug"`.
    pub(crate) filters: BTreeMap<String, Level>,
    /// Where to.
    pub(crate) output: Output,
    /// The file, for `output = "file"`.
    pub(crate) file: PathBuf,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Level::Info,
            filters: BTreeMap::new(),
            output: Output::Stderr,
            file: "/var/log/hostinfo/hostinfod.log".into(),
        }
    }
}

/// How grave a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Nothing at all.
    Off,
    /// What has to be mended.
    Error,
    /// What may have to be.
    Warn,
    /// What has changed.
    Info,
    /// What was decided.
    Debug,
    /// Everything.
    Trace,
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Output {
    /// Standard error.
    Stderr,
    /// systemd's journal, with fields.
    Journald,
    /// A file.
    File,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file could not be read.
    #[error(transparent)]
    Unreadable(FileError),
    /// The file is no TOML, or has a setting that there is not.
    #[error("{path}: {error}", path = .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where in it, and what was expected.
        error: Box<toml::de::Error>,
    },
}

impl Settings {
    /// What the file and the command line say. The file may be missing where the command line
    /// does not name it.
    ///
    /// # Errors
    /// [`Error`], which names the file and the place in it.
    pub(crate) fn load(args: &Args) -> Result<Self, Error> {
        let path = args.config.as_deref().unwrap_or(Path::new(CONFIG));
        let text = match fs::read_to_string(path) {
            Err(error) if args.config.is_none() && error.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            other => other.map_err(FileError::of(path)).map_err(Error::Unreadable)?,
        };
        let mut settings: Self = toml::from_str(&text)
            .map_err(|error| Error::Malformed { path: path.into(), error: Box::new(error) })?;
        if let Some(socket) = &args.control {
            settings.control.socket.clone_from(socket);
        }
        let paths = &mut settings.paths;
        for (flag, setting) in [
            (&args.rules, &mut paths.rules),
            (&args.socket_dir, &mut paths.socket_dir),
            (&args.state_dir, &mut paths.state_dir),
            (&args.proc_root, &mut paths.proc_root),
            (&args.sys_root, &mut paths.sys_root),
        ] {
            if let Some(flag) = flag {
                setting.clone_from(flag);
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn load(text: &str, flags: &[&str]) -> Result<Settings, Error> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hostinfod.toml");
        fs::write(&file, text).unwrap();
        let config = ["hostinfod", "--config", file.to_str().unwrap()];
        Settings::load(&Args::parse_from(config.iter().chain(flags)))
    }

    #[test]
    fn a_flag_overrides_the_file_and_the_file_the_default() {
        let text = "[paths]\nrules = '/a'\nsocket_dir = '/s'\n[flow]\nline_burst = 7\n";
        let settings = load(text, &["--rules", "/b"]).unwrap();
        assert_eq!(settings.paths.rules, Path::new("/b"));
        assert_eq!(settings.paths.socket_dir, Path::new("/s"));
        assert_eq!(settings.paths.proc_root, Path::new("/proc"));
        assert_eq!(settings.flow.lines(), Bound { per_second: 20, burst: 7 });
    }

    #[test]
    fn the_documented_settings_are_all_there_are_and_the_defaults() {
        let page = include_str!("../../../docs/hostinfod.toml");
        let documented = load(page, &[]).unwrap();
        let default = Settings::default();
        assert_eq!(format!("{documented:?}"), format!("{default:?}"));
        let keys: toml::Table = page.parse().unwrap();
        let words: Vec<&str> =
            keys.values().flat_map(|t| t.as_table().unwrap().keys()).map(String::as_str).collect();
        for field in format!("{default:#?}").lines().filter_map(|line| line.trim().split_once(": "))
        {
            assert!(
                words.contains(&field.0) || keys.contains_key(field.0),
                "{} is not documented",
                field.0
            );
        }
    }

    #[test]
    fn what_the_daemon_does_not_know_is_an_error_with_its_place() {
        for (text, word) in [
            ("[flow]\nlines = 3\n", "lines"),
            ("[log]\nlevel = 'loud'\n", "loud"),
            ("[paths\n", "line 1"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains("hostinfod.toml") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_settings_file_that_was_named_has_to_be_there() {
        let args = Args::parse_from(["hostinfod", "--config", "/nonexistent/x"]);
        assert!(matches!(Settings::load(&args), Err(Error::Unreadable(_))));
    }
}
