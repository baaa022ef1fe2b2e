//! hostinfod: answers what its guests ask, as far as the administrator lets them.

mod alarms;
mod args;
mod arrivals;
mod audit;
mod channels;
mod connection;
mod control;
mod desk;
mod dialect;
mod directories;
mod disks;
mod engine;
mod file_error;
mod flow;
mod gather;
mod given;
mod guest;
mod history;
mod identity;
mod labels;
mod libvirt;
mod lock;
mod logging;
mod metrics;
mod notices;
mod peer;
mod poll;
mod port;
mod pty;
mod quota;
mod retry;
mod roster;
mod rules_file;
mod scrape;
mod select;
mod server;
mod settings;
mod signals;
mod socket_dir;
mod sockets;
mod sources;
mod standing;
mod start;
mod systemd;
mod tally;
mod trail;
mod turns;
mod vhostmd;
mod watch;

fn main() -> std::process::ExitCode {
    start::run()
}
