//! Directories of guests that somebody holds: the kernel lets nobody look for a new name there, or make or remove one.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

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
    let status = alone(&scene.host, &["status"])?.stdout;
    let problem = status.split_once("/{name}/v_4678: ").context("no problem with the place")?.1;
    ensure!(problem.lines().next().is_some_and(|line| line.contains(HELD)), "{status}");
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

/// How many threads of the daemon wait in the kernel and heed no signal.
fn waiting_threads(daemon: &Daemon) -> Result<usize> {
    let mut waiting = 0;
    for task in fs::read_dir(format!("/proc/{}/task", daemon.pid()))? {
        // It may have ended.
        let stat = fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
        waiting +=
            usize::from(stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" D")));
    }
    Ok(waiting)
}

#[test]
fn a_vmm_that_exchanges_directories_that_it_holds_keeps_one_thread_waiting() -> Result<()> {
    let mut scene = Scene::begin(|folder| {
        let (folder, user) = (folder.display(), geteuid().as_raw());
        format!(
            "[[listen]]\npath = '{folder}/{{name}}/v_4678'\ndriver = 'fc'\nuser = '{user}'\nguests = ['fc-web']\n"
        )
    })?;
    let (web, socket) = (scene.directory("web"), scene.directory("web").join("v_4678"));
    let listens = || Ok(UnixStream::connect(&socket).is_ok());
    fs::create_dir(&web)?;
    wait_until("the daemon to listen", PATIENCE, listens)?;
    let mut held = Vec::new();
    for number in 0..4 {
        held.push(Held::directory(&web)?);
        fs::rename(&web, scene.directory(&format!("away{number}")))?;
        fs::create_dir(&web)?;
        // It cannot remove the socket before, and does nothing else for the guest until it has.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) && UnixStream::connect(&socket).is_err() {
            thread::sleep(Duration::from_millis(50));
        }
    }
    let waiting = waiting_threads(&scene.daemon)?;
    ensure!(waiting == 1, "{waiting} threads wait");
    scene.is_named("web")?;
    drop(held);
    wait_until("the daemon to listen", PATIENCE, listens)?;
    ensure!(!scene.directory("away0").join("v_4678").try_exists()?);
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
