//! What differs between the systems that guests run: each has a module with the same items. Nothing else in this
//! program depends on the system.

#[cfg(unix)]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use linux as own;
#[cfg(windows)]
use windows as own;

pub(crate) use own::{
    // The terminal, for `top`.
    RawTty,
    // The port that a guest has if it has any.
    SERIAL,
    // Why the guest's own kernel is not looked at, if it is not.
    WHY_NO_OWN_VIEW,
    // Ways to the host, what has them open, and who else asks.
    copies,
    // Whether nobody else makes links in a directory.
    is_own,
    is_socket,
    // What to do before a signal ends this program.
    on_end_by_signal,
    open,
    // A file that one program at a time writes to.
    open_to_append,
    others_on,
    // The guest's own kernel.
    own_roots,
    page_size,
    // The broker.
    serve,
    usual_ways,
    ways_without_broker,
};
