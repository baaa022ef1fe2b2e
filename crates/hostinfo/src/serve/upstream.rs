//! Asks the host in a thread of its own, since it may take seconds to answer and nobody else should
//! wait.

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use crate::args::Options;
use crate::exit::Failure;
use crate::host::Host;
use crate::question::Question;
use crate::reply::Line;
use crate::serve::clock;

/// The stack of the thread: replies are on the heap, and there is no recursion.
const STACK: usize = 256 * 1024;

/// A request to the thread: ask for everything.
struct Ask {
    /// Also ask what may be asked for.
    with_list: bool,
    /// The connection has ended: do not use it again.
    is_lost: bool,
}

/// The result.
pub(crate) struct Answered {
    /// When the host was asked.
    pub(crate) asked: Duration,
    pub(crate) result: Result<HostReply, Failure>,
    /// A copy of the connection's descriptor, if it stands. It has to be closed before the host is asked again: a port
    /// that is open cannot be opened.
    pub(crate) connection: Option<OwnedFd>,
}

/// The host's answer.
pub(crate) struct HostReply {
    pub(crate) values: Vec<Line>,
    /// If it was asked for.
    pub(crate) list: Option<Vec<Line>>,
    /// The way to the host.
    pub(crate) way: String,
}

/// The thread. It ends with the program.
pub(crate) struct Upstream {
    asks: Sender<Ask>,
    answers: Receiver<Answered>,
    /// Readable if there is an answer.
    pub(crate) ready: PipeReader,
}

impl Upstream {
    /// Starts the thread, which asks the host given by `options`.
    ///
    /// # Errors
    /// The system cannot create it.
    pub(crate) fn start(options: &Options) -> std::io::Result<Self> {
        let (asks, asked) = channel();
        let (answered, answers) = channel();
        let (ready, signal) = std::io::pipe()?;
        let options = options.clone();
        thread::Builder::new()
            .name("host".to_owned())
            .stack_size(STACK)
            .spawn(move || run(&options, &asked, &answered, signal))?;
        Ok(Self { asks, answers, ready })
    }

    /// Starts a query of the host, on a new connection if the last one `is_lost`. Only one may be pending.
    pub(crate) fn ask(&self, with_list: bool, is_lost: bool) {
        // The thread lives as long as this value.
        let _ = self.asks.send(Ask { with_list, is_lost });
    }

    /// The answer, if there is one.
    pub(crate) fn take(&mut self) -> Option<Answered> {
        match self.answers.try_recv() {
            Ok(answered) => {
                // There is one byte for each answer, available already.
                let _ = self.ready.read(&mut [0]);
                Some(answered)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

fn run(
    options: &Options,
    asks: &Receiver<Ask>,
    answers: &Sender<Answered>,
    mut signal: PipeWriter,
) {
    let mut host = Host::held(options);
    for Ask { with_list, is_lost } in asks {
        if is_lost {
            host.let_go();
        }
        let answered = ask(&mut host, with_list);
        if answers.send(answered).is_err() || signal.write_all(&[0]).is_err() {
            return;
        }
    }
}

/// Asks, and asks once more on a new connection if the old one had become useless, for instance
/// because the guest was restored or has moved.
fn ask(host: &mut Host<'_>, with_list: bool) -> Answered {
    let is_old = host.is_connected();
    let mut answered = ask_once(host, with_list);
    if is_old && answered.result.as_ref().is_err_and(|failure| failure.too_soon().is_none()) {
        answered = ask_once(host, with_list);
    }
    answered
}

fn ask_once(host: &mut Host<'_>, with_list: bool) -> Answered {
    let asked = clock::now();
    let result = ask_host(host, with_list);
    if result.as_ref().is_err_and(|failure| failure.too_soon().is_none()) {
        host.let_go();
    }
    Answered { asked, result, connection: host.descriptor() }
}

fn ask_host(host: &mut Host<'_>, with_list: bool) -> Result<HostReply, Failure> {
    // `*` leaves out what is not available. That there are no verdicts comes with the reason only if they are
    // asked for by name.
    let values = host.ask(&Question::get(&["*", "verdict"]))?;
    let list = with_list.then(|| host.ask(&Question::list_all())).transpose()?;
    Ok(HostReply { values, list, way: host.way()?.to_string() })
}
