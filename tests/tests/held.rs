//! Directories of guests that somebody holds: the kernel lets nobody look for a new name there, or make or remove one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::alone;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Daemon, FakeGuest, FakeQemu, Held, Host};
use rustix::process::geteuid;
use tempfile::TempDir;

const HELD: &str = "cannot be looked at, since a process that lists a directory on the way to it";

/// A host with a guest `a` in the socket directory, and a place for others' directories.
struct Scene {
    host: Host,
    folder: TempDir,
    daemon: Daemon,
    guest: FakeGuest,
}

impl Scene {
    /// `settings` say what is served in the place.
    fn begin(settings: impl Fn(&Path) -> String) -> Result<Self> {
        let host = Host::new(EVERYTHING)?;
        let folder = tempfile::Builder::new().prefix("hostinfo-test-").tempdir_in("/dev/shm")?;
        host.write_config(&settings(folder.path()))?;
        let daemon = host.start_daemon()?;
        let guest = FakeGuest::join(&host.socket("a"))?;
        Ok(Self { host, folder, daemon, guest })
    }

    /// The directory of a guest there.
    fn directory(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has the directory of a guest come that somebody holds.
    fn hold(&self, name: &str) -> Result<Held> {
        let (before, after) = (self.directory("comes"), self.directory(name));
        fs::create_dir(&before)?;
        let held = Held::directory(&before)?;
        fs::rename(before, after)?;
        Ok(held)
    }

    /// The daemon says that it is held, and answers the guest meanwhile.
    fn is_named(&mut self, name: &str) -> Result<()> {
        let path = self.directory(name).display().to_string();
        let held = format!("{HELD} does not let it go");
        wait_until("the directory to be named", PATIENCE, || {
            ensure!(self.guest.ask("ping")?.concat().starts_with("200 "));
            Ok(self.daemon.log().lines().any(|line| line.contains(&path) && line.contains(&held)))
        })
    }
}

#[test]
fn a_guests_own_directory_with_its_socket_keeps_only_that_guest_waiting_while_it_is_held()
-> Result<()> {
    let mut scene = Scene::begin(|folder| {
        let folder = folder.display();
        format!(
            "[[sockets]]\npath = '{folder}/{{name}}/s'\ndriver = 'ch'\nguests = ['ch-web', 'ch-mail']\n"
        )
    })?;
    let held = scene.hold("web")?;
    scene.is_named("web")?;
    let status = alone(&scene.host, &["status"])?.stdout;
    ensure!(status.contains(HELD), "{status}");
    fs::create_dir(scene.directory("mail"))?;
    let mut other = FakeQemu::listen(&scene.directory("mail").join("s"))?.accept()?;
    ensure!(other.ask("ping")?.concat().starts_with("200 "));
    let refused = alone(&scene.host, &["upgrade"])?.fails_with(1)?;
    ensure!(refused.contains(HELD) && refused.contains("then try again"), "{refused}");
    drop(held);
    let mut late = FakeQemu::listen(&scene.directory("web").join("s"))?.accept()?;
    ensure!(late.ask("ping")?.concat().starts_with("200 "));
    wait_until("an upgrade", PATIENCE, || Ok(alone(&scene.host, &["upgrade"])?.status == 0))?;
    ensure!(late.ask("ping")?.concat().starts_with("200 "));
    Ok(())
}

#[test]
fn a_guests_own_directory_to_listen_in_keeps_only_that_guest_waiting_while_it_is_held() -> Result<()>
{
    let mut scene = Scene::begin(|folder| {
        let (folder, user) = (folder.display(), geteuid().as_raw());
        format!(
            "[[listen]]\npath = '{folder}/{{name}}/v_4678'\ndriver = 'fc'\nuser = '{user}'\nguests = ['fc-web', 'fc-mail']\n"
        )
    })?;
    let listens = |path: &Path| {
        wait_until("the daemon to listen", PATIENCE, || Ok(FakeGuest::connect(path).is_ok()))
    };
    let held = scene.hold("web")?;
    scene.is_named("web")?;
    let list = alone(&scene.host, &["list"])?.stdout;
    ensure!(list.contains("fc-web"), "{list}");
    fs::create_dir(scene.directory("mail"))?;
    listens(&scene.directory("mail").join("v_4678"))?;
    drop(held);
    let path = scene.directory("web").join("v_4678");
    listens(&path)?;
    // Its socket is not removed before it is let go, and nobody else waits for that.
    let held = Held::directory(&scene.directory("web"))?;
    scene.host.write_config("")?;
    scene.daemon.hang_up()?;
    scene.daemon.wait_for_log("settings read again")?;
    ensure!(scene.guest.ask("ping")?.concat().starts_with("200 "));
    drop(held);
    wait_until("the socket to go", PATIENCE, || Ok(!path.try_exists()?))?;
    let status = scene.daemon.stop()?;
    ensure!(status.code().context("a signal")? == 0, "{status}");
    Ok(())
}

#[test]
fn a_file_of_a_statistic_that_is_held_is_503_until_it_is_let_go_and_others_are_read() -> Result<()>
{
    let host = Host::new(EVERYTHING)?;
    let folder = tempfile::Builder::new().prefix("hostinfo-test-").tempdir_in("/dev/shm")?;
    let directory = folder.path().join("held");
    let (late, other) = (directory.join("late"), folder.path().join("other"));
    fs::create_dir(&directory)?;
    fs::write(&other, "8")?;
    let definitions = host.path().join("custom.d");
    fs::create_dir(&definitions)?;
    let define = |name: &str, path: &Path| {
        let path = path.display();
        format!("[custom.{name}]\nkind = 'gauge'\nhelp = 'x'\nfile = '{path}'\nevery = '1s'\n")
    };
    let text = define("late", &late) + &define("other", &other);
    fs::write(definitions.join("test.toml"), text)?;
    host.write_config(&format!("[paths]\ncustom_dir = '{}'\n", definitions.display()))?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let held = Held::directory(&directory)?;
    ensure!(guest.ask("custom.late")?.concat().starts_with("503 "));
    daemon.wait_for_log("keeps hostinfod from reading it")?;
    ensure!(guest.ask("custom.other")?.concat().ends_with("=8"));
    drop(held);
    fs::write(&late, "7")?;
    wait_until("the value", PATIENCE, || {
        Ok(guest.ask("custom.late")?.concat().ends_with("custom.late=7"))
    })
}
