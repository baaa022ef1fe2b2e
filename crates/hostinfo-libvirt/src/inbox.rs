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

/// At most one entry for each domain, and one request, since the daemon waits for its answer.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// Domains that are not as they were, and whether one began to move its memory.
    pub(crate) changed: HashMap<Uuid, bool>,
    /// What the daemon asks.
    pub(crate) ask: Option<Ask>,
    /// The connection to libvirt is gone.
    pub(crate) is_lost: bool,
}

impl Inbox {
    /// A domain is not as it was.
    pub(crate) fn changed(&self, uuid: Uuid, moves: bool) {
        self.put(|todo| *todo.changed.entry(uuid).or_default() |= moves);
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
