//! Says who disturbs the port. Another program at the port is named before the host's administrator
//! is blamed, and only programs that were seen are blamed.

use std::path::Path;

use crate::others::Others;

/// A port that is not free.
pub(crate) fn in_use(others: &Others) -> String {
    match others.named() {
        named if !named.is_empty() => {
            format!("in use by {named}. Stop that, then ask again")
        }
        _ if others.is_partial => {
            "another program keeps using it; as root, hostinfo says which".to_owned()
        }
        _ => "another program keeps using it".to_owned(),
    }
}

/// A port on which no answer arrives intact. `is_console`: the kernel writes to it.
pub(crate) fn disturbed(others: &Others, is_console: bool) -> String {
    match others.named() {
        named if !named.is_empty() => {
            format!("{named} also uses this port. Stop that, then ask again")
        }
        _ if is_console => {
            "the kernel writes its messages to this port (see console= in /proc/cmdline)".to_owned()
        }
        _ if others.is_partial => {
            "another program also uses this port; as root, hostinfo says which".to_owned()
        }
        _ => "another program also uses this port, too briefly to be seen".to_owned(),
    }
}

/// A port on which nothing arrives: who may have taken the answer away. `None` if nobody was seen
/// who could have.
pub(crate) fn silent(path: &Path, others: &Others) -> Option<String> {
    others.read().then(|| {
        format!(
            "{} reads from {} and may have taken the answer. Stop that, then ask again.",
            others.named(),
            path.display()
        )
    })
}

/// Whether the kernel writes its messages to the tty at `path`, to which /dev/console leads.
pub(crate) fn is_console(path: &Path) -> bool {
    let active = std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    is_active(path, &active)
}

/// `active` is /sys/class/tty/console/active, such as `tty0 ttyS1`; the last one is /dev/console.
fn is_active(path: &Path, active: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some() && active.split_whitespace().last() == name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::others::Holder;

    fn seen(name: &str, reads: bool) -> Others {
        Others {
            holders: vec![Holder { pid: 412, name: name.to_owned(), reads }],
            is_partial: true,
        }
    }

    fn port() -> &'static Path {
        Path::new("/dev/ttyS1")
    }

    const NOBODY: Others = Others { holders: Vec::new(), is_partial: false };
    const HIDDEN: Others = Others { holders: Vec::new(), is_partial: true };

    #[test]
    fn who_was_seen_is_named_with_what_to_do() {
        let agetty = seen("agetty", true);
        assert_eq!(in_use(&agetty), "in use by agetty (PID 412). Stop that, then ask again");
        assert!(disturbed(&agetty, true).starts_with("agetty (PID 412) also uses this port."));
        assert!(
            silent(port(), &agetty).unwrap().starts_with("agetty (PID 412) reads from /dev/ttyS1 ")
        );
    }

    #[test]
    fn who_was_not_seen_is_not_named() {
        assert!(in_use(&HIDDEN).ends_with("as root, hostinfo says which"));
        assert!(!in_use(&NOBODY).contains("root"));
        assert!(disturbed(&HIDDEN, false).contains("as root"));
        assert!(disturbed(&NOBODY, false).contains("too briefly to be seen"));
        assert!(disturbed(&NOBODY, true).contains("the kernel writes"));
        assert_eq!(silent(port(), &HIDDEN), None);
        assert_eq!(silent(port(), &seen("logger", false)), None, "it took nothing");
    }

    #[test]
    fn the_console_is_the_tty_that_the_kernel_names_last() {
        let is_active = |active| is_active(port(), active);
        assert!(is_active("tty0 ttyS1\n"));
        assert!(!is_active("ttyS1 tty0\n") && !is_active(""));
    }
}
