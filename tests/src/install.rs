//! `make install` of what the tests run: debug builds, and pages generated for the test.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::paths;

/// The host's programs.
pub const HOSTS: [&str; 5] =
    ["hostinfod", "hostinfoctl", "hostinfo-open", "hostinfo-run", "hostinfo-libvirt"];

/// The arguments of `make install` and `make uninstall`.
#[derive(Debug)]
pub struct Install {
    built: PathBuf,
    guest_tool: PathBuf,
    pages: TempDir,
    /// What is in the place of the programs, if they are not the real ones.
    stand_ins: Option<TempDir>,
}

impl Install {
    /// Generates the pages.
    ///
    /// # Errors
    /// Something was not built.
    pub fn prepare() -> Result<Self> {
        let daemon = paths::program("hostinfod")?;
        let built = daemon.parent().context("a program lies in a folder")?.to_owned();
        let pages = tempfile::Builder::new().prefix("hostinfo-pages-").tempdir()?;
        run(Command::new(paths::program("hostinfo-pages")?).arg(pages.path()))?;
        Ok(Self { built, guest_tool: paths::guest_tool()?, pages, stand_ins: None })
    }

    /// The same with the guest's tool, which is small and static, in the place of each program.
    ///
    /// # Errors
    /// Something was not built.
    pub fn prepare_small() -> Result<Self> {
        let small = tempfile::tempdir()?;
        let prepared = Self::prepare()?;
        for program in HOSTS {
            // Each a little different: rpmlint looks for files that are in a package twice.
            let file = small.path().join(program);
            fs::copy(&prepared.guest_tool, &file)?;
            File::options().append(true).open(file)?.write_all(program.as_bytes())?;
        }
        Ok(Self { built: small.path().to_owned(), stand_ins: Some(small), ..prepared })
    }

    /// `make TARGET` into `destination`, as a user whose files are private by default.
    ///
    /// # Errors
    /// It fails.
    pub fn make(&self, target: &str, prefix: &str, destination: &Path) -> Result<()> {
        run(Command::new("sh")
            .args(["-c", "umask 077; exec make --no-print-directory \"$@\"", "make", target])
            .arg(format!("PREFIX={prefix}"))
            .arg(format!("DESTDIR={}", destination.display()))
            .arg(format!("BUILT={}", self.built.display()))
            .arg(format!("GUEST_TOOL={}", self.guest_tool.display()))
            .arg(format!("PAGES={}", self.pages.path().display()))
            .current_dir(paths::workspace())
            // Flags of an outer make are not for this one.
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL"))
        .map(drop)
    }

    /// Packages of that version, in a folder: deb, rpm and a tarball.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn package(&self, version: &str, folder: &Path) -> Result<()> {
        let stripped = tempfile::tempdir()?;
        let built = if self.stand_ins.is_some() { &*self.built } else { stripped.path() };
        if self.stand_ins.is_none() {
            for program in HOSTS {
                let (from, to) = (self.built.join(program), stripped.path().join(program));
                run(Command::new("strip").arg("-o").args([to, from]))?;
            }
        }
        run(Command::new(paths::workspace().join("scripts/package"))
            .arg(folder)
            .env("PATH", paths::with_tools()?)
            .env("VERSION", version)
            .env("BUILT", built)
            .env("GUEST_TOOL", &self.guest_tool)
            .env("PAGES", self.pages.path())
            .env("SOURCE_DATE_EPOCH", "1700000000"))
        .map(drop)
    }

    /// Copies what `scripts/install` installs, but for the programs, into a new folder.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn source(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let files = "cp -R scripts dist docs *.md LICENSE-* \"$0\" && cp -R \"$1\" \"$0/pages\"";
        run(Command::new("sh")
            .args(["-c", files])
            .args([folder, self.pages.path()])
            .current_dir(paths::workspace()))
        .map(drop)
    }
}

/// The output of a program.
///
/// # Errors
/// It does not exist, or fails.
pub fn run(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("run {command:?}"))?;
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    if !status.success() {
        bail!("{command:?}: {status}\n{stdout}{stderr}");
    }
    Ok(stdout)
}
