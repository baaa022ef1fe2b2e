//! `hostinfod.toml` and the command line put together.

pub(crate) mod at_start;
pub(crate) mod file;
pub(crate) mod flow;
pub(crate) mod hybrid;
pub(crate) mod listen;
pub(crate) mod log;
pub(crate) mod paths;
pub(crate) mod pattern;
pub(crate) mod vsock;
pub(crate) mod watch;

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::Deserialize;

use crate::args::Args;
use crate::system::file_error::FileError;
use flow::Flow;
use hostinfo_answer::Labels;
use hybrid::Hybrids;
use listen::Listen;
use log::Log;
use paths::Paths;
use vsock::Vsock;
use watch::Watch;

/// Where the settings are, unless the command line says otherwise.
pub(crate) const CONFIG: &str = "/etc/hostinfo/hostinfod.toml";

/// The longest file that is read: the documented one has 4 KiB, and 900 labels of the longest text 1
/// MiB.
const FILE_MAX: u64 = 1024 * 1024;

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
    /// Where guests' VMMs connect.
    pub(crate) listen: Hybrids,
    /// Which guests connect by AF_VSOCK.
    pub(crate) vsock: Vsock,
    /// What is watched while nobody asks.
    pub(crate) watch: Watch,
    /// What guests can be told of this host.
    pub(crate) labels: Labels,
    /// What is logged, and where.
    pub(crate) log: Log,
}

/// Who may ask the daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// Over HTTP.
    pub(crate) listen: Listen,
}

/// What is asked of libvirt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file could not be read.
    #[error(transparent)]
    Unreadable(FileError),
    /// The file is not UTF-8.
    #[error("{path}: is not UTF-8 text: save it as UTF-8", path = .0.display())]
    NotText(PathBuf),
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
    /// Where the file is.
    pub(crate) fn path(args: &Args) -> &Path {
        args.config.as_deref().unwrap_or(Path::new(CONFIG))
    }

    /// What the file and the command line say. The file may be missing where the command line
    /// does not name it.
    ///
    /// # Errors
    /// [`Error`], which names the file and the place in it.
    pub(crate) fn load(args: &Args) -> Result<Self, Error> {
        let path = Self::path(args);
        let unreadable = |error| Error::Unreadable(FileError::of(path)(error));
        let text = match hostinfo_file::read(path, FILE_MAX).map_err(io::Error::from) {
            Ok(None) if args.config.is_some() => {
                return Err(unreadable(Errno::NOENT.into()));
            }
            other => other.map_err(unreadable)?.unwrap_or_default(),
        };
        let mut settings = Self::parse(text, path)?;
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

    /// What a file says; `path` is for errors alone.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn parse(file: Vec<u8>, path: &Path) -> Result<Self, Error> {
        let text = String::from_utf8(file).map_err(|_| Error::NotText(path.into()))?;
        toml::from_str(&text)
            .map_err(|error| Error::Malformed { path: path.into(), error: Box::new(error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use clap::Parser as _;

    use hostinfo_answer::Bound;

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
        assert_eq!(settings.flow.bounds().lines, Bound { per_second: 20, burst: 7 });
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
    fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
        for seed in fs::read_dir("../../fuzz/seeds/settings").unwrap() {
            let path = seed.unwrap().path();
            let settings = Settings::parse(fs::read(&path).unwrap(), &path);
            let is_it = match path.file_name().unwrap().to_str().unwrap() {
                "every-section" => settings.is_ok(),
                "unknown" => matches!(settings, Err(Error::Malformed { .. })),
                "not-text" => matches!(settings, Err(Error::NotText(_))),
                other => panic!("say here what {other} is"),
            };
            assert!(is_it, "{}: {settings:?}", path.display());
        }
    }

    #[test]
    fn a_settings_file_that_was_named_has_to_be_there() {
        let args = Args::parse_from(["hostinfod", "--config", "/nonexistent/x"]);
        assert!(matches!(Settings::load(&args), Err(Error::Unreadable(_))));
    }
}
