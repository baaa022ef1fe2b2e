//! hostinfoctl with a real daemon, and without one.

mod guests;
mod rules;
mod state;
mod terminal;

const RULES: &str = "qemu-web:\n  interval = 0\n  physcpus = 0\n\n*:\n  interval = 30\n";
