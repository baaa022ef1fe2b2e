//! What to do where no host answers, which depends on the way that was tried, and where one refuses to.

use std::borrow::Cow;
use std::path::Path;

use hostinfo_wire::reply::BLOCKED;

use crate::args::BROKER;
use crate::system::SERIAL;
use crate::way::Way;

/// What the user or the administrator of the host has to do. Without `--device`, there are several ways.
pub(crate) fn remedy(ways: &[&Way]) -> String {
    match ways {
        [Way::Unix(path)] => broker(path),
        [Way::Vsock { port, .. }] => vsock(*port),
        _ => port(),
    }
}

fn broker(path: &Path) -> String {
    let elsewhere = match path == Path::new(BROKER) {
        true => String::new(),
        false => format!(" --socket {}", path.display()),
    };
    format!(
        "Start the broker (hostinfo serve{elsewhere}), or leave out --device (and HOSTINFO_DEVICE) to find the host."
    )
}

/// The next step of a guest that may ask nothing at all: of several reasons, only the host knows which it is.
pub(crate) const ASK_WHY_BLOCKED: &str =
    "Ask whoever runs the host: hostinfoctl list says why there";

/// A refusal of everything, with what to do; any other as the host gave it. `list` and `*` may stand for what the
/// user did not type, and hosts refuse them only where they permit nothing.
pub(crate) fn refusal(told: &str) -> Cow<'_, str> {
    match told {
        BLOCKED => format!("{told}. {ASK_WHY_BLOCKED}").into(),
        "list: not permitted" | "*: not permitted" => {
            "this guest may see nothing of its host. Ask whoever runs the host to permit it something, such as \
             verdict.*"
                .into()
        }
        _ => told.into(),
    }
}

// No sentence has a line end of its own: a terminal has any width. What is to be copied is a line of its own.

fn vsock(port: u32) -> String {
    format!(
        "\
Send this to whoever runs your host:
This guest asks over vsock, at port {port}. Its domain needs:
  <vsock model='virtio'><cid auto='yes'/></vsock>
/etc/hostinfo/hostinfod.toml needs this, where NAME is the guest's name:
  [vsock]
  enabled = true
  guests = [\"qemu-NAME\"]
Then run:
  systemctl enable hostinfo-vsock.socket
  systemctl restart hostinfo"
    )
}

fn port() -> String {
    format!(
        "\
If this guest has a port other than {SERIAL}, name it with --device or HOSTINFO_DEVICE. If it has none, send this to whoever runs your host:
This guest needs a port to ask. Run this, where NAME is the guest's name:
  hostinfoctl enable NAME
Or add this to its domain's XML (virsh edit NAME):
  <serial type='unix'>
    <source mode='bind' path='/var/lib/hostinfo/qemu-NAME'/>
    <target port='1'/>
  </serial>
Then shut the guest down and start it again: rebooting inside the guest is not enough. hostinfod has to run on the host."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_that_of_the_way_that_was_named() {
        let unix = |path: &str| remedy(&[&Way::Unix(path.into())]);
        assert!(unix(BROKER).starts_with("Start the broker (hostinfo serve), or "));
        assert!(unix("/tmp/s").contains("(hostinfo serve --socket /tmp/s)"));
        let vsock = remedy(&[&Way::vsock()]);
        assert!(vsock.contains("\nThis guest asks over vsock, at port 4678. "), "{vsock}");
        let device = Way::Device(SERIAL.into());
        assert!(remedy(&[&device]).contains("<serial type='unix'>"));
        assert_eq!(remedy(&[&Way::vsock(), &device]), remedy(&[&device]));
    }

    #[test]
    fn a_guest_that_is_refused_everything_is_told_whom_to_ask_without_words_it_did_not_type() {
        assert!(refusal(BLOCKED).starts_with("this guest may not ask. Ask whoever runs the host"));
        for all in ["list: not permitted", "*: not permitted"] {
            assert!(refusal(all).starts_with("this guest may see nothing of its host. Ask "));
        }
        for one in ["host.name: not permitted", "list: no such statistic"] {
            assert_eq!(refusal(one), one);
        }
    }

    #[test]
    fn a_sentence_of_a_remedy_is_not_broken_in_two() {
        for way in [Way::Unix(BROKER.into()), Way::vsock(), Way::Device(SERIAL.into())] {
            for line in remedy(&[&way]).lines().filter(|line| !line.starts_with(' ')) {
                assert!(line.ends_with(['.', ':']), "{line}");
            }
        }
    }
}
