//! The tool over a Unix socket, such as the broker's.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use hostinfo_wire::{Frame, Framer};

use crate::{said, tool};

/// A host on a Unix socket, which serves one client after the other.
fn listen(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut framer = Framer::new();
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                let mut input = &chunk[..length];
                while let Some(Frame::Line(line)) = framer.next(&mut input) {
                    let answer = match std::str::from_utf8(line).unwrap().strip_prefix("ping") {
                        Some(token) => format!("200 pong{token}\n"),
                        None => "200 physcpus=7\n".to_owned(),
                    };
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        }
    });
}

#[test]
fn a_unix_socket_is_a_way_to_a_host_with_or_without_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    listen(&path);
    let path = path.display();
    for device in [format!("unix:{path}"), path.to_string()] {
        let output = tool("get physcpus --device").arg(&device).output().unwrap();
        assert_eq!(said(output), (0, "physcpus=7\n".to_owned(), String::new()), "{device}");
    }
    let output = tool("get physcpus").env("HOSTINFO_DEVICE", format!("unix:{path}")).output();
    assert_eq!(said(output.unwrap()).0, 0);
}

#[test]
fn a_socket_that_nobody_listens_at_is_status_5_and_a_malformed_address_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let (status, _, errors) = said(tool("ping --device").arg(&path).output().unwrap());
    assert_eq!(status, 5);
    assert!(errors.contains(&format!("unix:{}: nobody listens there", path.display())), "{errors}");
    let (status, _, errors) = said(tool("ping --device vsock:2").output().unwrap());
    assert_eq!(
        (status, errors.as_str()),
        (2, "hostinfo: vsock:2: write vsock:CID:PORT, such as vsock:2:4678\n")
    );
}
