//! Which host's libvirt a URI names: <https://libvirt.org/uri.html>.

/// Whether the URI names a libvirt on another host, such as `qemu+ssh://HOST/system`.
pub(crate) fn is_remote(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
