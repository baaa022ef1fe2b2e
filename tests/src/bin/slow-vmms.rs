//! VMMs that were taken over: listens at the sockets that are named, and sends the daemon at each a descriptor that takes long
//! to close.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use anyhow::Result;
use hostinfo_peer::examples::Slow;
use rustix::net::SendFlags;

fn main() -> Result<()> {
    let listen = |path| {
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(path, Permissions::from_mode(0o777))?;
        anyhow::Ok(listener)
    };
    let listeners: Vec<UnixListener> =
        std::env::args_os().skip(1).map(listen).collect::<Result<_>>()?;
    let mut kept = Vec::new();
    for listener in &listeners {
        let (daemon, _) = listener.accept()?;
        let far_end = Slow::new()?.send(&daemon, SendFlags::empty())?;
        kept.push((daemon, far_end));
    }
    loop {
        std::thread::park();
    }
}
