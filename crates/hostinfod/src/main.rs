//! hostinfod: answers what its guests ask, as far as the administrator lets them.

mod answer;
mod args;
mod audit;
mod bucket;
mod control;
mod disks;
mod given;
mod guest;
mod incidents;
mod libvirt;
mod logging;
mod metrics;
mod pending;
mod port;
mod rules_file;
mod scrape;
mod server;
mod settings;
mod sockets;
mod start;
mod system;

fn main() -> std::process::ExitCode {
    start::run()
}
