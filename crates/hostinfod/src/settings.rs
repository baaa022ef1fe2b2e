//! The settings: `hostinfod.toml` combined with the command line.

pub(crate) mod at_start;
pub(crate) mod file;
pub(crate) mod flow;
pub(crate) mod hybrid;
pub(crate) mod listen;
pub(crate) mod log;
pub(crate) mod paths;
pub(crate) mod security;
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
pub(crate) use hostinfo_domains::LibvirtSettings as Libvirt;
use hostinfo_domains::TagSettings;
use hostinfo_file::SETTINGS_MAX;
use hostinfo_open::Sockets;
use hybrid::Hybrids;
use listen::Listen;
use log::Log;
use paths::Paths;
use security::Security;
use vsock::Vsock;
use watch::Watch;

/// Path of the settings, unless the command line names another.
pub(crate) const CONFIG: &str = "/etc/hostinfo/hostinfod.toml";

/// All settings of the daemon.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Paths of files and directories.
    pub(crate) paths: Paths,
    /// Who may use the control socket.
    pub(crate) control: Control,
    /// Where the daemon's own metrics can be read.
    pub(crate) metrics: Metrics,
    /// What one guest may send and receive.
    pub(crate) flow: Flow,
    /// How libvirt is asked.
    pub(crate) libvirt: Libvirt,
    /// How the daemon confines itself.
    pub(crate) security: Security,
    /// Where guests' VMMs connect.
    pub(crate) listen: Hybrids,
    /// Which guests may connect over AF_VSOCK.
    pub(crate) vsock: Vsock,
    /// Which tags rules can have conditions on.
    pub(crate) tags: TagSettings,
    /// How many guests are watched while they do not ask.
    pub(crate) watch: Watch,
    /// Labels of this host, for guests.
    pub(crate) labels: Labels,
    /// Where guests' sockets are besides the socket directory.
    pub(crate) sockets: Sockets,
    /// What is logged, and where.
    pub(crate) log: Log,
}

/// Who may use the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Control {
    /// Path of the socket.
    pub(crate) socket: PathBuf,
    /// The group that may use it, besides root and the daemon's own user; empty for none.
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
    /// The address or socket for HTTP.
    pub(crate) listen: Listen,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file could not be read.
    #[error(transparent)]
    Unreadable(FileError),
    /// The file is not UTF-8.
    #[error("{path}: is not UTF-8 text: save it as UTF-8", path = .0.display())]
    NotText(PathBuf),
    /// The file is not TOML, or has a setting that is unknown or has an invalid value.
    #[error("{path}: {error}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The place in it, and what was expected.
        error: Box<toml::de::Error>,
    },
    /// hostinfod would connect to itself.
    #[error("{path}: [[sockets]] path {sockets:?} and [[listen]] path {listen:?} match one path: change one of them", path = .path.display())]
    Overlap {
        /// Which file.
        path: PathBuf,
        /// Where the VMM listens.
        sockets: String,
        /// Where hostinfod listens.
        listen: String,
    },
    /// A socket would have two clients, and a VMM serves one.
    #[error("{path}: [[sockets]] path {pattern:?} is in the socket directory, {directory}: guests there are served without it, so remove it", path = .path.display(), directory = .directory.display())]
    InSocketDir {
        /// Which file.
        path: PathBuf,
        /// Which one of it.
        pattern: String,
        /// `[paths] socket_dir`.
        directory: PathBuf,
    },
}

impl Settings {
    /// Path of the file.
    pub(crate) fn path(args: &Args) -> &Path {
        args.config.as_deref().unwrap_or(Path::new(CONFIG))
    }

    /// Reads the file, and applies the command line to it.
    ///
    /// # Errors
    /// [`Error`], which names the file and the place in it.
    pub(crate) fn load(args: &Args) -> Result<Self, Error> {
        Self::of(Self::read(args)?, args)
    }

    /// The bytes of the file. It may be missing unless the command line names it.
    ///
    /// # Errors
    /// [`Error`], which names the file.
    pub(crate) fn read(args: &Args) -> Result<Vec<u8>, Error> {
        let path = Self::path(args);
        let unreadable = |error| Error::Unreadable(FileError::of(path)(error));
        match hostinfo_file::read(path, SETTINGS_MAX).map_err(io::Error::from) {
            Ok(None) if args.config.is_some() => Err(unreadable(Errno::NOENT.into())),
            other => other.map_err(unreadable).map(Option::unwrap_or_default),
        }
    }

    /// What the `file` says, with the command line applied to it.
    ///
    /// # Errors
    /// [`Error`], which names the file and the place in it.
    pub(crate) fn of(file: Vec<u8>, args: &Args) -> Result<Self, Error> {
        let path = Self::path(args);
        let mut settings = Self::parse(file, path)?;
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
        settings.check_sockets(path)?;
        Ok(settings)
    }

    fn check_sockets(&self, path: &Path) -> Result<(), Error> {
        for hybrid in self.listen.iter() {
            let mut entries = self.sockets.entries().iter();
            if let Some(entry) = entries.find(|entry| entry.pattern.overlaps(&hybrid.entry.pattern))
            {
                return Err(Error::Overlap {
                    path: path.into(),
                    sockets: entry.pattern.text().to_owned(),
                    listen: hybrid.entry.pattern.text().to_owned(),
                });
            }
        }
        let directory = &self.paths.socket_dir;
        let mut patterns = self.sockets.entries().iter().map(|entry| &entry.pattern);
        match patterns.find(|pattern| pattern.directory().starts_with(directory)) {
            None => Ok(()),
            Some(pattern) => Err(Error::InSocketDir {
                path: path.into(),
                pattern: pattern.text().to_owned(),
                directory: directory.clone(),
            }),
        }
    }

    /// Parses a file; `path` is only used in errors.
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
                words.contains(&field.0)
                    || keys.contains_key(field.0)
                    || page.contains(&format!("\n# [[{}]]\n", field.0)),
                "{} is not documented",
                field.0
            );
        }
    }

    #[test]
    fn a_path_at_which_both_the_vmm_and_the_daemon_would_listen_is_an_error() {
        let text = "[[sockets]]\npath = '/srv/{name}/h'\ndriver = 'q'\n\
                    [[listen]]\npath = '/srv/a{name}/h'\ndriver = 'q'\nuser = '7'\n";
        let error = load(text, &[]).unwrap_err().to_string();
        assert!(error.contains("match one path: change one of them"), "{error}");
        assert!(load(&text.replace("/a{name}/h", "/a{name}/i"), &[]).is_ok());
    }

    #[test]
    fn an_unknown_or_bad_setting_is_an_error_that_names_the_file_and_shows_it() {
        for (text, word) in [
            ("[flow]\nlines = 3\n", "lines"),
            ("[log]\nlevel = 'loud'\n", "loud"),
            ("[paths\n", "line 1"),
            ("[[sockets]]\npath = '/r/x'\ndriver = 'q'\n", "line 2"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains("hostinfod.toml") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_pattern_in_the_socket_directory_is_refused_also_where_a_flag_says_where_that_is() {
        let text = "[[sockets]]\npath = '/s/d/{name}'\ndriver = 'qemu'\n";
        assert_eq!(load(text, &[]).unwrap().sockets.entries().len(), 1);
        let error = load(text, &["--socket-dir", "/s"]).unwrap_err();
        assert!(matches!(error, Error::InSocketDir { .. }), "{error}");
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
