//! Pages of files and formats, from `docs/`.

use anyhow::{Context as _, Result};
use clap_mangen::roff::{Roff, roman};

use crate::markdown;
use crate::page::{Page, lines};

/// What a file of `docs/` is in the manual.
struct Document {
    file: &'static str,
    name: &'static str,
    section: &'static str,
    text: &'static str,
}

macro_rules! document {
    ($file:literal, $name:literal, $section:literal) => {
        Document {
            file: $file,
            name: $name,
            section: $section,
            text: include_str!(concat!("../../../docs/", $file)),
        }
    };
}

const DOCUMENTS: [Document; 23] = [
    document!("rules.md", "hostinfo.conf", "5"),
    document!("hostinfod.toml", "hostinfod.toml", "5"),
    document!("custom.md", "hostinfo-custom", "5"),
    document!("protocol.md", "hostinfo-protocol", "7"),
    document!("statistics.md", "hostinfo-statistics", "7"),
    document!("administration.md", "hostinfo-administration", "7"),
    document!("audit.md", "hostinfo-audit", "7"),
    document!("clouds.md", "hostinfo-clouds", "7"),
    document!("control.md", "hostinfo-control", "7"),
    document!("fleet.md", "hostinfo-fleet", "7"),
    document!("json.md", "hostinfo-json", "7"),
    document!("monitoring.md", "hostinfo-monitoring", "7"),
    document!("guest.md", "hostinfo-guest", "7"),
    document!("libvirt.md", "hostinfo-with-libvirt", "7"),
    document!("packages.md", "hostinfo-packages", "7"),
    document!("policies.md", "hostinfo-policies", "7"),
    document!("proxmox.md", "hostinfo-proxmox", "7"),
    document!("qemu.md", "hostinfo-with-qemu", "7"),
    document!("service.md", "hostinfo-service", "7"),
    document!("troubleshooting.md", "hostinfo-troubleshooting", "7"),
    document!("vhostmd.md", "hostinfo-vhostmd", "7"),
    document!("vsock.md", "hostinfo-vsock", "7"),
    document!("windows.md", "hostinfo-windows", "7"),
];

/// The page that a file of `docs/` has become, if it has: `hostinfo.conf(5)` for `rules.md`.
pub(crate) fn reference(file: &str) -> Option<String> {
    let document = DOCUMENTS.iter().find(|document| document.file == file)?;
    Some(format!("{}({})", document.name, document.section))
}

/// A text with references to pages in place of those to files.
pub(crate) fn refer(text: &str) -> String {
    DOCUMENTS.iter().fold(text.to_owned(), |text, Document { file, name, section, .. }| {
        text.replace(&format!("docs/{file}"), &format!("{name}({section})"))
    })
}

/// A page for each but the statistics, whose page `statistics` makes from the catalog: it says more than the table in
/// `docs/`.
///
/// # Errors
/// One has something that no page can show.
pub(crate) fn pages() -> Result<Vec<Page>> {
    let pages = DOCUMENTS.iter().filter(|document| document.file != "statistics.md");
    pages.map(|document| page(document).context(document.file)).collect()
}

fn page(document: &Document) -> Result<Page> {
    let (title, text) = document.text.split_once('\n').context("no text below the title")?;
    let title = title.trim_start_matches("# ");
    let about = title.split_once(": ").map_or(title, |(_, about)| about);
    let body = if document.file.ends_with(".md") { markdown::body(text)? } else { settings(text) };
    let (name, section) = (document.name.to_owned(), document.section);
    Ok(Page { name, section, about: lower(about), body })
}

/// As within a line: its first letter small.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A settings file explains itself: the comment that it begins with, and then the file.
fn settings(text: &str) -> String {
    let comment = |line: &&str| line.starts_with('#');
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    for line in text.lines().take_while(comment).map(|line| line.trim_start_matches(['#', ' '])) {
        if !line.is_empty() {
            roff.text([roman(line)]);
        }
    }
    roff.control("SH", ["SETTINGS"]);
    roff.control("EX", []);
    for line in text.lines().skip_while(comment).skip_while(|line| line.is_empty()) {
        roff.text([roman(refer(line))]);
    }
    roff.control("EE", []);
    lines(&roff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_in_its_name_what_the_title_says_behind_the_colon() {
        let about = |file| {
            let document = DOCUMENTS.iter().find(|document| document.file == file).unwrap();
            page(document).unwrap().about
        };
        assert_eq!(about("rules.md"), "which guest may ask what, how often");
        assert_eq!(about("hostinfod.toml"), "settings of the daemon");
        assert_eq!(about("protocol.md"), "the hostinfo line protocol, version 1");
    }

    #[test]
    fn every_file_of_docs_but_what_was_measured_and_pictures_is_a_page() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
        let mut files: Vec<String> = std::fs::read_dir(docs)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| !["benchmarks.md", "verdicts.md"].contains(&file.as_str()))
            .filter(|file| !file.ends_with(".png"))
            .collect();
        let mut pages = DOCUMENTS.map(|document| document.file);
        files.sort();
        pages.sort_unstable();
        assert_eq!(files, pages, "a new one wants a line in DOCUMENTS");
    }

    #[test]
    fn a_page_names_pages_and_no_files_of_docs() {
        for page in pages().unwrap() {
            for document in &DOCUMENTS {
                assert!(!page.body.contains(&format!("docs/{}", document.file)), "{}", page.name);
            }
        }
    }
}
