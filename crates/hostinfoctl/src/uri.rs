//! Which host's libvirt a URI names: <https://libvirt.org/uri.html>.

/// Whether the URI names a libvirt on another host, such as `qemu+ssh://HOST/system`.
pub(crate) fn is_remote(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'))
}

/// Whether its guests run as the user whose session it is: `qemu:///session`.
pub(crate) fn is_session(uri: &str) -> bool {
    let path = uri.split_once("://").map_or("", |(_, rest)| rest);
    path.split(['?', '#']).next().is_some_and(|path| path.ends_with("/session"))
}

/// The socket that it names: `qemu+unix:///session?socket=/run/user/1000/libvirt/virtqemud-sock`.
pub(crate) fn socket(uri: &str) -> Option<&str> {
    let (_, query) = uri.split_once('?')?;
    query.split('&').find_map(|parameter| parameter.strip_prefix("socket="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_path_whatever_comes_behind_it() {
        let other = "qemu+unix:///session?socket=/run/user/7/libvirt/libvirt-sock";
        for uri in ["qemu:///session", other, "qemu+ssh://host/session"] {
            assert!(is_session(uri), "{uri}");
        }
        for uri in ["qemu:///system", "qemu+unix:///system?socket=/session", "session", ""] {
            assert!(!is_session(uri), "{uri}");
        }
        assert_eq!(socket(other), Some("/run/user/7/libvirt/libvirt-sock"));
        assert_eq!(socket("qemu+unix:///session?mode=legacy"), None);
    }

    #[test]
    fn a_uri_with_a_host_is_that_of_another_host() {
        for uri in ["qemu+ssh://root@host/system", "qemu://host/system", "qemu+tls://h"] {
            assert!(is_remote(uri), "{uri}");
        }
        for uri in ["qemu:///system", "test:///default", "qemu+unix:///system?socket=/x", "xen"] {
            assert!(!is_remote(uri), "{uri}");
        }
    }
}
