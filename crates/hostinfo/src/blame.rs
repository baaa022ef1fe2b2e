//! Says who disturbs the port. Another program at the port is named before the host's administrator
//! is blamed, and only programs that were seen are blamed.

use std::path::Path;

use crate::others::{Holder, Others};

/// What to do about a broker that has the port.
const ASK_THE_BROKER: &str =
    "leave out --device (and HOSTINFO_DEVICE) to ask it, or name its socket there";

/// A port that is not free.
pub(crate) fn in_use(others: &Others) -> String {
    if let Some(broker) = others.broker() {
        return format!("held by the broker, {broker}: {ASK_THE_BROKER}");
    }
    match others.named() {
        named if !named.is_empty() => {
            format!("in use by {named}. {}", stop(others))
        }
        _ if others.is_partial => {
            "another program keeps using it; as root, hostinfo says which".to_owned()
        }
        _ => "another program keeps using it. Stop that, then ask again".to_owned(),
    }
}

/// A port that is not free, while a broker runs and nobody was seen to have it.
pub(crate) fn perhaps_brokers(broker: &Holder) -> String {
    format!("in use, perhaps by the broker, {broker}: {ASK_THE_BROKER}")
}

/// The port at `path`, on which no answer arrives whole. `is_logged_to`: the kernel writes to it.
pub(crate) fn disturbed(path: &Path, others: &Others, is_logged_to: bool) -> String {
    match others.named() {
        named if !named.is_empty() => {
            let uses = if is_one(others) { "uses" } else { "use" };
            format!("{named} also {uses} this port. {}", stop(others))
        }
        _ if is_logged_to => {
            "the kernel writes its messages to this port (see console= in /proc/cmdline)".to_owned()
        }
        _ if others.is_partial => {
            "another program also uses this port; as root, hostinfo says which".to_owned()
        }
        _ => format!(
            "the host's replies arrive damaged, or another program reads this port. Ask again; if it stays, stop \
             what else uses {}{}, or have whoever runs the host look with hostinfoctl doctor",
            path.display(),
            if cfg!(unix) { " (a getty?)" } else { "" }
        ),
    }
}

/// A port on which nothing arrives: who may have taken the answer away. `None` if nobody was seen
/// who could have.
pub(crate) fn silent(path: &Path, others: &Others) -> Option<String> {
    let readers = others.readers();
    let (named, path) = (readers.named(), path.display());
    let read = if is_one(&readers) { "reads" } else { "read" };
    (!named.is_empty()).then(|| {
        format!("{named} {read} from {path} and may have taken the answer. {}.", stop(&readers))
    })
}

/// An interval that is used up: `copies` of this program may have asked.
pub(crate) fn too_soon(copies: &Others) -> String {
    let serve = "with hostinfo serve, each gets answers";
    match copies.named() {
        named if named.is_empty() => {
            format!("All programs of this guest share its interval: {serve}.")
        }
        named => format!(
            "{named} may have asked. All programs of this guest share its interval: {serve}."
        ),
    }
}

/// Whether one program is to blame.
fn is_one(others: &Others) -> bool {
    others.holders.len() == 1
}

/// What to do about programs.
fn stop(others: &Others) -> &'static str {
    if is_one(others) { "Stop that, then ask again" } else { "Stop these, then ask again" }
}

/// Whether the kernel writes its messages to the tty at `path`.
pub(crate) fn is_logged_to(path: &Path) -> bool {
    consoles(&active(), path).any(|is_it| is_it)
}

/// Whether /dev/console leads to the tty at `path`.
pub(crate) fn is_console(path: &Path) -> bool {
    consoles(&active(), path).last() == Some(true)
}

fn active() -> String {
    std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default()
}

/// For each of the kernel's consoles, whether it is the tty at `path`. `active` is
/// /sys/class/tty/console/active, such as `tty0 ttyS1`; /dev/console leads to the last one.
fn consoles<'a>(active: &'a str, path: &'a Path) -> impl Iterator<Item = bool> + use<'a> {
    let name = path.file_name().and_then(|name| name.to_str());
    active.split_whitespace().map(move |console| Some(console) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::others::Holder;

    fn holder(pid: u32, name: &str, reads: bool) -> Holder {
        Holder { pid, name: name.to_owned(), reads }
    }

    fn seen(name: &str, reads: bool) -> Others {
        Others { holders: vec![holder(412, name, reads)], is_partial: true }
    }

    fn port() -> &'static Path {
        Path::new("/dev/ttyS1")
    }

    const NOBODY: Others = Others { holders: Vec::new(), is_partial: false };
    const HIDDEN: Others = Others { holders: Vec::new(), is_partial: true };

    #[test]
    fn a_program_that_was_seen_is_named_with_what_to_do() {
        let agetty = seen("agetty", true);
        assert_eq!(in_use(&agetty), "in use by agetty (PID 412). Stop that, then ask again");
        assert!(
            disturbed(port(), &agetty, true).starts_with("agetty (PID 412) also uses this port.")
        );
        assert!(
            silent(port(), &agetty).unwrap().starts_with("agetty (PID 412) reads from /dev/ttyS1 ")
        );
    }

    #[test]
    fn a_broker_that_holds_the_port_is_not_to_be_stopped_but_to_be_asked() {
        let told = in_use(&seen("hostinfo serve", true));
        assert!(
            told.starts_with("held by the broker, hostinfo serve (PID 412): leave out --device")
        );
        assert!(!told.contains("Stop"), "{told}");
        let told = perhaps_brokers(&holder(412, "hostinfo serve", true));
        assert!(told.starts_with("in use, perhaps by the broker, hostinfo serve (PID 412): leave"));
    }

    #[test]
    fn copies_that_may_have_used_up_the_interval_are_named() {
        let shared = "All programs of this guest share its interval: with hostinfo serve, each gets answers.";
        assert_eq!(too_soon(&NOBODY), shared);
        let told = format!("hostinfo top (PID 412) may have asked. {shared}");
        assert_eq!(too_soon(&seen("hostinfo top", false)), told);
    }

    #[test]
    fn a_program_that_was_not_seen_is_not_named() {
        assert!(in_use(&HIDDEN).ends_with("as root, hostinfo says which"));
        assert!(!in_use(&NOBODY).contains("root"));
        assert!(disturbed(port(), &HIDDEN, false).contains("as root"));
        let nobody = disturbed(port(), &NOBODY, false);
        assert!(nobody.contains("arrive damaged, or another program reads this port"), "{nobody}");
        assert!(
            nobody.contains("/dev/ttyS1") && nobody.ends_with("hostinfoctl doctor"),
            "{nobody}"
        );
        assert!(disturbed(port(), &NOBODY, true).contains("the kernel writes"));
        assert_eq!(silent(port(), &HIDDEN), None);
        assert_eq!(silent(port(), &seen("logger", false)), None, "it took nothing");
    }

    #[test]
    fn a_program_that_only_holds_the_port_is_not_said_to_read_and_two_programs_take_the_plural() {
        let mut others = seen("cat", true);
        others.holders.push(holder(500, "logger", false));
        let told = silent(port(), &others).unwrap();
        assert!(told.starts_with("cat (PID 412) reads from /dev/ttyS1 and may "), "{told}");
        assert!(in_use(&others).ends_with(" and logger (PID 500). Stop these, then ask again"));
        assert!(
            disturbed(port(), &others, false).contains(" and logger (PID 500) also use this port.")
        );
        others.holders.push(holder(600, "agetty", true));
        let told = silent(port(), &others).unwrap();
        assert!(told.starts_with("cat (PID 412) and agetty (PID 600) read from "), "{told}");
        assert!(told.ends_with(" Stop these, then ask again."), "{told}");
    }

    #[test]
    fn the_kernel_writes_to_each_of_its_consoles_and_dev_console_is_the_last_one() {
        let consoles = |active| consoles(active, port()).collect::<Vec<_>>();
        assert_eq!(consoles("tty0 ttyS1\n"), [false, true]);
        assert_eq!(consoles("ttyS1 tty0\n"), [true, false]);
        assert!(consoles("").is_empty());
    }
}
