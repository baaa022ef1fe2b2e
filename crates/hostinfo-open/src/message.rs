//! What hostinfod asks the opener, and what it answers: a packet each, over a socket of type
//! SOCK_SEQPACKET, unix(7).
//!
//! A request is a pattern, a driver and a name, a line each. An answer is a word, with a text behind it
//! where something is refused; with `connected` comes the descriptor.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::pattern::{DRIVER_MAX, NAME_MAX, PATTERN_MAX, is_name};
use crate::sockets::{Entry, Sockets};

/// The longest packet either way: a pattern, a driver, a name and two line ends have 1,345 bytes.
pub const PACKET_MAX: usize = 2048;

const _: () = assert!(PATTERN_MAX + DRIVER_MAX + NAME_MAX + 2 <= PACKET_MAX);

/// Which socket the opener should connect to. It names no path, and no entry by its number: in another edition
/// of the settings, that number would be another entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The pattern's text, as `path` in `[[sockets]]` has it.
    pub pattern: String,
    /// `driver` of the same entry.
    pub driver: String,
    /// The guest's name, which takes the place of `{name}`.
    pub name: String,
}

/// Why the opener refuses a packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The packet does not have three lines of UTF-8 text.
    #[error("this is not a pattern, a driver and a name, a line each")]
    Malformed,
    /// No guest can have that name: see [`is_name`].
    #[error("{0:?} cannot be a guest's name")]
    Name(String),
    /// The opener's settings have no such entry: hostinfod has read another edition of the file.
    #[error(
        "no [[sockets]] has this pattern and driver: reload hostinfo, so that it reads hostinfod.toml again"
    )]
    Unknown,
    /// The guest is not in `guests` of the entry. Has its whole name.
    #[error(
        "{0} is not in guests of its [[sockets]]: add it there, or reload hostinfo, so that it reads hostinfod.toml again"
    )]
    NotEnabled(String),
}

impl Request {
    /// The packet that [`Request::parse`] reads.
    pub fn to_packet(&self) -> Vec<u8> {
        format!("{}\n{}\n{}", self.pattern, self.driver, self.name).into_bytes()
    }

    /// Parses a packet. Whether the settings permit it is checked by [`Request::entry`].
    ///
    /// # Errors
    /// [`BadRequest::Malformed`] and [`BadRequest::Name`].
    pub fn parse(packet: &[u8]) -> Result<Self, BadRequest> {
        let text = str::from_utf8(packet).map_err(|_| BadRequest::Malformed)?;
        let mut lines = text.split('\n').map(str::to_owned);
        let (Some(pattern), Some(driver), Some(name), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(BadRequest::Malformed);
        };
        if is_name(&name) {
            Ok(Self { pattern, driver, name })
        } else {
            Err(BadRequest::Name(name))
        }
    }

    /// The entry of the settings that permits the request.
    ///
    /// # Errors
    /// [`BadRequest::Unknown`] and [`BadRequest::NotEnabled`].
    pub fn entry<'s>(&self, sockets: &'s Sockets) -> Result<&'s Entry, BadRequest> {
        let entry = sockets.find(&self.pattern, &self.driver).ok_or(BadRequest::Unknown)?;
        if entry.allows(&self.name) {
            Ok(entry)
        } else {
            Err(BadRequest::NotEnabled(entry.whole(&self.name)))
        }
    }
}

/// The opener's answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has connected: the descriptor comes with the packet.
    Connected,
    /// No file is at the path.
    Gone,
    /// A socket is there, but no process listens (ECONNREFUSED).
    NobodyListens,
    /// A process listens, but its queue is full (EAGAIN): try again later.
    Full,
    /// The opener may not connect, or failed to. Says why, with the remedy.
    Refused(String),
}

const CONNECTED: &str = "connected";
const GONE: &str = "gone";
const NOBODY_LISTENS: &str = "nobody-listens";
const FULL: &str = "full";
const REFUSED: &str = "refused ";

impl Answer {
    /// The packet that [`Answer::parse`] reads, at most [`PACKET_MAX`] bytes: a longer text is truncated.
    pub fn to_packet(&self) -> Vec<u8> {
        let text = match self {
            Self::Connected => CONNECTED.to_owned(),
            Self::Gone => GONE.to_owned(),
            Self::NobodyListens => NOBODY_LISTENS.to_owned(),
            Self::Full => FULL.to_owned(),
            Self::Refused(why) => {
                let why: String =
                    why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                let most = PACKET_MAX - REFUSED.len();
                let cut = (0..=most.min(why.len())).rev().find_map(|end| why.get(..end));
                format!("{REFUSED}{}", cut.unwrap_or_default())
            }
        };
        text.into_bytes()
    }

    /// Parses a packet; `None` if it is not an answer.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let text = str::from_utf8(packet).ok()?;
        Some(match text {
            CONNECTED => Self::Connected,
            GONE => Self::Gone,
            NOBODY_LISTENS => Self::NobodyListens,
            FULL => Self::Full,
            _ => Self::Refused(text.strip_prefix(REFUSED)?.to_owned()),
        })
    }
}

/// Sends a packet, together with a descriptor if there is one.
///
/// # Errors
/// Those of sendmsg(2).
pub fn send(socket: impl AsFd, packet: &[u8], fd: Option<&OwnedFd>) -> Result<(), Errno> {
    let fds = fd.map(|fd| [fd.as_fd()]);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if let Some(fds) = &fds
        && !control.push(SendAncillaryMessage::ScmRights(fds))
    {
        return Err(Errno::NOBUFS);
    }
    sendmsg(socket, &[IoSlice::new(packet)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// Receives a packet, together with the descriptor if one came with it. An empty packet means that the
/// connection has ended.
///
/// # Errors
/// Those of recvmsg(2), and `EMSGSIZE` if the packet is longer than [`PACKET_MAX`].
pub fn receive(socket: impl AsFd) -> Result<(Vec<u8>, Option<OwnedFd>), Errno> {
    // One byte more, so that a longer packet shows.
    let mut bytes = vec![0; PACKET_MAX + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut bytes)];
    let length = recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let fd = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    if length > PACKET_MAX {
        return Err(Errno::MSGSIZE);
    }
    bytes.truncate(length);
    Ok((bytes, fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    const SETTINGS: &str = "[[sockets]]\npreset = 'proxmox'\nguests = ['qemu-1*']";

    fn request(name: &str) -> Request {
        let pattern = "/var/run/qemu-server/{name}.serial1".to_owned();
        Request { pattern, driver: "qemu".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn only_what_the_settings_say_to_the_letter_is_permitted() {
        let sockets = Sockets::parse(SETTINGS).unwrap();
        assert!(request("100").entry(&sockets).is_ok());
        let not_enabled = request("200").entry(&sockets).unwrap_err();
        assert_eq!(not_enabled, BadRequest::NotEnabled("qemu-200".to_owned()));
        for (pattern, driver) in [
            ("/var/run/qemu-server/{name}.serial0", "qemu"),
            ("/run/qemu-server/{name}.serial1", "qemu"),
            ("/var/run/qemu-server/{name}.serial1", "xen"),
            ("/etc/{name}", "qemu"),
        ] {
            let (pattern, driver) = (pattern.to_owned(), driver.to_owned());
            let asked = Request { pattern, driver, ..request("100") };
            assert_eq!(asked.entry(&sockets), Err(BadRequest::Unknown), "{asked:?}");
        }
    }

    #[test]
    fn a_name_with_a_slash_dots_or_control_characters_is_none() {
        for name in ["", ".", "..", "a/b", "../a", "a\0b", "a\u{1}", "a\u{7f}"] {
            let parsed = Request::parse(&request(name).to_packet());
            assert_eq!(parsed, Err(BadRequest::Name(name.to_owned())), "{name:?}");
        }
        let long = "x".repeat(NAME_MAX + 1);
        assert!(Request::parse(&request(&long).to_packet()).is_err());
        for packet in [&b""[..], b"/a/{name}\nqemu", b"a\nb\nc\nd", b"a\nb\n\xff"] {
            assert!(Request::parse(packet).is_err(), "{packet:?}");
        }
    }

    #[test]
    fn a_packet_arrives_with_its_descriptor_and_one_that_is_too_long_is_an_error() {
        let flags = SocketFlags::CLOEXEC;
        let (one, two) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        send(&one, &Answer::Connected.to_packet(), Some(&two)).unwrap();
        let (packet, fd) = receive(&two).unwrap();
        assert_eq!((Answer::parse(&packet), fd.is_some()), (Some(Answer::Connected), true));
        send(&one, &request("a").to_packet(), None).unwrap();
        let (packet, fd) = receive(&two).unwrap();
        assert_eq!((Request::parse(&packet), fd.is_none()), (Ok(request("a")), true));
        send(&one, &[b'x'; PACKET_MAX + 1], None).unwrap();
        assert!(matches!(receive(&two), Err(Errno::MSGSIZE)));
        drop(one);
        assert_eq!(receive(&two).unwrap().0, b"");
    }

    #[test]
    fn a_refusal_is_cut_and_has_one_line() {
        let refused = Answer::Refused("ä\n".repeat(PACKET_MAX));
        let packet = refused.to_packet();
        assert!(packet.len() <= PACKET_MAX && !packet.contains(&b'\n'));
        assert!(matches!(Answer::parse(&packet), Some(Answer::Refused(_))));
    }

    #[test]
    fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
        let sockets = Sockets::parse(SETTINGS).unwrap();
        for seed in std::fs::read_dir("../../fuzz/seeds/open").unwrap() {
            let path = seed.unwrap().path();
            let asked = Request::parse(&std::fs::read(&path).unwrap());
            let is_it = match path.file_name().unwrap().to_str().unwrap() {
                "permitted" => asked.is_ok_and(|asked| asked.entry(&sockets).is_ok()),
                "unknown" => asked.is_ok_and(|asked| asked.entry(&sockets).is_err()),
                "slash" => matches!(asked, Err(BadRequest::Name(_))),
                "malformed" => asked == Err(BadRequest::Malformed),
                other => panic!("say here what {other} is"),
            };
            assert!(is_it, "{}", path.display());
        }
    }

    proptest! {
        #[test]
        fn any_packet_is_a_request_that_can_be_said_again_or_an_error(
            packet in prop::collection::vec(any::<u8>(), 0..99),
            lines in "[a-z{}/.\n]{0,40}",
        ) {
            for packet in [&packet[..], lines.as_bytes()] {
                if let Ok(asked) = Request::parse(packet) {
                    prop_assert_eq!(asked.to_packet(), packet);
                }
                if let Some(answer) = Answer::parse(packet) {
                    prop_assert!(Answer::parse(&answer.to_packet()).is_some());
                }
            }
        }
    }
}
