//! What is to be done. Events that come while something is done become one task for each domain.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hostinfo_domains::{Ask, Uuid};

/// Filled by the threads of events and requests, emptied by the one that calls libvirt.
pub(crate) static INBOX: Inbox = Inbox { todo: Mutex::new(None), filled: Condvar::new() };

pub(crate) struct Inbox {
    todo: Mutex<Option<Todo>>,
    filled: Condvar,
}

/// At most one entry for each domain and each disk, and one request, since the daemon waits for its answer.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// Domains that are not as they were, and what became of them.
    pub(crate) changed: HashMap<Uuid, Changes>,
    /// I/O errors of disks, by libvirt's own names for them.
    pub(crate) errors: HashMap<Uuid, HashMap<String, u64>>,
    /// What the daemon asks.
    pub(crate) ask: Option<Ask>,
    /// The connection to libvirt is gone.
    pub(crate) is_lost: bool,
}

/// What became of a domain, beside what can be seen by looking at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// It moves its memory.
    pub(crate) moves: bool,
    /// It was started from a snapshot, in a new run.
    pub(crate) started: bool,
    /// How often it was told to go on, or to be paused, from a snapshot.
    pub(crate) reverts: u32,
}

/// One thing that can become of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// What can be seen by looking at it.
    Seen,
    /// It moves its memory.
    Moves,
    /// It was started from a snapshot.
    Started,
    /// It goes on, or is paused, from a snapshot.
    Reverts,
}

impl Inbox {
    /// A domain is not as it was.
    pub(crate) fn changed(&self, uuid: Uuid, change: Change) {
        self.put(|todo| {
            let changes = todo.changed.entry(uuid).or_default();
            match change {
                Change::Seen => {}
                Change::Moves => changes.moves = true,
                Change::Started => changes.started = true,
                Change::Reverts => changes.reverts = changes.reverts.saturating_add(1),
            }
        });
    }

    /// There was an I/O error on a disk of a domain.
    pub(crate) fn failed(&self, uuid: Uuid, alias: String) {
        self.put(|todo| {
            let errors = todo.errors.entry(uuid).or_default().entry(alias).or_default();
            *errors = errors.saturating_add(1);
        });
    }

    /// The daemon asks.
    pub(crate) fn ask(&self, ask: Ask) {
        self.put(|todo| todo.ask = Some(ask));
    }

    /// The connection to libvirt is gone.
    pub(crate) fn lost(&self) {
        self.put(|todo| todo.is_lost = true);
    }

    /// Waits until there is something.
    pub(crate) fn take(&self) -> Todo {
        let mut todo = self.lock();
        loop {
            if let Some(todo) = todo.take() {
                return todo;
            }
            todo = self.filled.wait(todo).unwrap_or_else(PoisonError::into_inner);
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
