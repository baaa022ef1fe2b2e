//! Pending work. Events that arrive in the meantime are merged into one task per domain.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hostinfo_domains::{Ask, Uuid};

/// Filled by the threads for events and requests, emptied by the thread that calls libvirt.
pub(crate) static INBOX: Inbox = Inbox { todo: Mutex::new(None), filled: Condvar::new() };

pub(crate) struct Inbox {
    todo: Mutex<Option<Todo>>,
    filled: Condvar,
}

/// At most one entry per domain, and one request, since the daemon waits for its answer.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// Domains that have changed, and how.
    pub(crate) changed: HashMap<Uuid, Changes>,
    /// The daemon's request.
    pub(crate) ask: Option<Ask>,
    /// Whether the connection to libvirt is lost.
    pub(crate) is_lost: bool,
}

/// Changes of a domain that cannot be seen by looking at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// It was paused for an I/O error.
    pub(crate) failed: bool,
    /// It was started from a snapshot, in a new run.
    pub(crate) started: bool,
    /// How often it resumed, or was paused, from a snapshot.
    pub(crate) reverts: u32,
}

/// One possible change of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A change that can be seen by looking at it.
    Seen,
    /// It was paused for an I/O error.
    Fails,
    /// It was started from a snapshot.
    Started,
    /// It resumed, or was paused, from a snapshot.
    Reverts,
}

impl Inbox {
    /// Notes that a domain has changed.
    pub(crate) fn changed(&self, uuid: Uuid, change: Change) {
        self.put(|todo| {
            let changes = todo.changed.entry(uuid).or_default();
            match change {
                Change::Seen => {}
                Change::Fails => changes.failed = true,
                Change::Started => changes.started = true,
                Change::Reverts => changes.reverts = changes.reverts.saturating_add(1),
            }
        });
    }

    /// Notes a request from the daemon.
    pub(crate) fn ask(&self, ask: Ask) {
        self.put(|todo| todo.ask = Some(ask));
    }

    /// Notes that the connection to libvirt is lost.
    pub(crate) fn lost(&self) {
        self.put(|todo| todo.is_lost = true);
    }

    /// Waits until there is something to do; until `events_from`, events alone are nothing.
    pub(crate) fn take(&self, events_from: Instant) -> Todo {
        let mut todo = self.lock();
        loop {
            let wait = events_from.saturating_duration_since(Instant::now());
            let is_due = |todo: &mut Todo| wait.is_zero() || todo.ask.is_some() || todo.is_lost;
            if let Some(todo) = todo.take_if(is_due) {
                return todo;
            }
            todo = match todo.is_some() {
                true => {
                    self.filled.wait_timeout(todo, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                false => self.filled.wait(todo).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn put(&self, add: impl FnOnce(&mut Todo)) {
        add(self.lock().get_or_insert_default());
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Todo>> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
