//! Guests as the host sees them: sockets that listen, as QEMU's do, and ask once somebody has
//! connected.
//!
//! One thread plays them all. It makes two system calls a query, one less than any server, which must
//! also find out who asks. So the server is what limits the speed, and not this thread.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hostinfo_wire::limits::REPLY_MAX;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

/// A server that takes longer than this to connect or to answer is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Guests that are connected to one server.
pub(crate) struct Guests {
    connections: Vec<UnixStream>,
    /// Room for one answer.
    answer: Vec<u8>,
}

/// Guests whose sockets are there, and nobody has connected yet: so many at each socket.
pub(crate) struct Listening {
    sockets: Vec<UnixListener>,
    at_each: u16,
}

impl Listening {
    /// Makes the sockets of `count` guests in `sockets`.
    pub(crate) fn new(sockets: &Path, count: u16) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for number in 0..count {
            let listener = UnixListener::bind(sockets.join(format!("qemu-guest{number}")))?;
            listeners.push(listener);
        }
        Ok(Self::of(listeners))
    }

    /// Sockets that somebody else has made: each is listening already.
    pub(crate) fn of(sockets: Vec<UnixListener>) -> Self {
        Self { sockets, at_each: 1 }
    }

    /// Makes one socket for `count` guests of a server that accepts this: it is one open file instead of one for each guest.
    pub(crate) fn at_one(socket: &Path, count: u16) -> anyhow::Result<Self> {
        Ok(Self { sockets: vec![UnixListener::bind(socket)?], at_each: count })
    }

    /// Waits until a server has connected to every one of them. Each is accepted as soon as the server has connected to it:
    /// accepting them afterwards would count for the server's time.
    pub(crate) fn accept(self) -> anyhow::Result<Guests> {
        let (at_each, poll) =
            (usize::from(self.at_each), epoll::create(epoll::CreateFlags::CLOEXEC)?);
        for (number, listener) in (0..).zip(&self.sockets) {
            epoll::add(&poll, listener, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
        }
        let mut waiting = self.sockets.len();
        let mut sockets: Vec<(Option<UnixListener>, Vec<UnixStream>)> =
            self.sockets.into_iter().map(|socket| (Some(socket), Vec::new())).collect();
        let mut events = Vec::with_capacity(1024);
        while waiting > 0 {
            epoll::wait(&poll, spare_capacity(&mut events), Some(&PATIENCE.try_into()?))?;
            if events.is_empty() {
                bail!("nobody connects to {waiting} sockets");
            }
            for event in events.drain(..) {
                let number = usize::try_from(event.data.u64())?;
                let (socket, guests) = sockets.get_mut(number).context("an event of no socket")?;
                let Some(listener) = socket else { continue };
                let (connection, _) = listener.accept()?;
                connection.set_read_timeout(Some(PATIENCE))?;
                guests.push(connection);
                // Each socket is closed when it has its guests.
                if guests.len() == at_each {
                    *socket = None;
                    waiting -= 1;
                }
            }
        }
        let connections = sockets.into_iter().flat_map(|(_, guests)| guests).collect();
        Ok(Guests { connections, answer: vec![0; REPLY_MAX] })
    }
}

impl Guests {
    /// The same guests in an order that no server knows, as on a real host. What a server and the kernel know of guests in
    /// the order in which they were connected is one piece of memory after another, which the CPU fetches ahead. The echo
    /// server connects in the order of the guests, and the daemon in that of their names.
    pub(crate) fn shuffled(mut self) -> Self {
        let hasher = BuildHasherDefault::<DefaultHasher>::new();
        let mut numbers = 0..;
        self.connections.sort_by_cached_key(|_| hasher.hash_one(numbers.next()));
        self
    }

    /// One guest asks, and asks again when it has its answer. How long each answer took,
    /// shortest first.
    pub(crate) fn one_asks(
        &mut self,
        request: &[u8],
        time: Duration,
    ) -> anyhow::Result<Vec<Duration>> {
        let guest = self.connections.first_mut().context("no guest")?;
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed() < time {
            let asked = Instant::now();
            guest.write_all(request)?;
            read_answer(guest, &mut self.answer)?;
            times.push(asked.elapsed());
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Every guest asks at once, and again as soon as it has its answer. How many answers came,
    /// at least one for each guest.
    pub(crate) fn all_ask(&mut self, request: &[u8], time: Duration) -> anyhow::Result<u32> {
        self.all_ask_theirs(&[request], time)
    }

    /// The same, where the guests ask these `requests` by turns, each always the same one.
    pub(crate) fn all_ask_theirs(
        &mut self,
        requests: &[&[u8]],
        time: Duration,
    ) -> anyhow::Result<u32> {
        let start = Instant::now();
        let mut answers = 0;
        for (guest, request) in self.connections.iter_mut().zip(requests.iter().cycle()) {
            guest.write_all(request)?;
        }
        loop {
            let again = start.elapsed() < time;
            for (guest, request) in self.connections.iter_mut().zip(requests.iter().cycle()) {
                read_answer(guest, &mut self.answer)?;
                answers += 1;
                if again {
                    guest.write_all(request)?;
                }
            }
            if !again {
                return Ok(answers);
            }
        }
    }

    /// Every guest asks at once, and again as soon as it has its answer, whoever that is: a guest that
    /// is answered more often asks more often. How many answers each had within `time`.
    pub(crate) fn all_ask_freely(
        &mut self,
        request: &[u8],
        time: Duration,
    ) -> anyhow::Result<Vec<u32>> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, guest) in (0..).zip(&self.connections) {
            epoll::add(&poll, guest, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
        }
        let (mut answers, mut events) = (vec![0; self.connections.len()], Vec::with_capacity(1024));
        for guest in &mut self.connections {
            guest.write_all(request)?;
        }
        let (start, mut asking) = (Instant::now(), self.connections.len());
        while asking > 0 {
            let again = start.elapsed() < time;
            epoll::wait(&poll, spare_capacity(&mut events), Some(&PATIENCE.try_into()?))?;
            if events.is_empty() {
                bail!("{asking} guests get no answer");
            }
            for event in events.drain(..) {
                let number = usize::try_from(event.data.u64())?;
                let guest = self.connections.get_mut(number).context("an event of no guest")?;
                read_answer(guest, &mut self.answer)?;
                if again {
                    *answers.get_mut(number).context("an event of no guest")? += 1;
                    guest.write_all(request)?;
                } else {
                    asking -= 1;
                }
            }
        }
        Ok(answers)
    }

    /// The connections themselves.
    pub(crate) fn into_connections(self) -> Vec<UnixStream> {
        self.connections
    }

    /// The first `count` guests ask at once.
    pub(crate) fn each_asks(&mut self, count: u16, request: &[u8]) -> anyhow::Result<()> {
        let asking = usize::from(count);
        for guest in self.connections.iter_mut().take(asking) {
            guest.write_all(request)?;
        }
        for guest in self.connections.iter_mut().take(asking) {
            read_answer(guest, &mut self.answer)?;
        }
        Ok(())
    }

    /// Two guests, to ask each by itself. `None` where there are not two.
    pub(crate) fn into_two(self) -> Option<[Self; 2]> {
        let [one, other] = <[UnixStream; 2]>::try_from(self.connections).ok()?;
        let of = |connection| Self { connections: vec![connection], answer: vec![0; REPLY_MAX] };
        Some([of(one), of(other)])
    }

    /// One guest asks once: the answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> anyhow::Result<String> {
        let guest = self.connections.first_mut().context("no guest")?;
        guest.write_all(request)?;
        let answer = read_answer(guest, &mut self.answer)?;
        Ok(String::from_utf8_lossy(answer).into_owned())
    }
}

fn read_answer<'a>(guest: &mut UnixStream, room: &'a mut [u8]) -> anyhow::Result<&'a [u8]> {
    let mut length = 0;
    loop {
        let more = guest.read(room.get_mut(length..).unwrap_or_default())?;
        if more == 0 {
            bail!("the server hung up, or its answer does not end");
        }
        length += more;
        let answer = room.get(..length).unwrap_or_default();
        if ![&b"200"[..], DOCUMENT].iter().any(|start| answer.starts_with(start)) {
            bail!("not an answer: {}", String::from_utf8_lossy(answer));
        }
        if is_complete(answer) {
            return Ok(room.get(..length).unwrap_or_default());
        }
    }
}

/// How vhostmd's document begins, which an empty line ends.
const DOCUMENT: &[u8] = b"<metrics>";

/// Whether the last line is there and says that it is the last: `200 ` and not `200-`.
fn is_complete(answer: &[u8]) -> bool {
    if answer.starts_with(DOCUMENT) {
        return answer.ends_with(b"\n\n");
    }
    answer
        .strip_suffix(b"\n")
        .and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next())
        .is_some_and(|last| last.get(3) == Some(&b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_with_the_line_end_of_its_last_line() {
        assert!(is_complete(b"200 physcpus=64\n"));
        assert!(is_complete(b"200-loadavg.1=1\n200 loadavg.5=1\n"));
        assert!(is_complete(b"<metrics>\n</metrics>\n\n") && !is_complete(b"<metrics>\n\n<"));
        for part in [&b""[..], b"200", b"200 physcpus=64", b"200-a=1\n", b"200-a=1\n200 b=1"] {
            assert!(!is_complete(part), "{part:?}");
        }
    }
}
