//! `[metrics] listen` of the settings: where Prometheus can read the metrics, if anywhere. Only
//! addresses that no other machine can reach.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// Where the daemon's own metrics can be read, besides the control socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Listen {
    /// Nowhere.
    #[default]
    Off,
    /// At a loopback address.
    Loopback(SocketAddr),
    /// At a Unix socket with that path.
    Unix(PathBuf),
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        if written.is_empty() {
            return Ok(Self::Off);
        }
        if written.starts_with('/') {
            return Ok(Self::Unix(written.into()));
        }
        match written.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Loopback(address)),
            Ok(address) => Err(format!(
                "{address} can be reached from elsewhere: expected an address of this machine \
                 alone, as in `127.0.0.1:9101`, or a socket's path; a reverse proxy can do the rest"
            )),
            Err(_) => Err(format!(
                "invalid address {written:?}: expected an address with its port, as in \
                 `127.0.0.1:9101` or `[::1]:9101`, or the absolute path of a socket"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(written: &str) -> Result<Listen, String> {
        Listen::try_from(written.to_owned())
    }

    #[test]
    fn listening_is_off_or_at_a_loopback_address_or_a_path() {
        assert_eq!(listen(""), Ok(Listen::Off));
        assert_eq!(listen("/run/x.sock"), Ok(Listen::Unix("/run/x.sock".into())));
        for address in ["127.0.0.1:9101", "127.8.0.1:1", "[::1]:9101"] {
            assert_eq!(listen(address), Ok(Listen::Loopback(address.parse().unwrap())));
        }
    }

    #[test]
    fn an_address_that_others_could_reach_is_refused_and_so_is_an_invalid_one() {
        for address in ["0.0.0.0:9101", "[::]:9101", "192.0.2.1:9101", "[::ffff:127.0.0.1]:9101"] {
            assert!(listen(address).unwrap_err().contains("from elsewhere"), "{address}");
        }
        for none in ["localhost:9101", "127.0.0.1", ":9101", "9101", "x.sock", "127.0.0.1:99999"] {
            assert!(listen(none).unwrap_err().contains("invalid address"), "{none}");
        }
    }
}
