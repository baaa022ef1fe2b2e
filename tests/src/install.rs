//! `make install` of what the tests run: debug builds, and pages generated for the test.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::paths;

/// The host's programs.
const HOST_PROGRAMS: [&str; 5] =
    ["hostinfod", "hostinfoctl", "hostinfo-open", "hostinfo-run", "hostinfo-libvirt"];

/// What `make install` needs of the sources beside the Makefile, for a shell.
const SOURCES: &str = "scripts dist docs *.md LICENSE-*";

/// The arguments of `make install` and `make uninstall`.
#[derive(Debug)]
pub struct Install {
    built: PathBuf,
    guest_tool: PathBuf,
    pages: TempDir,
    /// Where the programs are, if not where cargo puts them.
    _changed: Option<TempDir>,
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
        Ok(Self { built, guest_tool: paths::guest_tool()?, pages, _changed: None })
    }

    /// All files that an installation, or [`Self::source`], is made of.
    ///
    /// # Errors
    /// Something was not built.
    pub fn inputs() -> Result<BTreeSet<PathBuf>> {
        let find = format!("find {SOURCES} Makefile -type f");
        let found = run(Command::new("sh").args(["-c", &find]).current_dir(paths::workspace()))?;
        let sources = found.lines().map(|file| Ok(paths::workspace().join(file)));
        let programs = HOST_PROGRAMS.into_iter().chain(["hostinfo-pages"]).map(paths::program);
        sources.chain(programs).chain([paths::guest_tool()]).collect()
    }

    /// The same with the guest's tool, which is small and static, in the place of each program.
    ///
    /// # Errors
    /// Something was not built.
    pub fn prepare_small() -> Result<Self> {
        Self::prepare()?.changed(|prepared, program, file| {
            // Each a little different: rpmlint looks for files that are in a package twice.
            fs::copy(&prepared.guest_tool, file)?;
            Ok(File::options().append(true).open(file)?.write_all(program.as_bytes())?)
        })
    }

    /// The same with programs without debug information, which is most of a build.
    ///
    /// # Errors
    /// Something was not built.
    pub fn prepare_stripped() -> Result<Self> {
        Self::prepare()?.changed(|prepared, program, file| {
            run(Command::new("strip").arg("-o").args([file, &prepared.built.join(program)]))
                .map(drop)
        })
    }

    /// With programs that `make` makes, from the name and the path of each.
    fn changed(self, make: impl Fn(&Self, &str, &Path) -> Result<()>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for program in HOST_PROGRAMS {
            make(&self, program, &folder.path().join(program))?;
        }
        Ok(Self { built: folder.path().to_owned(), _changed: Some(folder), ..self })
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
        run(Command::new(paths::workspace().join("scripts/package"))
            .arg(folder)
            .env("PATH", paths::with_tools()?)
            .env("VERSION", version)
            .env("BUILT", &self.built)
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
        let files = format!("cp -R {SOURCES} \"$0\" && cp -R \"$1\" \"$0/pages\"");
        run(Command::new("sh")
            .args(["-c", &files])
            .args([folder, self.pages.path()])
            .current_dir(paths::workspace()))
        .map(drop)
    }
}

/// All files below the folder, but no links, as they would be named if it were `/`.
///
/// # Errors
/// It cannot be read.
pub fn files(folder: &Path) -> Result<BTreeSet<String>> {
    let found = run(Command::new("find").arg(folder).args(["-type", "f", "-printf", "/%P\n"]))?;
    Ok(found.lines().map(str::to_owned).collect())
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
