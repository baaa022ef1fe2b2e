//! hostinfod answers the questions of its host's guests, as far as the administrator permits.

mod admin;
mod admin_values;
mod args;
mod audit;
mod confinement;
mod disks;
mod guest;
mod guests;
mod incidents;
mod libvirt;
mod logging;
mod metrics;
mod port;
mod reactor;
mod responder;
mod rules_file;
mod server;
mod settings;
mod sockets;
mod stream;
mod system;

fn main() -> std::process::ExitCode {
    server::start()
}
