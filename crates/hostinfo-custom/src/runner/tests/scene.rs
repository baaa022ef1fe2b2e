//! Definitions for hostinfo-run, a place for its socket, and its callers.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hostinfo_catalog::{About, Kind, Unit};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket_with};
use rustix::process::geteuid;
use tempfile::TempDir;

use super::super::*;
use crate::account::Power;
use crate::definition::{Definition, Scope, Source};
use crate::message::Request;
use crate::queue::Key;

/// Only a hang meets it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Definitions for hostinfo-run, and a place for its socket.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) definitions: BTreeMap<String, Definition>,
    pub(crate) accounts: Accounts,
}

impl Scene {
    /// With statistics `s0`, `s1` and so on for each guest, which are these shell scripts. Only those that are meant to
    /// hang have a short deadline.
    pub(crate) fn new<S: ToString>(scripts: impl IntoIterator<Item = S>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scripts = scripts.into_iter().enumerate();
        let definitions = scripts.map(|(number, script)| {
            let definition = shell(&format!("s{number}"), &script.to_string());
            (definition.name.clone(), definition)
        });
        let accounts = Accounts::parse("", Power::Itself);
        Self { definitions: definitions.collect(), folder, accounts }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn listener(&self) -> OwnedFd {
        let listener = socket();
        bind(&listener, &SocketAddrUnix::new(self.socket()).unwrap()).unwrap();
        listen(&listener, 16).unwrap();
        listener
    }

    /// Starts it in a thread.
    pub(crate) fn serve(&self, has_pidfds: bool) {
        self.serve_user(geteuid().as_raw(), has_pidfds);
    }

    pub(super) fn serve_user(&self, caller: u32, has_pidfds: bool) {
        let listener = self.listener();
        let (definitions, accounts) = (self.definitions.clone(), self.accounts.clone());
        thread::spawn(move || {
            let found = Found::of(definitions);
            let mut runner = Runner::new(|| (found.clone(), accounts.clone()), caller);
            runner.has_pidfds = has_pidfds;
            runner.serve(&listener, false)
        });
    }

    pub(crate) fn order(&self, key: &Key) -> Option<crate::run::Order> {
        let definition = self.definitions.get(&*key.name)?;
        Some(crate::run::Order {
            request: self.request(&key.name, &key.guest),
            program: "/bin/sh".to_owned(),
            timeout: definition.timeout,
        })
    }

    pub(super) fn request(&self, name: &str, guest: &str) -> Request {
        let fingerprint = self.definitions[name].fingerprint();
        Request { fingerprint, name: name.to_owned(), guest: guest.to_owned() }
    }

    pub(super) fn connect(&self) -> PeerSocket {
        let socket = socket();
        connect(&socket, &SocketAddrUnix::new(self.socket()).unwrap()).unwrap();
        socket.into()
    }

    pub(super) fn ask(&self, packet: &[u8]) -> PeerSocket {
        let socket = self.connect();
        message::send(&socket, packet).unwrap();
        socket
    }
}

pub(crate) fn key(name: &str, guest: &str) -> Key {
    Key { name: name.into(), guest: guest.into() }
}

fn socket() -> OwnedFd {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

fn shell(name: &str, script: &str) -> Definition {
    let hangs = script.contains("sleep 60") || script.contains("1000000");
    let about = About { kind: Kind::Info, unit: Unit::None, help: "h".to_owned(), metric: None };
    Definition {
        name: name.to_owned(),
        about: Arc::new(about),
        scope: Scope::Guest,
        source: Source::Command(["/bin/sh", "-c", script].map(str::to_owned).into()),
        every: Duration::from_secs(1),
        timeout: Duration::from_millis(if hangs { 300 } else { 10_000 }),
        user: None,
        account: None,
    }
}

/// A killed process is gone after a moment, or is a zombie that init has not collected yet.
pub(crate) fn is_gone(pid: &str) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        if stat.map_or(true, |stat| stat.contains(") Z ")) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Waits for an answer; `None` if it hangs up without one.
pub(super) fn hear(socket: &PeerSocket) -> Option<Answer> {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    let patience = Timespec::try_from(PATIENCE).unwrap();
    assert_eq!(poll(&mut fds, Some(&patience)), Ok(1), "it says nothing");
    let packet = message::receive(socket).unwrap();
    (!packet.is_empty()).then(|| Answer::parse(&packet).unwrap())
}

pub(super) fn wait_for_text(file: &Path, has: impl Fn(&str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if has(&text) {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "{text:?}");
        thread::sleep(Duration::from_millis(5));
    }
}
