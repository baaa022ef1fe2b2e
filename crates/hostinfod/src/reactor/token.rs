//! Identifies what a ready descriptor belongs to, also as the number that epoll(7) stores with it.

use hostinfo_answer::Dialect;

use super::id::{ClientId, Id, PatternId, PortId, ScraperId, SectionId, UnidentifiedId};

/// What a descriptor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// A signal that ends the daemon.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Upgrade,
    /// The program that is to take the daemon's place has ended its check.
    Check,
    /// The watch on the rules file's path.
    Rules,
    /// The watch on a socket directory.
    Sockets(Dialect),
    /// The watch on the directories of a `[[sockets]]`.
    Pattern(PatternId),
    /// The connection to hostinfo-open.
    Opener,
    /// libvirt's helper.
    Libvirt,
    /// Commands of the administrator: one has written something or ended.
    Custom,
    /// The control socket: a client connects.
    Control,
    /// The metrics' HTTP socket: a client connects.
    Scrape,
    /// A port's connection, or somebody connects to a port.
    Port(PortId),
    /// Something has changed in the directories of a `[[listen]]`.
    Section(SectionId),
    /// Somebody connects by AF_VSOCK.
    Vsock,
    /// Somebody who did so, and is not known to be a guest, has sent something or hung up.
    Unidentified(UnidentifiedId),
    /// The connection of a client of the control socket.
    Client(ClientId),
    /// The connection of a client that reads the metrics over HTTP.
    Scraper(ScraperId),
}

/// A number consists of a kind and, in its lower bits, an index in that kind's table. The 2^48
/// indices are never used up, because each needs a descriptor, and there are at most 2^31 of those.
const INDICES: u64 = 1 << 48;

const STOP: u64 = 0;
const RELOAD: u64 = 1;
const RULES: u64 = 2;
const SOCKETS: u64 = 3;
const VHOSTMD_SOCKETS: u64 = 4;
const LIBVIRT: u64 = 5;
const CUSTOM: u64 = 6;
const CONTROL: u64 = 7;
const SCRAPE: u64 = 8;
const PORT: u64 = 9;
const CLIENT: u64 = 10;
const SCRAPER: u64 = 11;
const PATTERN: u64 = 12;
const OPENER: u64 = 13;
const SECTION: u64 = 14;
const VSOCK: u64 = 15;
const UNIDENTIFIED: u64 = 16;
const UPGRADE: u64 = 17;
const CHECK: u64 = 18;

impl Token {
    /// The token's number.
    pub(crate) fn encode(self) -> u64 {
        let (kind, index) = match self {
            Self::Stop => (STOP, 0),
            Self::Reload => (RELOAD, 0),
            Self::Upgrade => (UPGRADE, 0),
            Self::Check => (CHECK, 0),
            Self::Rules => (RULES, 0),
            Self::Sockets(Dialect::Hostinfo) => (SOCKETS, 0),
            Self::Sockets(Dialect::Vhostmd) => (VHOSTMD_SOCKETS, 0),
            Self::Pattern(pattern) => (PATTERN, pattern.index()),
            Self::Opener => (OPENER, 0),
            Self::Libvirt => (LIBVIRT, 0),
            Self::Custom => (CUSTOM, 0),
            Self::Control => (CONTROL, 0),
            Self::Scrape => (SCRAPE, 0),
            Self::Port(port) => (PORT, port.index()),
            Self::Section(section) => (SECTION, section.index()),
            Self::Vsock => (VSOCK, 0),
            Self::Unidentified(peer) => (UNIDENTIFIED, peer.index()),
            Self::Client(client) => (CLIENT, client.index()),
            Self::Scraper(scraper) => (SCRAPER, scraper.index()),
        };
        kind * INDICES + index as u64
    }

    /// The token with that number; `None` if there is none.
    pub(crate) fn decode(number: u64) -> Option<Self> {
        let index = usize::try_from(number % INDICES).ok()?;
        let token = match number / INDICES {
            STOP => Self::Stop,
            RELOAD => Self::Reload,
            UPGRADE => Self::Upgrade,
            CHECK => Self::Check,
            RULES => Self::Rules,
            SOCKETS => Self::Sockets(Dialect::Hostinfo),
            VHOSTMD_SOCKETS => Self::Sockets(Dialect::Vhostmd),
            LIBVIRT => Self::Libvirt,
            CUSTOM => Self::Custom,
            CONTROL => Self::Control,
            SCRAPE => Self::Scrape,
            PORT => Self::Port(PortId::of(index)),
            SECTION => Self::Section(SectionId::of(index)),
            VSOCK => Self::Vsock,
            UNIDENTIFIED => Self::Unidentified(UnidentifiedId::of(index)),
            CLIENT => Self::Client(ClientId::of(index)),
            SCRAPER => Self::Scraper(ScraperId::of(index)),
            PATTERN => Self::Pattern(PatternId::of(index)),
            OPENER => Self::Opener,
            _ => return None,
        };
        // A token without a table has no index.
        (token.encode() == number).then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The token after it. Matched without a wildcard, so that a new token has to be added to the
    /// tests.
    fn next(token: Token) -> Option<Token> {
        Some(match token {
            Token::Stop => Token::Reload,
            Token::Reload => Token::Upgrade,
            Token::Upgrade => Token::Check,
            Token::Check => Token::Rules,
            Token::Rules => Token::Sockets(Dialect::Hostinfo),
            Token::Sockets(Dialect::Hostinfo) => Token::Sockets(Dialect::Vhostmd),
            Token::Sockets(Dialect::Vhostmd) => Token::Pattern(PatternId::of(3)),
            Token::Pattern(_) => Token::Opener,
            Token::Opener => Token::Libvirt,
            Token::Libvirt => Token::Custom,
            Token::Custom => Token::Control,
            Token::Control => Token::Scrape,
            Token::Scrape => Token::Port(PortId::of(3)),
            Token::Port(_) => Token::Section(SectionId::of(3)),
            Token::Section(_) => Token::Vsock,
            Token::Vsock => Token::Unidentified(UnidentifiedId::of(3)),
            Token::Unidentified(_) => Token::Client(ClientId::of(3)),
            Token::Client(_) => Token::Scraper(ScraperId::of(0)),
            Token::Scraper(_) => return None,
        })
    }

    #[test]
    fn each_token_has_a_number_of_its_own_and_comes_back_of_it() {
        let all: Vec<Token> = std::iter::successors(Some(Token::Stop), |one| next(*one)).collect();
        let numbers: HashSet<u64> = all.iter().map(|token| token.encode()).collect();
        assert_eq!(numbers.len(), all.len());
        for token in all {
            assert_eq!(Token::decode(token.encode()), Some(token));
        }
    }

    #[test]
    fn a_number_that_is_nobodys_is_refused_and_is_not_somebody_elses() {
        let behind = (CHECK + 1) * INDICES;
        for number in [1, STOP * INDICES + 7, SCRAPE * INDICES + 1, behind, behind + 1, u64::MAX] {
            assert_eq!(Token::decode(number), None, "{number}");
        }
    }
}
