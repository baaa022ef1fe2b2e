//! What shells complete, for each program.

mod hostinfo;
mod hostinfoctl;

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
            let with_names = match &*name {
                "hostinfo" => hostinfo::with_statistics,
                "hostinfoctl" => hostinfoctl::with_names,
                _ => |_, content: &str| content.to_owned(),
            };
            content = with_names(shell, &String::from_utf8_lossy(&content)).into_bytes();
            files.push((PathBuf::from("completions").join(path), content));
        }
    }
    files
}

#[cfg(test)]
fn file(name: &str) -> String {
    let path = PathBuf::from("completions").join(name);
    let (_, content) = files().into_iter().find(|(file, _)| *file == path).unwrap();
    String::from_utf8(content).unwrap()
}
