//! hostinfod.toml as a file: read at the start and at SIGHUP, and what of it is in force.

use hostinfo_control::Place;
use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_domains::cut;

use super::at_start::AtStart;
use super::{Error, Settings};
use crate::args::Args;

/// The file, and the arguments that override it.
pub(crate) struct SettingsFile {
    args: Args,
    at_start: AtStart,
    /// Why the file's current text is not in force.
    problem: Option<String>,
}

impl SettingsFile {
    /// Begins with the file as it is, or as another program has `read` it, since it may have changed meanwhile.
    ///
    /// # Errors
    /// The file has errors; the daemon does not start then.
    pub(crate) fn open(args: Args, read: Option<&str>) -> Result<(Self, Settings), Error> {
        let settings = match read {
            Some(text) => Settings::of(text.into(), &args)?,
            None => Settings::load(&args)?,
        };
        let at_start = AtStart::of(&settings);
        Ok((Self { args, at_start, problem: None }, settings))
    }

    /// Reads the file again. Returns the settings, and the sections that wait for a restart. `None`
    /// if the file has errors, so that the settings stay as they were.
    pub(crate) fn reload(&mut self) -> Option<(Settings, Vec<&'static str>)> {
        match Settings::load(&self.args) {
            Ok(settings) => {
                self.problem = None;
                let waiting = self.at_start.waiting(&settings);
                Some((settings, waiting))
            }
            Err(error) => {
                tracing::error!("the previous settings stay in force: {error}");
                self.problem = Some(cut(&error.to_string(), PROBLEM_MAX).to_owned());
                None
            }
        }
    }

    /// The text of the file, with which another program goes on like this one.
    ///
    /// # Errors
    /// Why none would, with the remedy.
    pub(crate) fn hand_over(&self) -> Result<String, String> {
        let fail = |error: Error| format!("the settings have to be mended first: {error}");
        let file = Settings::read(&self.args).map_err(fail)?;
        let text = String::from_utf8_lossy(&file).into_owned();
        let settings = Settings::of(file, &self.args).map_err(fail)?;
        let waiting = self.at_start.waiting(&settings).join(", ");
        match waiting.is_empty() {
            true => Ok(text),
            false => Err(format!(
                "these changes of the settings take effect only when hostinfod is restarted, so restart it \
                 (systemctl restart hostinfo): {waiting}"
            )),
        }
    }

    /// The file's path, and what is wrong with it.
    pub(crate) fn state(&self) -> Place {
        let path = Settings::path(&self.args).display().to_string();
        Place { path, problem: self.problem.clone() }
    }
}
