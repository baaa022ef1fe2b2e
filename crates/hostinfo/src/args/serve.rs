//! The broker's own options.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::BROKER;

pub(super) const SERVE: &str = "\
Examples:
  hostinfo serve                       hostinfo then asks the broker
  curl 127.0.0.1:4679/metrics          what Prometheus gets
  hostinfo serve --mode 0660 --listen none

It asks the host for everything, no more often than this guest may, and answers all programs from that, so none \
of them ever asks too soon. The installed unit hostinfo-serve.socket starts it at the first question.";

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The socket for programs; - for the one on standard input, as systemd passes it
    #[arg(long, value_name = "PATH", default_value = BROKER)]
    pub(crate) socket: PathBuf,
    /// The mode of the socket, in octal, which says who may ask
    #[arg(long, value_name = "MODE", value_parser = mode, default_value = "0666")]
    pub(crate) mode: u32,
    /// Where Prometheus scrapes /metrics: a loopback address and port, or none [default: 127.0.0.1:4679 if it
    /// is free]
    #[arg(long, value_name = "ADDRESS", value_parser = listen)]
    pub(crate) listen: Option<Listen>,
}

/// Where Prometheus scrapes by default.
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4679);

impl Serve {
    /// Where Prometheus scrapes, if anywhere, and whether the user named that address.
    pub(crate) fn scraped(&self) -> Option<(SocketAddr, bool)> {
        match self.listen {
            Some(Listen::Nowhere) => None,
            Some(Listen::At(address)) => Some((address, true)),
            None => Some((METRICS, false)),
        }
    }
}

/// Where Prometheus scrapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    Nowhere,
    At(SocketAddr),
}

fn mode(text: &str) -> Result<u32, String> {
    const MOST: u32 = 0o777;
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= MOST);
    mode.ok_or_else(|| "an octal number up to 0777, such as 0660".to_owned())
}

fn listen(text: &str) -> Result<Listen, String> {
    match text.parse::<SocketAddr>() {
        _ if text == "none" => Ok(Listen::Nowhere),
        Ok(address) if address.ip().is_loopback() => Ok(Listen::At(address)),
        Ok(_) => {
            Err("only a loopback address is allowed: others could see this guest's figures"
                .to_owned())
        }
        Err(_) => Err("an address and a port, such as 127.0.0.1:4679, or none".to_owned()),
    }
}
