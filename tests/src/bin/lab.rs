//! A lab to look around in: runs each input line in a shell of the host, as root, and prints the output. `cargo
//! run -p hostinfo-tests --bin lab -- selinux`, with one of the names below.

use std::io::{BufRead as _, IsTerminal as _, stdin};

use anstream::{eprint, eprintln, println};
use anyhow::{Context as _, Result};
use hostinfo_tests::lab::{self, BOOKWORM, SELINUX, Spec, TRIXIE, TRIXIE_AS_IT_COMES};

const HOSTS: [(&str, Spec); 4] = [
    ("bookworm", BOOKWORM),
    ("selinux", SELINUX),
    ("trixie", TRIXIE),
    ("trixie-as-it-comes", TRIXIE_AS_IT_COMES),
];

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "bookworm".to_owned());
    let host = HOSTS.iter().find(|(host, _)| *host == name);
    let (_, spec) =
        host.with_context(|| format!("{name} is none of {:?}", HOSTS.map(|it| it.0)))?;
    lab::run(*spec, |lab| {
        prompt();
        for line in stdin().lock().lines() {
            let output = lab.run(&line?)?;
            println!("{}", output.stdout.trim_end());
            if !output.stderr.is_empty() || output.status != 0 {
                eprintln!("{}\nexit status {}", output.stderr.trim_end(), output.status);
            }
            prompt();
        }
        Ok(())
    })
}

fn prompt() {
    if stdin().is_terminal() {
        eprint!("lab# ");
    }
}
