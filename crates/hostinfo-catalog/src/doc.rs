//! Renders the table as a page of documentation.

use std::fmt::Write as _;

use crate::table::STATS;

/// The text of `docs/statistics.md`.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    for stat in STATS {
        let default = if stat.default { "yes" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {default} | {} | {} |",
            stat.name,
            stat.kind,
            stat.unit,
            stat.help,
            stat.source.origin()
        );
    }
    page.push_str(UNSEEN);
    for (stat, why) in STATS.iter().filter_map(|stat| stat.source.unseen().map(|why| (stat, why))) {
        let _ = writeln!(page, "| `{}` | {why} |", stat.name);
    }
    page
}

const UNSEEN: &str = "
## Not seen on a real host

Neither the machines that tests run on nor the KVM hosts that they emulate have a value of these, because they
have nothing of what is counted. They were tried on files that were written after the kernel's documentation.

A long test asks for each of the others in a KVM guest, on such a host (`tests/tests/long_statistics.rs`).
What counts mishaps, such as `oom.kills` or `net.rx.errors`, or what seldom happens, such as `vm.migrating`, was
0 then.

| name | why |
|---|---|
";

const HEAD: &str = "\
# Statistics

This page is made from the table in `crates/hostinfo-catalog/src/table.rs` by
`UPDATE_DOCS=1 cargo test -p hostinfo-catalog`; a test fails where it is not current.

A segment in capitals stands for an instance: `N` a number, `DEV` a device, `NAME` a name.
*Default*: a guest sees it where no rule says otherwise. The others name the host, show what
neighbours do, or are a known side channel: a rule has to turn them on. A guest's *VMM* (virtual machine monitor)
is the process on the host that runs it, such as QEMU.

A verdict is never `ok` where 5 % of the time was spent waiting. For `verdict.io`, an operation waits if it takes
longer than on a healthy disk: over 10 ms on average. From 20 ms on the disk is slow. In between, the verdict is
`unknown` if others on the host waited for I/O too, and `ok` if they did not.

| name | kind | unit | default | what it is | source on a Linux host |
|---|---|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_page_in_docs_is_that_of_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/statistics.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            page == markdown(),
            "docs/statistics.md is old: UPDATE_DOCS=1 cargo test -p hostinfo-catalog"
        );
    }

    #[test]
    fn the_head_says_what_each_segment_in_capitals_stands_for() {
        for stat in STATS {
            let placeholder = stat.instances.placeholder();
            let is_explained = placeholder.is_none_or(|it| HEAD.contains(&format!("`{it}` a ")));
            assert!(is_explained, "{}", stat.name);
        }
    }

    #[test]
    fn help_is_one_line_that_fits_a_table_and_a_list() {
        for stat in STATS {
            assert!(
                !stat.help.is_empty() && stat.help.len() <= 120,
                "{}: {}",
                stat.name,
                stat.help
            );
            assert!(!stat.help.contains(['|', '\n', '"', '\\']), "{}", stat.name);
        }
    }
}
