//! What to do where no host answers, which depends on the way that was tried, and where one refuses to.

use std::borrow::Cow;
use std::path::Path;

use hostinfo_wire::reply::BLOCKED;

use crate::args::BROKER;
use crate::system::SERIAL;
use crate::way::Way;

/// What the user or the administrator of the host has to do. Without `--device`, there are several ways. `existing` is
/// the first one that exists, although no host answers there.
pub(crate) fn remedy(ways: &[&Way], existing: Option<&Way>) -> String {
    match (ways, existing) {
        ([Way::Unix(path)], None) => broker(path),
        ([Way::Vsock { port, .. }], None) => vsock(*port),
        (_, None) => missing_port(),
        (_, Some(Way::Unix(path))) => silent_broker(path),
        (_, Some(way)) => silent_port(way),
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

/// What was refused, each as [`refusal`] has it. The last that the rules do not permit has the code, by which the
/// documentation can be searched, and what to do.
pub(crate) fn refusals(told: &[String]) -> impl Iterator<Item = Cow<'_, str>> {
    let is_denied = |told: &String| refusal(told).ends_with(": not permitted");
    let last = told.iter().rposition(is_denied);
    told.iter().enumerate().map(move |(number, told)| match Some(number) == last {
        true => format!("{told} (403: by the host's rules; hostinfo list shows what is)").into(),
        false => refusal(told),
    })
}

/// A refusal of everything, with what to do; any other as the host gave it. `list` and `*` may stand for what the
/// user did not type, and hosts refuse them only where they permit nothing.
fn refusal(told: &str) -> Cow<'_, str> {
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

fn silent_broker(path: &Path) -> String {
    format!(
        "{} is there, but what listens there does not answer: start the broker (hostinfo serve) again, or leave out \
         --device (and HOSTINFO_DEVICE) to find the host.",
        path.display()
    )
}

// No sentence has a line end of its own: a terminal has any width. What is to be copied is a line of its own.

fn vsock(port: u32) -> String {
    let setup = vsock_setup();
    format!(
        "\
Send this to whoever runs your host:
This guest asks over vsock, at port {port}. {setup}"
    )
}

fn vsock_setup() -> &'static str {
    "\
Its domain needs:
  <vsock model='virtio'><cid auto='yes'/></vsock>
/etc/hostinfo/hostinfod.toml needs this, where NAME is the guest's name:
  [vsock]
  enabled = true
  guests = [\"qemu-NAME\"]
Then run:
  systemctl enable hostinfo-vsock.socket
  systemctl restart hostinfo"
}

fn missing_port() -> String {
    let setup = port_setup();
    format!(
        "\
If this guest has a port other than {SERIAL}, name it with --device or HOSTINFO_DEVICE. If it has none, send this to whoever runs your host:
This guest needs a port to ask. {setup}"
    )
}

fn port_setup() -> &'static str {
    "\
Run this, where NAME is the guest's name:
  hostinfoctl enable NAME
Or add this to its domain's XML (virsh edit NAME):
  <serial type='unix'>
    <source mode='bind' path='/var/lib/hostinfo/qemu-NAME'/>
    <target port='1'/>
  </serial>
Then shut the guest down and start it again: rebooting inside the guest is not enough. hostinfod has to run on the host."
}

/// hostinfod does not run or does not serve this port, or the port is meant for something else.
fn silent_port(way: &Way) -> String {
    let setup = if matches!(way, Way::Vsock { .. }) { vsock_setup() } else { port_setup() };
    format!(
        "\
{way} is there, but no host answers on it. Send this to whoever runs your host:
This guest asks at {way}, and nobody answers. Run this on the host: it says what is wrong, and the command that mends it.
  hostinfoctl doctor
If it finds nothing wrong, hostinfo may not be set up for this guest yet. {setup}
If another port of this guest leads to hostinfo, name that with --device or HOSTINFO_DEVICE."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_that_of_the_way_that_was_named() {
        let unix = |path: &str| remedy(&[&Way::Unix(path.into())], None);
        assert!(unix(BROKER).starts_with("Start the broker (hostinfo serve), or "));
        assert!(unix("/tmp/s").contains("(hostinfo serve --socket /tmp/s)"));
        let vsock = remedy(&[&Way::vsock()], None);
        assert!(vsock.contains("\nThis guest asks over vsock, at port 4678. "), "{vsock}");
        let device = Way::Device(SERIAL.into());
        assert!(remedy(&[&device], None).contains("<serial type='unix'>"));
        assert_eq!(remedy(&[&Way::vsock(), &device], None), remedy(&[&device], None));
    }

    #[test]
    fn where_a_port_exists_doctor_comes_before_what_sets_one_up() {
        let (device, vsock) = (Way::Device(SERIAL.into()), Way::vsock());
        for (existing, setup) in
            [(&device, "hostinfoctl enable NAME"), (&vsock, "<vsock model='virtio'>")]
        {
            let remedy = remedy(&[&vsock, &device], Some(existing));
            let begin = format!("{existing} is there, but no host answers on it. ");
            assert!(remedy.starts_with(&begin), "{remedy}");
            assert!(remedy.find("hostinfoctl doctor") < remedy.find(setup), "{remedy}");
        }
        let broker = Way::Unix(BROKER.into());
        let remedy = remedy(&[&broker], Some(&broker));
        assert!(remedy.contains("what listens there does not answer"), "{remedy}");
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
    fn the_last_of_what_is_not_permitted_says_where_to_see_what_is() {
        let told = ["a: not permitted", "b: not permitted", "c: no such statistic"];
        let told = refusals(&told.map(str::to_owned)).map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!([&*told[0], &*told[2]], ["a: not permitted", "c: no such statistic"]);
        assert!(
            told[1].starts_with("b: not permitted (403: ") && told[1].contains("hostinfo list")
        );
    }

    #[test]
    fn a_sentence_of_a_remedy_is_not_broken_in_two() {
        for way in [Way::Unix(BROKER.into()), Way::vsock(), Way::Device(SERIAL.into())] {
            for remedy in [remedy(&[&way], None), remedy(&[&way], Some(&way))] {
                for line in remedy.lines().filter(|line| !line.starts_with(' ')) {
                    assert!(line.ends_with(['.', ':']), "{line}");
                }
            }
        }
    }
}
