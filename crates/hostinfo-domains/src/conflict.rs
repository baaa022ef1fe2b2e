//! What can be wrong with the ownership of a socket, in words that tell the administrator what to do.

use uuid::Uuid;

use crate::operand;

/// What is wrong, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Two live domains have the same path, for instance after copying XML.
    #[error(
        "the running domains {} use the same hostinfo socket. Run hostinfoctl enable --repair for each of them, then shut them down and start them",
        quoted(.0)
    )]
    Shared(Vec<String>),
    /// A domain has several paths.
    #[error(
        "the domain {domain:?} has more than one hostinfo port ({}). Run hostinfoctl enable --repair {}, then shut it down and start it",
        quoted(names),
        operand(domain)
    )]
    Several {
        /// The domain.
        domain: String,
        /// The names of the sockets.
        names: Vec<String>,
    },
    /// The path has another driver or name, for instance after renaming or cloning.
    #[error(
        "the domain {domain:?} uses the hostinfo socket of another guest: its own would be {expected:?}. Run hostinfoctl enable --repair {}, then shut it down and start it",
        operand(domain)
    )]
    Misnamed {
        /// The domain.
        domain: String,
        /// The socket name that would be right.
        expected: String,
    },
    /// The metrics disk has another driver or name.
    #[error(
        "the domain {domain:?} uses the metrics disk of another guest: its own is the file {expected:?}. Correct it with virsh edit {uuid}, then shut it down and start it"
    )]
    Disk {
        /// The domain.
        domain: String,
        /// Its UUID: a domain's name may be another one's number or UUID, for virsh.
        uuid: Uuid,
        /// The file name that would be right.
        expected: String,
    },
    /// A device that is not a hostinfo port uses another guest's socket: whichever was started last
    /// has it.
    #[error(
        "the domain {domain:?} has a device at the socket of another guest, {name:?}: give it another path with virsh edit {uuid}, then shut it down and start it, and then the other guest"
    )]
    Device {
        /// The domain.
        domain: String,
        /// Its UUID.
        uuid: Uuid,
        /// The socket's name.
        name: String,
    },
    /// A process shows the UUID of a domain whose socket this is not. Anybody can start a process that does.
    #[error(
        "the process that listens at this socket shows the UUID of the domain {domain:?} on its command line: {program:?}, process {pid}. If libvirt started it, give that domain's device another path with virsh edit {uuid}, then shut it down and start it; otherwise end the process, or start it with a -uuid of its own"
    )]
    CommandLine {
        /// The domain.
        domain: String,
        /// Its UUID.
        uuid: Uuid,
        /// The program's name, as the kernel shows it.
        program: String,
        /// The process's number.
        pid: i32,
    },
    /// A process that libvirt has not started has taken the socket's place.
    #[error(
        "the process that listens at the socket of the domain {domain:?} is not its QEMU: {program:?}, process {pid}. End that process, then shut the domain down and start it"
    )]
    OtherProcess {
        /// The domain.
        domain: String,
        /// The program's name, as the kernel shows it.
        program: String,
        /// The process's number.
        pid: i32,
    },
    /// Who listens has let another process call listen(2), which has ended or is not the one; or hides what it is.
    #[error(
        "which process listens at the socket of the domain {domain:?} cannot be told: the one that called listen(2) has ended, hides its command line, or is libvirt. Shut the domain down and start it"
    )]
    NoProcess {
        /// The domain.
        domain: String,
    },
    /// A port has the name of another guest's socket, and may be in the same place.
    #[error(
        "the domain {domain:?} has a port {name:?} in a directory that hostinfod cannot read, which may lead to the socket directory: give it another name or directory with virsh edit {uuid}, then shut it down and start it"
    )]
    Hidden {
        /// The domain.
        domain: String,
        /// Its UUID.
        uuid: Uuid,
        /// The name of the port's socket.
        name: String,
    },
    /// It is not known which sockets these domains have.
    #[error(
        "no domain names this socket, and the XML of running domains that may name it cannot be read: {}; the log says what is wrong",
        quoted(.0)
    )]
    Unread(Vec<String>),
    /// A channel has no name, so that the guest cannot find it.
    #[error(
        "the hostinfo channel of the domain {domain:?} has no name, so the guest cannot find it: correct it with hostinfoctl enable --repair {}, then shut it down and start it",
        operand(domain)
    )]
    NoName {
        /// The domain.
        domain: String,
    },
    /// The daemon cannot connect to a port although its path is right.
    #[error(
        "the hostinfo port of the domain {domain:?} is not of type 'unix' with mode 'bind': correct it with hostinfoctl enable --repair {}, then shut it down and start it",
        operand(domain)
    )]
    NoSocket {
        /// The domain.
        domain: String,
    },
}

impl Conflict {
    /// What is wrong with a domain whose ports have these sockets, if `expected` is right.
    pub(crate) fn of(domain: &str, expected: &str, sockets: &[&str]) -> Option<Self> {
        let domain = domain.to_owned();
        match sockets {
            [] => None,
            [socket] if *socket == expected => None,
            [_] => Some(Self::Misnamed { domain, expected: expected.to_owned() }),
            several => {
                let names = several.iter().map(|&name| name.to_owned()).collect();
                Some(Self::Several { domain, names })
            }
        }
    }
}

/// Names in a sentence. Domains may have any: what controls a terminal or ends a line is escaped, here and above.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domains_name_neither_ends_a_line_nor_controls_a_terminal() {
        let name = "a\nERROR forged\u{9b}\u{202e}\u{1b}]0;".to_owned();
        let names = vec![name.clone()];
        for conflict in [
            Conflict::Shared(names.clone()),
            Conflict::Unread(names.clone()),
            Conflict::Several { domain: name.clone(), names },
            Conflict::Misnamed { domain: name.clone(), expected: name.clone() },
            Conflict::Device { domain: name.clone(), uuid: Uuid::nil(), name },
        ] {
            let told = conflict.to_string();
            assert!(told.chars().all(hostinfo_wire::text::is_printable), "{told:?}");
        }
    }

    #[test]
    fn a_domains_name_in_a_remedy_is_one_word_for_a_shell() {
        let (domain, expected) = ("web$(id)".to_owned(), String::new());
        for conflict in [
            Conflict::Several { domain: domain.clone(), names: Vec::new() },
            Conflict::Misnamed { domain: domain.clone(), expected },
            Conflict::NoName { domain: domain.clone() },
            Conflict::NoSocket { domain },
        ] {
            let told = conflict.to_string();
            assert!(told.contains("enable --repair 'web$(id)', then"), "{told}");
        }
        let told = Conflict::NoName { domain: "--all".to_owned() }.to_string();
        assert!(told.contains("enable --repair -- --all, then"), "{told}");
    }
}
