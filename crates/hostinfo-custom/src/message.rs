//! What hostinfod asks hostinfo-run, and what that answers: a packet each, over a socket of type SOCK_SEQPACKET,
//! unix(7), with a connection for each run. Whoever closes the connection ends the run, so no answer can be taken for
//! that of another run, and nothing has to be cancelled or numbered.
//!
//! Both begin with a greeting, which has the version. A request has three lines more: a fingerprint, a statistic's
//! name, and the guest's, which is empty if all guests share the value. An answer's first line goes on with a word
//! and a number; behind it are bytes.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use hostinfo_peer::{PeerSocket, ReadError};
use hostinfo_wire::name::is_name;
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::definition::{Definition, Scope, Source, fill, is_one_word};
use crate::limits::{EXCERPT_MAX, GUEST_MAX, NAME_MAX, OUTPUT_MAX};

/// The beginning of every packet. Another meaning of a packet is another version.
const GREETING: &str = "hostinfo-run 1";

/// Digits of a fingerprint: SHA-256.
const FINGERPRINT: usize = 64;

/// The most bytes of a refusal: it is one line of a log.
const REFUSAL_MAX: usize = 1000;

/// The longest first line of an answer: the greeting, the longest word, and a number of 32 bits.
const HEAD_MAX: usize = 40;

/// The longest packet either way that is received: a first line and an output, and one byte more, which no answer has.
pub const PACKET_MAX: usize = HEAD_MAX + OUTPUT_MAX + 1;

const _: () = assert!(GREETING.len() + FINGERPRINT + NAME_MAX + GUEST_MAX + 3 <= PACKET_MAX);
const _: () = assert!(REFUSAL_MAX <= OUTPUT_MAX && EXCERPT_MAX < OUTPUT_MAX);

/// Which command is to be run. Never its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What the definition was when hostinfod read it: [`Definition::fingerprint`].
    pub fingerprint: String,
    /// The statistic, without `custom.`.
    pub name: String,
    /// The guest's whole name; empty if all guests share the value.
    pub guest: String,
}

/// Why a packet is no request, or asks for what the definitions do not permit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// Another version of hostinfod.
    #[error(
        "hostinfod and hostinfo-run are of different versions: systemctl restart hostinfo hostinfo-run"
    )]
    Version,
    /// Not the lines of a request.
    #[error("this is not a fingerprint, a statistic's name and a guest's, a line each")]
    Malformed,
    /// There is no such definition.
    #[error("custom.{0} is not defined where hostinfo-run reads")]
    Unknown(String),
    /// The definition is another than hostinfod's.
    #[error(
        "the definition of custom.{0} has changed since hostinfod read it: systemctl reload hostinfo"
    )]
    Changed(String),
    /// A guest for a value of the host, or the other way round.
    #[error("custom.{0} has another scope")]
    Scope(String),
}

impl Request {
    /// As a packet.
    pub fn to_packet(&self) -> Vec<u8> {
        let Self { fingerprint, name, guest } = self;
        format!("{GREETING}\n{fingerprint}\n{name}\n{guest}").into_bytes()
    }

    /// From a packet.
    ///
    /// # Errors
    /// [`BadRequest::Version`] and [`BadRequest::Malformed`].
    pub fn parse(packet: &[u8]) -> Result<Self, BadRequest> {
        let text = str::from_utf8(packet).map_err(|_| BadRequest::Malformed)?;
        let mut lines = text.split('\n');
        if lines.next() != Some(GREETING) {
            return Err(BadRequest::Version);
        }
        let (Some(fingerprint), Some(name), Some(guest), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(BadRequest::Malformed);
        };
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_lower = is_name(name) && !name.contains(|c: char| c.is_ascii_uppercase());
        let is_good = fingerprint.len() == FINGERPRINT
            && fingerprint.bytes().all(is_digit)
            && name.len() <= NAME_MAX
            && is_lower
            && (guest.is_empty() || is_one_word(guest));
        if !is_good {
            return Err(BadRequest::Malformed);
        }
        let [fingerprint, name, guest] = [fingerprint, name, guest].map(str::to_owned);
        Ok(Self { fingerprint, name, guest })
    }

    /// The definition that it names, and the words of its command for that guest.
    ///
    /// # Errors
    /// The other cases of [`BadRequest`].
    pub fn command<'d>(
        &self,
        definitions: &'d BTreeMap<String, Definition>,
    ) -> Result<(&'d Definition, Vec<String>), BadRequest> {
        let unknown = || BadRequest::Unknown(self.name.clone());
        let definition = definitions.get(&self.name).ok_or_else(unknown)?;
        let words = match &definition.source {
            Source::Command(words) if definition.fingerprint() == self.fingerprint => words,
            Source::Command(_) | Source::File(_) => {
                return Err(BadRequest::Changed(self.name.clone()));
            }
        };
        if (definition.scope == Scope::Guest) == self.guest.is_empty() {
            return Err(BadRequest::Scope(self.name.clone()));
        }
        Ok((definition, words.iter().map(|word| fill(word, &self.guest).to_owned()).collect()))
    }
}

/// What became of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// It ended with 0; what it printed.
    Printed(Vec<u8>),
    /// It printed more than [`OUTPUT_MAX`].
    TooLong,
    /// It ended otherwise; the beginning of its standard error.
    Failed(ExitStatus, Vec<u8>),
    /// It was still running at its deadline, and was killed; the beginning of its standard error.
    Late(Vec<u8>),
    /// It could not be started.
    NotRun(Errno),
    /// It may not be run; why, with the remedy.
    Refused(String),
}

impl Answer {
    /// As a packet; what is too long is cut.
    pub fn to_packet(&self) -> Vec<u8> {
        let (word, number, bytes): (_, i32, &[u8]) = match self {
            Self::Printed(output) => ("printed", 0, output),
            Self::TooLong => ("too-long", 0, b""),
            Self::Failed(status, errors) => ("failed", status.into_raw(), errors),
            Self::Late(errors) => ("late", 0, errors),
            Self::NotRun(error) => ("not-run", error.raw_os_error(), b""),
            Self::Refused(why) => ("refused", 0, why.as_bytes()),
        };
        let mut packet = format!("{GREETING} {word} {number}\n").into_bytes();
        packet.extend(bytes.iter().take(OUTPUT_MAX));
        packet
    }

    /// From a packet; `None` if it is none. Whatever sent it, it is bounded, and a refusal is one line.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let end = packet.iter().position(|byte| *byte == b'\n')?;
        let (head, bytes) = (packet.get(..end)?, packet.get(end + 1..)?);
        let head = str::from_utf8(head).ok()?.strip_prefix(GREETING)?.strip_prefix(' ')?;
        let (word, number) = head.split_once(' ')?;
        let number: i32 = number.parse().ok()?;
        if bytes.len() > OUTPUT_MAX {
            return None;
        }
        let errors = || bytes.iter().take(EXCERPT_MAX + 1).copied().collect();
        Some(match word {
            "printed" => Self::Printed(bytes.to_owned()),
            "too-long" => Self::TooLong,
            "failed" => Self::Failed(ExitStatus::from_raw(number), errors()),
            "late" => Self::Late(errors()),
            "not-run" => Self::NotRun(error(number)?),
            "refused" => Self::Refused(line(bytes)),
            _ => return None,
        })
    }
}

/// An error of the kernel's, by its number: errno(3).
fn error(number: i32) -> Option<Errno> {
    (1..4096).contains(&number).then(|| Errno::from_raw_os_error(number))
}

/// Any bytes as one line of a log.
fn line(bytes: &[u8]) -> String {
    let bytes = bytes.get(..REFUSAL_MAX).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Sends a packet, without waiting.
///
/// # Errors
/// What send(2) has.
pub(crate) fn send(socket: impl AsFd, packet: &[u8]) -> Result<(), Errno> {
    rustix::net::send(socket, packet, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map(drop)
}

/// Receives a packet of a non-blocking socket. An empty one is the end of the connection.
///
/// # Errors
/// It came with descriptors, or what recv(2) has; `EAGAIN` if nothing has come, `EMSGSIZE` if it is longer than
/// [`PACKET_MAX`].
pub(crate) fn receive(socket: &PeerSocket) -> Result<Vec<u8>, ReadError> {
    // One byte more, by which a longer packet shows.
    let mut bytes = vec![0; PACKET_MAX + 1];
    let length = socket.read(&mut bytes)?;
    if length > PACKET_MAX {
        return Err(Errno::MSGSIZE.into());
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// The error of a command that could not be started, as it can be told.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests;
