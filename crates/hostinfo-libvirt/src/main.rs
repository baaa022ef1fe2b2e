//! Asks libvirt on behalf of hostinfod, in a process of its own: libvirt may hang, crash, or be
//! upgraded while the daemon goes on. It does the same for hostinfoctl, which sends one order after
//! the other (`orders`); the rest of this text is about the daemon.
//!
//! Its input and output are the daemon's socket; the messages are defined in `hostinfo-domains`. It
//! first reports every domain, then changes as they happen, and the figures of live domains only on
//! request. It ends when the daemon does, and when libvirt cannot be reached: the daemon then
//! starts it again. So there is only one way to begin, whatever has happened.
//!
//! It has three threads: `ears` listens to the daemon and `events` listens to libvirt, and both put
//! what they receive into the `inbox`. The main thread takes it out, and is the only one that calls
//! libvirt.
//!
//! The only privilege it needs is to connect to libvirt's read-only socket (`/run/libvirt/`
//! `libvirt-sock-ro` or `virtqemud-sock-ro`). Every user may do that, unless libvirtd.conf says
//! otherwise: `unix_sock_ro_perms`, `auth_unix_ro`, and polkit's `org.libvirt.unix.monitor`.

mod args;
mod batch;
mod ears;
mod events;
mod figures;
mod inbox;
mod known;
mod orders;
mod raw;
mod rewrite;
mod survey;
mod voice;

use std::convert::Infallible;

use clap::Parser as _;
use hostinfo_domains::limits::WORDS_MAX;
use hostinfo_domains::{Ask, Directory, Hypervisor, Message, VERSION, cut};
use virt::connect::Connect;
use virt::error::Error;

use crate::args::Args;
use crate::inbox::INBOX;
use crate::survey::{Lost, Survey, Tells};
use crate::voice::{leave, say};

fn main() {
    let args = Args::parse();
    if let Some(access) = args.orders {
        return orders::serve(&args.connect, access);
    }
    say(&Message::Hello { version: VERSION });
    ears::open();
    let Err(Lost(why)) = serve(&args);
    say(&Message::Down(cut(&why, WORDS_MAX).to_owned()));
    leave();
}

/// Serves until libvirt cannot be reached.
fn serve(args: &Args) -> Result<Infallible, Lost> {
    // Otherwise the library writes every error to stderr, even expected ones.
    virt::error::clear_error_callback();
    events::hear()?;
    let connect = Connect::open_read_only(Some(&args.connect))?;
    let tells_errors = events::register(&connect);
    let hypervisor = connect.clone();
    let directory = Directory::of_host(&args.socket_dir);
    let tells = Tells { channels: args.vhostmd_channels, errors: tells_errors };
    let sought = args.tags.clone().unwrap_or_default();
    let mut survey = Survey::new(connect, directory, tells, sought);
    survey.look()?;
    say(&Message::Done(0));
    // Only now, since libvirt may have to start the hypervisor to find out.
    if let Ok(found) = ask_hypervisor(&hypervisor) {
        say(&Message::Hypervisor(found));
        say(&Message::Done(0));
    }
    loop {
        let todo = INBOX.take();
        if todo.is_lost {
            return Err(Lost("the connection to libvirt was closed".to_owned()));
        }
        survey.look_at(&todo.changed)?;
        survey.count_errors(&todo.errors);
        let number = match todo.ask {
            None => 0,
            Some(Ask::Look { number }) => {
                survey.look()?;
                number
            }
            Some(Ask::Figures { number, of }) => {
                survey.look()?;
                survey.figures(&of)?;
                number
            }
            Some(Ask::Tags { number, sought }) => {
                survey.seek(sought)?;
                number
            }
        };
        if survey.has_told() || number != 0 {
            say(&Message::Done(number));
        }
    }
}

/// libvirt encodes versions as one number: 7002022 is 7.2.22.
fn ask_hypervisor(connect: &Connect) -> Result<Hypervisor, Error> {
    let number = connect.get_hyp_version()?;
    let (major, minor, release) = (number / 1_000_000, number / 1000 % 1000, number % 1000);
    Ok(Hypervisor { name: connect.get_type()?, version: format!("{major}.{minor}.{release}") })
}
