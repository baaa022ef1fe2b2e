//! Whether verdicts are right on a real host. Each cause is made on purpose, so the right answer is
//! known, and what the guest loses by it is measured by the guest itself: the work that it gets done in
//! a second, alone and under the cause.
//!
//! `UPDATE_DOCS=1 make test-long` writes what was seen into docs/verdicts.md.

mod bench;
mod cpu;
mod disk;
mod memory;
mod table;
