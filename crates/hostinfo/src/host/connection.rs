//! The connection to the host: the first way on which one answers.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use hostinfo_wire::reply::ASK_AGAIN;

use crate::blame;
use crate::broken::Broken;
use crate::exit::{Failure, Trouble};
use crate::link::Link;
use crate::port::{OpenError, Port};
use crate::remedy::remedy;
use crate::system::{open, others_on};
use crate::way::Way;

/// How long a way may be silent before the next one is tried.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The pause before a way is tried again on which the host hung up: as it says itself, [`ASK_AGAIN`].
const AGAIN: Duration = Duration::from_secs(1);

/// A way on which a host has answered.
pub(super) struct Connection {
    pub(super) way: Way,
    pub(super) link: Link<Box<dyn Port>>,
}

impl Connection {
    /// The failure that corresponds to the end of a conversation.
    pub(super) fn failed(&self, why: Broken) -> Failure {
        let way = self.way.clone();
        let Some(path) = way.device() else { return Failure::Port { way, why: why.into() } };
        let mut others = self.link.others().clone();
        others.add(others_on(path));
        let by = match why {
            Broken::Disturbed(_) => blame::disturbed(path, &others, blame::is_logged_to(path)),
            Broken::Silent(_) | Broken::Stalled if others.read() => {
                blame::disturbed(path, &others, false)
            }
            why => return Failure::Port { way, why: why.into() },
        };
        Failure::Disturbed { way, why, by }
    }
}

/// The first of the ways on which a host answers. Each is tried briefly, so that one without an
/// answer does not delay the next; the last existing one then gets what is left of the timeout,
/// because a serial line under emulation is slow, and a host may not know its guests yet.
pub(super) fn find(ways: Vec<Way>, timeout: Duration) -> Result<Connection, Failure> {
    let (mut tried, mut failure, mut last) = (Vec::new(), None, None);
    let look = FIRST_LOOK.min(timeout / 2);
    let mut left = timeout;
    for way in ways {
        match talk(&way, timeout, look) {
            Ok(link) => return Ok(Connection { way, link }),
            Err(why) if why.is_absence() => {
                if is_put_off(&why)
                    || matches!(why, Trouble::Talk(Broken::Silent(_) | Broken::Strange))
                {
                    last = Some((way.clone(), tried.len()));
                    left = left.saturating_sub(look);
                }
                tried.push((way, why));
            }
            Err(why) => {
                failure.get_or_insert(Failure::Port { way, why });
            }
        }
    }
    if let Some((way, number)) = last {
        // Short timeouts may be over, but a port that was dead is not until it has been opened twice.
        let left = left.max(look);
        let was_put_off = tried.get(number).is_some_and(|(_, why)| is_put_off(why));
        match keep_talking(&way, timeout, left, was_put_off) {
            Ok(link) => return Ok(Connection { way, link }),
            Err(why) if why.is_absence() => {
                if let Some((_, first)) = tried.get_mut(number) {
                    *first = match why {
                        Trouble::Talk(Broken::Silent(_)) => Broken::Silent(look + left).into(),
                        why => why,
                    };
                }
            }
            Err(why) => {
                failure.get_or_insert(Failure::Port { way, why });
            }
        }
    }
    // Only a way that the user named is tried alone.
    if let (None, [(way, Trouble::Open(OpenError::Missing))]) = (&failure, tried.as_slice()) {
        return Err(Failure::NoDevice(way.clone()));
    }
    let reads = |way: &Way| way.device().and_then(|path| blame::silent(path, &others_on(path)));
    let ways: Vec<&Way> = tried.iter().map(|(way, _)| way).collect();
    let taken = ways.iter().find_map(|way| reads(way));
    let existing = tried.iter().find(|(_, why)| matches!(why, Trouble::Talk(_)));
    let remedy = taken.unwrap_or_else(|| remedy(&ways, existing.map(|(way, _)| way)));
    let tried = tried.iter().map(|(way, why)| format!("{way}: {why}")).collect();
    Err(failure.unwrap_or(Failure::NoHost { tried, remedy }))
}

/// [`talk`] for that time, and again whenever the host puts this guest off.
fn keep_talking(
    way: &Way,
    timeout: Duration,
    time: Duration,
    was_put_off: bool,
) -> Result<Link<Box<dyn Port>>, Trouble> {
    let until = Instant::now() + time;
    let left = || until.saturating_duration_since(Instant::now());
    let mut pause = if was_put_off && left() > AGAIN { AGAIN } else { Duration::ZERO };
    loop {
        std::thread::sleep(pause);
        match talk(way, timeout, left()) {
            Err(why) if is_put_off(&why) && left() > AGAIN => pause = AGAIN,
            talked => return talked,
        }
    }
}

/// Whether a new connection may be answered in a moment.
fn is_put_off(why: &Trouble) -> bool {
    matches!(why, Trouble::Talk(Broken::HungUp | Broken::Refused(ASK_AGAIN)))
}

/// Opens a way and synchronizes with the host within `patience`. A serial port that is opened while
/// bytes are waiting in it can be dead until it is opened again, neither sending nor receiving
/// (seen once in 60 boots of a guest under QEMU 7.2). That is another reason to try briefly first.
fn talk(way: &Way, timeout: Duration, patience: Duration) -> Result<Link<Box<dyn Port>>, Trouble> {
    Ok(Link::establish(open(way, timeout)?, patience, token)?)
}

/// A word that nobody has sent before.
///
/// Guessing it gains nothing, so the seed of the hash maps is good enough: it does not wait for the
/// kernel to gather randomness, which takes a second and more while a guest boots.
fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    // Long, so that another program that reads from the port more likely takes part of the token
    // than only part of the answer.
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::time::Instant;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A listener that answers pings if it `answers`, after a delay of `late`.
    fn listen(path: &Path, answers: bool, late: Duration) -> Way {
        let listener = UnixListener::bind(path).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::sleep(late);
                let lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n');
                for line in lines.map_while(Result::ok).filter(|_| answers) {
                    if let Some(token) = line.strip_prefix(b"ping ") {
                        stream
                            .write_all(&[b"200 pong ", token, b"\n"].concat())
                            .unwrap_or_default();
                    }
                }
            }
        });
        Way::Unix(path.to_owned())
    }

    #[test]
    fn the_first_way_on_which_a_host_answers_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let gone = path("gone");
        drop(UnixListener::bind(&gone).unwrap());
        let ways = vec![
            Way::Device(path("none")),
            Way::Unix(gone),
            listen(&path("silent"), false, Duration::ZERO),
            listen(&path("one"), true, Duration::ZERO),
            listen(&path("two"), true, Duration::ZERO),
        ];
        let start = Instant::now();
        let found = find(ways, TIMEOUT).unwrap();
        assert_eq!(found.way, Way::Unix(path("one")));
        assert!(start.elapsed() < TIMEOUT / 2, "the silent one is left after a moment");
    }

    #[test]
    fn the_last_that_is_there_is_given_the_rest_of_the_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let slow = listen(&folder.path().join("slow"), true, FIRST_LOOK + FIRST_LOOK / 2);
        let none = Way::Device(folder.path().join("none"));
        assert_eq!(find(vec![slow.clone(), none], TIMEOUT).unwrap().way, slow);
    }

    #[test]
    fn a_host_that_does_not_know_the_guest_yet_is_asked_again_and_one_that_forbids_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let refuse = |name: &str, line: &'static str| {
            let path = folder.path().join(name);
            let listener = UnixListener::bind(&path).unwrap();
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(line.as_bytes()).unwrap();
                drop((stream, listener));
            });
            path
        };
        let path = refuse("not-yet", "503 ask again in 1 s\n");
        let (way, at) = (Way::Unix(path.clone()), path.clone());
        let later = std::thread::spawn(move || {
            std::thread::sleep(AGAIN / 2);
            std::fs::remove_file(&at).unwrap();
            listen(&at, true, Duration::ZERO)
        });
        assert_eq!(find(vec![way.clone()], TIMEOUT).unwrap().way, way);
        later.join().unwrap();

        let start = Instant::now();
        let way = Way::Unix(refuse("never", "403 this guest may not ask\n"));
        let Err(failure) = find(vec![way], TIMEOUT) else { panic!("somebody answered") };
        assert!(
            failure.to_string().contains(": the host says: this guest may not ask\n"),
            "{failure}"
        );
        assert!(start.elapsed() < TIMEOUT / 2);
    }

    #[test]
    fn one_silent_way_takes_the_timeout_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let silent = listen(&folder.path().join("silent"), false, Duration::ZERO);
        let (start, timeout) = (Instant::now(), 3 * FIRST_LOOK);
        let Err(failure) = find(vec![silent], timeout) else { panic!("somebody answered") };
        let took = start.elapsed();
        assert!(failure.to_string().contains(": silent for 3 s"), "{failure}");
        assert!(took >= timeout && took < timeout + FIRST_LOOK * 9 / 10, "{took:?}");
    }

    #[test]
    fn a_socket_that_is_not_there_is_that_of_a_broker_to_be_started() {
        let missing = Way::Unix("/no/such/socket".into());
        let Err(failure) = find(vec![missing], TIMEOUT) else { panic!("somebody answered") };
        let told = failure.to_string();
        assert!(
            told.starts_with(
                "no host answers: unix:/no/such/socket: no such socket\nStart the broker (hostinfo serve --socket \
                 /no/such/socket), or "
            ),
            "{told}"
        );
    }

    #[test]
    fn if_nobody_answers_each_way_is_listed_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let silent = listen(&folder.path().join("silent"), false, Duration::ZERO);
        let ways = vec![Way::Device("/dev/no-such".into()), silent.clone()];
        let timeout = Duration::from_millis(200);
        let Err(failure) = find(ways, timeout) else { panic!("somebody answered") };
        let told = failure.to_string();
        let expected =
            format!("no host answers: /dev/no-such: no such device; {silent}: silent for 0.2 s\n");
        assert!(told.starts_with(&expected), "{told}");
    }
}
