//! libvirt as the administrator's tool uses it: through the helper process, waiting for each
//! answer.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use uuid::Uuid;

use crate::limits::{CHANGE_DEADLINE, DOMAINS_MAX, ORDER_MAX};
use crate::message::VERSION;
use crate::order::{Act, Answer, Entry, Failure, Form, Order, order_line};
use crate::process::{PROGRAM, spawn};

/// The status with which ld.so(8) ends a program whose library it does not find.
const NOT_LOADED: i32 = 127;

/// How often a helper that has closed its socket is looked at, for 100 ms in all, until it has ended.
const LOOKS_FOR_END: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The kind of access to libvirt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read only, as every user may.
    Read,
    /// May change something.
    Write,
}

/// A connection to libvirt. Every call waits for its answer, and has a deadline.
#[derive(Debug)]
pub struct Administrator {
    child: Child,
    stream: BufReader<UnixStream>,
    /// How long an answer may take, unless the order changes something.
    deadline: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// libvirt refused.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// libvirt hangs. It may still carry out the order.
    #[error("libvirt did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The helper was not found.
    #[error(
        "{PROGRAM} is not installed: put it into this program's directory or into PREFIX/libexec/hostinfo"
    )]
    Missing,
    /// The helper is there, and what it is linked to is not.
    #[error(
        "{PROGRAM} does not find libvirt's library: install libvirt0 (Debian) or libvirt-libs (Fedora)"
    )]
    Unlinked,
    /// The helper is from another release.
    #[error("{PROGRAM} is of another release than this program: install both again")]
    OtherRelease,
    /// Communication with the helper failed.
    #[error("{PROGRAM}: {0}")]
    Broken(#[from] io::Error),
}

impl Administrator {
    /// Starts the first of the programs that exists, and connects to libvirt by this URI. Each answer may take up to
    /// `deadline`, but for those to changes, which have their own.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn connect(
        programs: &[PathBuf],
        uri: &str,
        access: Access,
        deadline: Duration,
    ) -> Result<Self, Unanswered> {
        let arguments = match access {
            Access::Read => vec!["--orders", "read", "--connect", uri],
            Access::Write => vec!["--orders", "write", "--connect", uri],
        };
        let arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        Self::start(programs, &arguments, deadline)
    }

    fn start(
        programs: &[PathBuf],
        arguments: &[OsString],
        deadline: Duration,
    ) -> Result<Self, Unanswered> {
        // Errors come as an answer; libxml2 would write them to stderr as well.
        let started = spawn(programs, arguments, || Ok(Stdio::null()));
        let (child, stream) = started.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Unanswered::Missing,
            _ => Unanswered::Broken(error),
        })?;
        let mut administrator = Self { child, stream: BufReader::new(stream), deadline };
        administrator.wait(deadline)?;
        match administrator.hear(deadline).map_err(|error| administrator.or_unlinked(error))? {
            Answer::Hello { version: VERSION } => {}
            _ => return Err(Unanswered::OtherRelease),
        }
        administrator.is_done(deadline)?;
        Ok(administrator)
    }

    /// The error, unless the helper has ended for want of a library.
    fn or_unlinked(&mut self, error: Unanswered) -> Unanswered {
        if !matches!(error, Unanswered::Broken(_)) {
            return error;
        }
        // Its socket is closed a moment before it can be waited for.
        for _ in 0..LOOKS_FOR_END {
            match self.child.try_wait() {
                Ok(Some(status)) if status.code() == Some(NOT_LOADED) => {
                    return Unanswered::Unlinked;
                }
                Ok(None) => sleep(BETWEEN_LOOKS),
                _ => break,
            }
        }
        error
    }

    /// Every domain, sorted by name.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn list(&mut self) -> Result<Vec<Entry>, Unanswered> {
        self.say(&Order::List, self.deadline)?;
        let mut entries = Vec::new();
        loop {
            match self.hear(self.deadline)? {
                Answer::Entry(entry) if entries.len() < DOMAINS_MAX => entries.push(entry),
                Answer::Done => break,
                other => return Err(unexpected(other)),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// A domain's XML.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn xml(&mut self, uuid: Uuid, form: Form) -> Result<String, Unanswered> {
        self.say(&Order::Tell { uuid, form }, self.deadline)?;
        self.hear_xml()
    }

    /// A domain's XML as libvirt would write it if it were defined. Nothing is defined.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn rewritten(&mut self, xml: &str) -> Result<String, Unanswered> {
        self.say(&Order::Rewrite { xml: xml.to_owned() }, self.deadline)?;
        self.hear_xml()
    }

    /// Adds a device to one form of a domain, or removes it.
    ///
    /// # Errors
    /// [`Unanswered`]. Nothing has changed, unless libvirt was [silent](Unanswered::Silent).
    pub fn change(
        &mut self,
        uuid: Uuid,
        form: Form,
        act: Act,
        device: &str,
    ) -> Result<(), Unanswered> {
        let device = device.to_owned();
        self.say(&Order::Change { uuid, form, act, device }, CHANGE_DEADLINE)?;
        self.is_done(CHANGE_DEADLINE)
    }

    /// Replaces all of hostinfo's own tags in one form of a domain; `None` for no tags.
    ///
    /// # Errors
    /// [`Unanswered`]. Nothing has changed, unless libvirt was [silent](Unanswered::Silent).
    pub fn tag(&mut self, uuid: Uuid, form: Form, tags: Option<String>) -> Result<(), Unanswered> {
        self.say(&Order::Tag { uuid, form, tags }, CHANGE_DEADLINE)?;
        self.is_done(CHANGE_DEADLINE)
    }

    fn hear_xml(&mut self) -> Result<String, Unanswered> {
        match self.hear(self.deadline)? {
            Answer::Xml(xml) => Ok(xml),
            other => Err(unexpected(other)),
        }
    }

    fn is_done(&mut self, deadline: Duration) -> Result<(), Unanswered> {
        match self.hear(deadline)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn wait(&self, deadline: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(deadline))?;
        self.stream.get_ref().set_write_timeout(Some(deadline))
    }

    fn say(&mut self, order: &Order, deadline: Duration) -> Result<(), Unanswered> {
        self.wait(deadline)?;
        let line = order_line(order).ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        self.stream.get_mut().write_all(&line).map_err(|error| unheard(error, deadline))
    }

    fn hear(&mut self, deadline: Duration) -> Result<Answer, Unanswered> {
        let bound = u64::try_from(ORDER_MAX).unwrap_or(u64::MAX);
        let mut line = Vec::new();
        let read = self.stream.by_ref().take(bound).read_until(b'\n', &mut line);
        if read.map_err(|error| unheard(error, deadline))? == 0 {
            return Err(io::Error::other("it ended without an answer").into());
        }
        serde_json::from_slice(&line).map_err(|_| Unanswered::OtherRelease)
    }
}

impl Drop for Administrator {
    fn drop(&mut self) {
        // It has nothing left to do, or hangs.
        let _ = self.child.kill();
        let _ = self.child.try_wait();
    }
}

fn unexpected(answer: Answer) -> Unanswered {
    match answer {
        Answer::Failed(failure) => Unanswered::Failed(failure),
        _ => Unanswered::OtherRelease,
    }
}

fn unheard(error: io::Error, deadline: Duration) -> Unanswered {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Unanswered::Silent(deadline),
        _ => Unanswered::Broken(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::FailureKind;
    use std::time::Instant;

    const DEADLINE: Duration = Duration::from_millis(300);

    fn said(answer: &Answer) -> String {
        let line = String::from_utf8(order_line(answer).unwrap()).unwrap();
        format!("printf '{}'\n", line.replace('\n', "\\n"))
    }

    /// Runs a shell script in place of the helper.
    fn start(script: &str) -> Result<Administrator, Unanswered> {
        let arguments = ["-c", script].map(OsString::from);
        Administrator::start(&["/nonexistent".into(), "/bin/sh".into()], &arguments, DEADLINE)
    }

    fn hello() -> String {
        said(&Answer::Hello { version: VERSION })
    }

    #[test]
    fn domains_come_in_the_order_of_their_names() {
        let entry = |name: &str| {
            said(&Answer::Entry(Entry {
                uuid: Uuid::max(),
                name: name.to_owned(),
                is_live: false,
                is_defined: true,
                is_saved: false,
            }))
        };
        let done = said(&Answer::Done);
        let script = hello() + &done + "read -r order\n" + &entry("b") + &entry("a") + &done;
        let entries = start(&script).unwrap().list().unwrap();
        let names: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_libvirt_that_hangs_is_given_up() {
        let start_time = Instant::now();
        assert!(matches!(start(&(hello() + "exec sleep 100")), Err(Unanswered::Silent(DEADLINE))));
        assert!(start_time.elapsed() < 20 * DEADLINE);
    }

    #[test]
    fn a_refusal_by_libvirt_is_reported_in_its_words() {
        let failure = Failure { kind: FailureKind::Denied, words: "read only access".to_owned() };
        let error = start(&(hello() + &said(&Answer::Failed(failure)))).unwrap_err();
        assert_eq!(error.to_string(), "read only access");
    }

    #[test]
    fn a_helper_that_is_none_is_told_in_words() {
        for (script, words) in [
            ("exit 2".to_owned(), "ended without an answer"),
            ("exit 127".to_owned(), "libvirt's library"),
            ("echo error".to_owned(), "is of another release"),
            (said(&Answer::Hello { version: VERSION + 1 }), "is of another release"),
            (hello() + "head -c 10000000 /dev/zero", "is of another release"),
        ] {
            let error = start(&script).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let missing = Administrator::connect(&["/nonexistent".into()], "x", Access::Read, DEADLINE);
        assert!(matches!(missing, Err(Unanswered::Missing)));
    }
}
