//! The least that a server of guests' sockets can do: epoll, one read, one write.
//!
//! It knows no line longer than what one read brings, no limit and no error to live with. It is
//! the measure of what sockets and the kernel cost on this machine, and no more.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::Context as _;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

/// Connects `count` times to the guests' `socket` and answers each line with `answer`, until a guest
/// hangs up.
pub(crate) fn run(socket: &Path, count: u16, answer: &[u8]) -> anyhow::Result<()> {
    let mut guests = Vec::new();
    for _ in 0..count {
        guests.push(UnixStream::connect(socket)?);
    }
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (number, guest) in (0..).zip(&guests) {
        epoll::add(&poll, guest, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
    }
    let mut events = Vec::with_capacity(1024);
    let mut line = [0; 4096];
    loop {
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let number = usize::try_from(event.data.u64())?;
            let guest = guests.get_mut(number).context("an event of no guest")?;
            let length = guest.read(&mut line)?;
            if length == 0 {
                return Ok(());
            }
            if line.iter().take(length).any(|byte| *byte == b'\n') {
                guest.write_all(answer)?;
            }
        }
    }
}
