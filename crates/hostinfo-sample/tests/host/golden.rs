//! Captured and hand-made hosts: every statistic's value, or the reason why there is none.
//!
//! `fixtures/hosts/HOST/golden.txt` holds what each of them tells, as a reply has it, and behind `#`
//! what their administrators are told. `UPDATE_GOLDEN=1 cargo test -p hostinfo-sample` writes
//! them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use hostinfo_catalog::{STATS, Source};
use hostinfo_sample::{Host, Moment, Roots, Units};

#[test]
fn every_host_tells_what_its_golden_file_says() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut hosts = 0;
    for entry in std::fs::read_dir("fixtures/hosts").unwrap() {
        let folder = entry.unwrap().path();
        let (told, path) = (everything(&folder), folder.join("golden.txt"));
        if update {
            std::fs::write(&path, &told).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(told, golden, "{}", path.display());
        hosts += 1;
    }
    assert!(hosts >= 6);
}

fn everything(folder: &Path) -> String {
    let roots = Roots { proc: folder.join("proc"), sys: folder.join("sys") };
    let units = Units { ticks_per_second: 100, page_bytes: 4096 };
    let mut host = Host::with_units(roots, units);
    let mut told = String::new();
    for stat in STATS {
        let Source::Host(what) = stat.source else { continue };
        match host.value(what, Moment::new(Duration::ZERO)) {
            Ok(value) => writeln!(told, "200 {}={value}", stat.name).unwrap(),
            Err(absent) => writeln!(told, "503 {}: {absent}", stat.name).unwrap(),
        }
    }
    for (file, absent) in host.missing() {
        writeln!(told, "# {file}: {}", absent.remedy.as_deref().unwrap()).unwrap();
    }
    told
}
