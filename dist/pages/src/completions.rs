//! What shells complete, for each program.

use std::path::PathBuf;

use clap_complete::{Shell, generate};

use crate::programs::programs;

/// Files named as their shells want them.
pub(crate) fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for mut program in programs() {
        let name = program.command.get_name().to_owned();
        for (shell, path) in [
            (Shell::Bash, format!("bash/{name}")),
            (Shell::Zsh, format!("zsh/_{name}")),
            (Shell::Fish, format!("fish/{name}.fish")),
        ] {
            let mut content = Vec::new();
            generate(shell, &mut program.command, &name, &mut content);
            files.push((PathBuf::from("completions").join(path), content));
        }
    }
    files
}
