//! A QEMU without libvirt: the options that docs/qemu.md gives for it, and its one client.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::ctl::alone;
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::process::tied;
use hostinfo_tests::{FakeGuest, Host, paths};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/qemu.md");

/// The page's options, with that path instead of the socket's.
fn options(path: &str) -> Result<Vec<String>> {
    let page = fs::read_to_string(PAGE)?;
    let block = page
        .split("```")
        .find(|block| block.contains("-chardev socket,id=hostinfo,"))
        .context("the page has no such options")?;
    let lines = block.lines().filter_map(|line| line.split('#').next());
    let words = lines.flat_map(str::split_whitespace);
    Ok(words.map(|word| word.replace("/var/lib/hostinfo/qemu-NAME", path)).collect())
}

/// A QEMU with the page's options behind these, whose guest never begins to run.
struct Qemu {
    process: Child,
    monitor: ChildStdin,
}

impl Qemu {
    fn start(console: &[&str], socket: &Path) -> Result<Self> {
        let mut command = tied("qemu-system-x86_64");
        command
            .args(["-S", "-nodefaults", "-display", "none", "-machine", "q35"])
            .args(["-monitor", "stdio", "-chardev", "null,id=console"])
            .args(console)
            .args(options(path(socket)?)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut process = command.spawn()?;
        let monitor = process.stdin.take().context("no stdin")?;
        Ok(Self { process, monitor })
    }

    /// Its client.
    fn connect(&mut self, socket: &Path) -> Result<UnixStream> {
        wait_for("QEMU to listen", PATIENCE, || {
            ensure!(self.process.try_wait()?.is_none(), "QEMU takes no such options");
            Ok(UnixStream::connect(socket).ok())
        })
    }

    /// Has the guest write a byte to the second serial port of every PC.
    fn write(&mut self) -> Result<()> {
        Ok(self.monitor.write_all(b"o /1 0x2f8 0x41\n")?)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether a byte that the guest writes to its second serial port comes out at the socket.
fn wait_for_byte(qemu: &mut Qemu, mut client: &UnixStream) -> Result<()> {
    client.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut byte = [0];
    wait_until("a byte of the second serial port", PATIENCE, || {
        qemu.write()?;
        Ok(client.read(&mut byte).is_ok_and(|length| length == 1))
    })?;
    ensure!(byte == *b"A", "{byte:?}");
    Ok(())
}

#[test]
fn hostinfo_is_the_second_serial_port_however_the_console_is_made() -> Result<()> {
    for console in ["-serial chardev:console", "-device isa-serial,chardev=console"] {
        let console: Vec<&str> = console.split(' ').collect();
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("socket");
        let mut qemu = Qemu::start(&console, &socket)?;
        let client = qemu.connect(&socket)?;
        wait_for_byte(&mut qemu, &client).with_context(|| format!("{console:?}"))?;
    }
    Ok(())
}

/// A group whom nothing belongs to.
const GROUP: u32 = 54_321;

/// What a user in that group is told.
fn status_for_group(host: &Host) -> Result<String> {
    // Nobody can get to where this was built.
    let program = host.path().join("hostinfoctl");
    fs::copy(paths::program("hostinfoctl")?, &program)?;
    fs::set_permissions(host.path(), Permissions::from_mode(0o711))?;
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", &GROUP.to_string(), "--clear-groups", "--"])
        .arg(&program)
        .args([OsStr::new("--control"), host.control().as_os_str(), OsStr::new("status")])
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn a_program_that_holds_a_guests_port_is_named_by_status_until_it_lets_go() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    host.write_config(&format!("[control]\ngroup = '{GROUP}'\n"))?;
    let mut qemu = Qemu::start(&[], &host.socket("web"))?;
    let holder = qemu.connect(&host.socket("web"))?;
    wait_for_byte(&mut qemu, &holder)?;
    let daemon = host.start_daemon()?;
    daemon.wait_for_log("access-granted")?;
    let _another = FakeGuest::join(&host.socket("db"))?;

    let said = alone(&host, &["status"])?;
    let words = format!("process {}, is connected to its port", std::process::id());
    let line = said.stdout.lines().find(|line| line.starts_with("held"));
    ensure!(line.is_some_and(|line| line.contains(&words)), "{said:?}");
    ensure!(said.status == 1 && said.stdout.matches("process").count() == 2, "{said:?}");
    let json: serde_json::Value =
        serde_json::from_str(&alone(&host, &["status", "--json"])?.stdout)?;
    ensure!(json["held"][0]["guest"] == "qemu-web", "{json}");
    ensure!(json["held"][0]["holder"]["pid"] == std::process::id(), "{json}");
    // A user who may not look at processes gets no name, and is not told that all is well either.
    let said = status_for_group(&host)?;
    ensure!(
        said.contains("held      qemu-web: another program") && said.contains("as root"),
        "{said}"
    );
    ensure!(!said.contains("qemu-db"), "{said}");

    drop(holder);
    wait_until("the port to be the daemon's", PATIENCE, || {
        Ok(alone(&host, &["status"])?.status == 0)
    })
}
