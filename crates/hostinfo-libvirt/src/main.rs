//! Asks libvirt on behalf of hostinfod, in a process of its own: libvirt may hang, crash, or be
//! upgraded while the daemon goes on. It does the same for hostinfoctl, which sends one order after
//! the other (`orders`); the rest of this text is about the daemon.
//!
//! Its input and output are the daemon's socket; the messages are defined in `hostinfo-domains`. It
//! first reports every domain, then changes as they happen, and the figures of live domains only on
//! request. It ends when the daemon does, and when libvirt cannot be reached: the daemon then
//! starts it again. So there is only one way to begin, whatever has happened.
//!
//! It has eight threads: `requests` reads what the daemon asks, `events` receives what libvirt reports, and both put
//! what they receive into the `inbox`. The main thread takes it out, and calls libvirt. What QEMU has to answer is
//! called for in the five threads of the `fetcher`.
//!
//! The only privilege it needs is to connect to libvirt's read-only socket (`/run/libvirt/`
//! `libvirt-sock-ro` or `virtqemud-sock-ro`). Every user may do that, unless libvirtd.conf says
//! otherwise: `unix_sock_ro_perms`, `auth_unix_ro`, and polkit's `org.libvirt.unix.monitor`.

mod args;
#[cfg(debug_assertions)]
mod attempts;
mod batch;
mod caller;
mod confinement;
mod events;
mod fetcher;
mod figures;
mod inbox;
mod known;
mod orders;
mod output;
mod raw;
mod requests;
mod rewrite;
mod survey;
mod threads;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use clap::Parser as _;
use hostinfo_domains::limits::WORDS_MAX;
use hostinfo_domains::{Ask, Directory, Hypervisor, Message, VERSION, cut};
use virt::connect::Connect;
use virt::error::Error;

use crate::args::Args;
use crate::fetcher::Fetcher;
use crate::inbox::INBOX;
use crate::output::{exit_now, send};
use crate::survey::{Lost, Survey};
use crate::threads::Threads;

/// The shortest time between two reports that nobody asked for. A QEMU can say without end that it pauses and resumes, and
/// the daemon looks at all guests after each report.
const EVENTS_EVERY: Duration = Duration::from_millis(100);

fn main() {
    let args = Args::parse();
    if let Some(access) = args.orders {
        return orders::serve(&args.connect, access);
    }
    // A layer holds for this thread and those that it starts, so this comes before libvirt's library starts any.
    if args.confine
        && let Err(error) = confinement::enter_layer()
    {
        eprintln!("hostinfo-libvirt is confined no further than hostinfod by Landlock: {error}");
    }
    if args.filter
        && let Err(error) = confinement::filter_calls()
    {
        eprintln!("hostinfo-libvirt is confined no further than hostinfod by seccomp: {error}");
    }
    send(&Message::Hello { version: VERSION });
    let Err(Lost(why)) = serve(&args);
    send(&Message::Down(cut(&why, WORDS_MAX).to_owned()));
    exit_now();
}

/// Serves until libvirt cannot be reached.
fn serve(args: &Args) -> Result<Infallible, Lost> {
    // Otherwise the library writes every error to stderr, even expected ones.
    virt::error::clear_error_callback();
    let threads = Threads { is_filtered: args.filter };
    requests::read_in_thread(&threads)?;
    events::receive_in_thread(&threads)?;
    let fetcher = Fetcher::start(&args.connect, &threads)?;
    threads.start_no_more();
    #[cfg(debug_assertions)]
    attempts::make();
    let connect = Connect::open_read_only(Some(&args.connect))?;
    events::register(&connect);
    let hypervisor = connect.clone();
    let directory = Directory::of_host(&args.socket_dir);
    let sought = args.tags.clone().unwrap_or_default();
    let mut survey = Survey::new(connect, fetcher, directory, args.vhostmd_channels, sought);
    survey.look()?;
    send(&Message::Done(0));
    // Only now, since libvirt may have to start the hypervisor to find out.
    if let Ok(found) = ask_hypervisor(&hypervisor) {
        send(&Message::Hypervisor(found));
        send(&Message::Done(0));
    }
    let mut events_from = Instant::now();
    loop {
        let todo = INBOX.take(events_from);
        if todo.is_lost {
            return Err(Lost("the connection to libvirt was closed".to_owned()));
        }
        if todo.ask.is_none() {
            events_from = Instant::now() + EVENTS_EVERY;
        }
        survey.look_at(&todo.changed)?;
        let number = match todo.ask {
            None => 0,
            Some(Ask::Look { number }) => {
                survey.look()?;
                number
            }
            Some(Ask::Figures { number, of }) => {
                survey.look()?;
                survey.figures(&of);
                number
            }
            Some(Ask::Tags { number, sought }) => {
                survey.set_tag_sources(sought)?;
                number
            }
        };
        if survey.has_reported() || number != 0 {
            send(&Message::Done(number));
        }
    }
}

/// libvirt encodes versions as one number: 7002022 is 7.2.22.
fn ask_hypervisor(connect: &Connect) -> Result<Hypervisor, Error> {
    let number = connect.get_hyp_version()?;
    let (major, minor, release) = (number / 1_000_000, number / 1000 % 1000, number % 1000);
    Ok(Hypervisor { name: connect.get_type()?, version: format!("{major}.{minor}.{release}") })
}
