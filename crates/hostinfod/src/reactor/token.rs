//! Identifies what a ready descriptor belongs to, also as the number that epoll(7) stores with it.

use hostinfo_answer::Dialect;

use super::id::{ClientId, Id, PatternId, PortId, ScraperId, SectionId, UnidentifiedId};

/// Each token with a number of its kind and, where there are several, what identifies it.
macro_rules! tokens {
    ($($(#[$doc:meta])* $kind:literal $name:ident $(($id:ident: $type:ty))?,)*) => {
        /// What a descriptor belongs to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Token {
            $($(#[$doc])* $name $(($type))?,)*
        }

        impl Token {
            /// The token's number.
            pub(crate) fn encode(self) -> u64 {
                match self {
                    $(Self::$name $(($id))? => $kind * INDICES $(+ $id.index() as u64)?,)*
                }
            }

            /// The token with that number; `None` if there is none.
            pub(crate) fn decode(number: u64) -> Option<Self> {
                let index = usize::try_from(number % INDICES).ok()?;
                let token = match number / INDICES {
                    $($kind => Self::$name $((<$type>::of(index)))?,)*
                    _ => return None,
                };
                // A token without a table has no index.
                (token.encode() == number).then_some(token)
            }
        }
    };
}

tokens! {
    /// A signal that ends the daemon.
    0 Stop,
    /// SIGHUP.
    1 Reload,
    /// SIGUSR1.
    2 Upgrade,
    /// The program that is to take the daemon's place has ended its check.
    3 Check,
    /// The watch on the rules file's path.
    4 Rules,
    /// The watch on a socket directory.
    5 Sockets(dialect: Dialect),
    /// The watch on the directories of a `[[sockets]]`.
    6 Pattern(pattern: PatternId),
    /// The connection to hostinfo-open.
    7 Opener,
    /// libvirt's helper.
    8 Libvirt,
    /// Commands of the administrator: one has written something or ended.
    9 Custom,
    /// The control socket: a client connects.
    10 Control,
    /// The metrics' HTTP socket: a client connects.
    11 Scrape,
    /// A port's connection, or somebody connects to a port.
    12 Port(port: PortId),
    /// Something has changed in the directories of a `[[listen]]`.
    13 Section(section: SectionId),
    /// Somebody connects by AF_VSOCK.
    14 Vsock,
    /// Somebody who did so, and is not known to be a guest, has sent something or hung up.
    15 Unidentified(peer: UnidentifiedId),
    /// The connection of a client of the control socket.
    16 Client(client: ClientId),
    /// The connection of a client that reads the metrics over HTTP.
    17 Scraper(scraper: ScraperId),
    /// Metrics disks: one could not be written.
    18 Disks,
    /// Places of sockets: a look that took long has ended.
    19 Looks,
}

/// A number consists of a kind and, in its lower bits, an index in that kind's table. The 2^48
/// indices are never used up, because each needs a descriptor, and there are at most 2^31 of those.
const INDICES: u64 = 1 << 48;

impl Id for Dialect {
    fn of(index: usize) -> Self {
        Self::ALL.get(index).copied().unwrap_or(Self::Hostinfo)
    }

    fn index(self) -> usize {
        self as usize
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
            Token::Scraper(_) => Token::Disks,
            Token::Disks => Token::Looks,
            Token::Looks => return None,
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
        let behind = 20 * INDICES;
        for number in
            [1, 7, 5 * INDICES + 2, Token::Scrape.encode() + 1, behind, behind + 1, u64::MAX]
        {
            assert_eq!(Token::decode(number), None, "{number}");
        }
    }
}
