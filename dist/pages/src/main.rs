//! Makes the man pages and the shells' completions: of the programs from their command lines, of
//! files and formats from `docs/`, of the statistics from their table. A program of its own, so
//! that those which are installed carry nothing of it.

mod completions;
mod documents;
mod markdown;
mod page;
mod programs;
mod statistics;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::page::Page;

/// Makes the man pages and the shells' completions
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The folder in which man/ and completions/ are made anew
    folder: PathBuf,
}

fn main() -> Result<()> {
    write(&Args::parse().folder)
}

/// Writes `man/` and `completions/` below the folder. What was there before is gone: a page may have
/// another name now.
fn write(folder: &Path) -> Result<()> {
    for part in ["man", "completions"] {
        match fs::remove_dir_all(folder.join(part)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)?,
            _ => {}
        }
    }
    for (path, content) in files()? {
        let path = folder.join(path);
        let parent = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Every file that is made, as its path and its content.
fn files() -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let date = page::date()?;
    let mut pages = programs::pages()?;
    pages.extend(documents::pages()?);
    pages.push(statistics::page());
    pages.sort_by(|a, b| (&a.section, &a.name).cmp(&(&b.section, &b.name)));
    let all: Vec<String> = pages.iter().map(Page::reference).collect();
    let man = pages.iter().map(|page| {
        let path = Path::new("man").join(format!("{}.{}", page.name, page.section));
        (path, page.text(&date, &all).into_bytes())
    });
    Ok(man.chain(completions::files()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn mandoc_accepts_each_page_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let pages: Vec<PathBuf> = fs::read_dir(folder.path().join("man"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(pages.len() > 7, "{pages:?}");
        let lint = Command::new("mandoc")
            .arg("-Tlint")
            .args(&pages)
            .output()
            .expect("mandoc is there: scripts/setup test");
        let told = String::from_utf8(lint.stdout).unwrap();
        assert!(lint.status.success() && told.is_empty(), "{told}");
    }

    #[test]
    fn an_option_is_not_taken_for_a_folder() {
        assert!(Args::try_parse_from(["hostinfo-pages", "--help"]).is_err());
        assert!(Args::try_parse_from(["hostinfo-pages", "--x"]).is_err());
    }

    #[test]
    fn a_page_that_was_renamed_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("man")).unwrap();
        fs::write(folder.path().join("man/old.1"), "").unwrap();
        write(folder.path()).unwrap();
        assert!(!folder.path().join("man/old.1").exists());
    }
}
