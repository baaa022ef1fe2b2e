//! What is to be done with metrics disks, in which order, and which of them are held.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use hostinfo_answer::Name;

use super::file::Open;
use crate::system::file_error::FileError;

/// A write that takes this long is held up by a process that reads the disk.
pub(super) const HELD_AFTER: Duration = Duration::from_secs(5);

/// What is to be done with a disk.
pub(super) enum Task {
    /// It is to exist.
    Make,
    /// It is to show nothing any more.
    Clear,
    /// It is to show this document.
    Write(String),
}

/// Why a disk could not be written.
pub(crate) struct Failure {
    /// The guest's whole name.
    pub(crate) guest: Box<str>,
    /// The error, with the file.
    pub(crate) error: FileError,
    /// Whether the disk may show what it is not to show any more.
    pub(crate) shows_too_much: bool,
}

/// A disk that a process keeps from being written.
pub(crate) struct Held {
    /// The guest's whole name.
    pub(crate) guest: Box<str>,
    /// Whether the disk may show what it is not to show any more.
    pub(crate) shows_too_much: bool,
}

/// Disks, what is to be done with them, and what is being done.
#[derive(Default)]
pub(super) struct Work {
    /// Threads that write disks.
    pub(super) threads: usize,
    /// Disks that are kept up to date or have something to be done. Each has its guest's whole name.
    pub(super) slots: HashMap<Box<str>, Slot>,
    /// Those of them that have something to be done and are not being written.
    pub(super) waiting: VecDeque<Box<str>>,
    /// When to look which of them are held.
    look_at: Option<Instant>,
    pub(super) failures: Vec<Failure>,
}

/// What is to be done with a disk, and what is being done.
#[derive(Default)]
pub(super) struct Slot {
    /// Its file, unless it is being written.
    open: Option<Open>,
    /// What is being done with it.
    pub(super) writing: Option<Writing>,
    /// What is to be done next: the last that was asked for, so at most one document waits for each disk.
    next: Option<Task>,
}

pub(super) struct Writing {
    since: Instant,
    is_cleared: bool,
    /// Whether it was reported as held.
    is_reported: bool,
}

impl Work {
    /// Has a disk made, cleared or written, in place of what was to be done with it.
    pub(super) fn ask(&mut self, name: &Name, task: Task) {
        let slot = self.slots.entry(name.whole().into()).or_default();
        let is_cleared = matches!(task, Task::Clear);
        let before = slot.next.replace(task);
        match &mut slot.writing {
            // From now on, it shows too much.
            Some(writing) if is_cleared && !matches!(before, Some(Task::Clear)) => {
                writing.is_reported = false;
            }
            None if before.is_none() => self.waiting.push_back(name.whole().into()),
            _ => {}
        }
    }

    /// What a thread does next. If there is nothing, it must end.
    pub(super) fn take(&mut self) -> Option<(Box<str>, Option<Open>, Task)> {
        while let Some(name) = self.waiting.pop_front() {
            if let Some(slot) = self.slots.get_mut(&name)
                && let Some(task) = slot.next.take()
            {
                let is_cleared = matches!(task, Task::Clear);
                slot.writing =
                    Some(Writing { since: Instant::now(), is_cleared, is_reported: false });
                return Some((name, slot.open.take(), task));
            }
        }
        self.threads -= 1;
        None
    }

    /// A disk is not being written any more; its file is still open if it is kept up to date.
    pub(super) fn put_back(&mut self, name: Box<str>, open: Option<Open>) {
        let Some(slot) = self.slots.get_mut(&name) else { return };
        let is_kept = open.is_some();
        (slot.open, slot.writing) = (open, None);
        match &slot.next {
            // What was just written is not to be shown any more, so no other disk comes first.
            Some(Task::Clear) => self.waiting.push_front(name),
            Some(_) => self.waiting.push_back(name),
            None if is_kept => {}
            None => drop(self.slots.remove(&name)),
        }
    }

    /// When [`Work::take_held`] is to be called next, while threads are at work.
    pub(super) fn look_at(&mut self) -> Option<Instant> {
        if self.threads == 0 {
            self.look_at = None;
            return None;
        }
        Some(*self.look_at.get_or_insert_with(|| Instant::now() + HELD_AFTER))
    }

    /// Disks whose writing has been held up for [`HELD_AFTER`] and was not reported yet.
    pub(super) fn take_held(&mut self, now: Instant) -> Vec<Held> {
        self.look_at = None;
        let slots = self.slots.iter_mut();
        let held = slots.filter_map(|(guest, slot)| {
            let writing = slot.writing.as_mut().filter(|writing| !writing.is_reported)?;
            writing.is_reported = now.saturating_duration_since(writing.since) >= HELD_AFTER;
            let shows_too_much = writing.is_cleared || matches!(slot.next, Some(Task::Clear));
            writing.is_reported.then(|| Held { guest: guest.clone(), shows_too_much })
        });
        held.collect()
    }
}
