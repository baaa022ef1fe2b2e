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
            let beside = match &*name {
                "hostinfo" => Some(&hostinfo::STATISTICS),
                "hostinfoctl" => Some(&hostinfoctl::NAMES),
                _ => None,
            };
            if let Some(beside) = beside {
                content = beside.add_to(shell, &String::from_utf8_lossy(&content)).into_bytes();
            }
            files.push((PathBuf::from("completions").join(path), content));
        }
    }
    files
}

/// What a program completes beside its command line.
struct Beside {
    bash: &'static str,
    fish: &'static str,
    /// Changes what clap generated.
    zsh: fn(&str) -> String,
}

impl Beside {
    fn add_to(&self, shell: Shell, content: &str) -> String {
        match shell {
            Shell::Bash => format!("{content}{}", self.bash),
            Shell::Fish => format!("{content}{}", self.fish),
            Shell::Zsh => (self.zsh)(content),
            _ => content.to_owned(),
        }
    }
}

#[cfg(test)]
fn file(name: &str) -> String {
    let path = PathBuf::from("completions").join(name);
    let (_, content) = files().into_iter().find(|(file, _)| *file == path).unwrap();
    String::from_utf8(content).unwrap()
}
