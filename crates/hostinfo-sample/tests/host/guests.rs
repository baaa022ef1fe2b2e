//! Captured and hand-made guests: what their VMMs tell of each, or the reason why not.
//!
//! `fixtures/guests/GUEST/golden.txt` holds it as a reply has it, and behind `#` what their
//! administrators are told. `UPDATE_GOLDEN=1 cargo test -p hostinfo-sample` writes them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use hostinfo_catalog::{STATS, Source};
use hostinfo_sample::{Host, Moment, Roots, Units, Vmm};

#[test]
fn every_guest_is_told_what_its_golden_file_says() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut guests = 0;
    for entry in std::fs::read_dir("fixtures/guests").unwrap() {
        let folder = entry.unwrap().path();
        let (told, path) = (everything(&folder), folder.join("golden.txt"));
        if update {
            std::fs::write(&path, &told).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(told, golden, "{}", path.display());
        guests += 1;
    }
    assert!(guests >= 6);
}

fn everything(folder: &Path) -> String {
    let roots = Roots { proc: folder.join("proc"), sys: folder.join("sys") };
    let units = Units { ticks_per_second: 100, page_bytes: 4096 };
    let mut host = Host::with_units(roots.clone(), units);
    let mut vmm = Vmm::with_units(roots.clone(), units, only_process(&roots.proc), None);
    let at = Moment::new(Duration::ZERO);
    let vcpus = vmm.vcpus(at);
    let mut told = String::new();
    for stat in STATS {
        let Source::Vmm(what) = stat.source else { continue };
        let instances = if stat.has_instances() {
            vcpus.iter().copied().map(Some).collect()
        } else {
            vec![None]
        };
        for instance in instances {
            let name = stat.name_of(instance.map(|number| number.to_string()).as_deref());
            match vmm.value(what, instance, at) {
                Ok(value) => writeln!(told, "200 {name}={value}").unwrap(),
                Err(absent) => {
                    host.note(stat.source, &absent);
                    assert!(!absent.reason.contains(['/', '_']), "{name}: {absent}");
                    writeln!(told, "503 {name}: {absent}").unwrap();
                }
            }
        }
    }
    for (file, absent) in host.missing() {
        writeln!(told, "# {file}: {}", absent.remedy.as_deref().unwrap()).unwrap();
    }
    told
}

fn only_process(proc: &Path) -> i32 {
    let name = std::fs::read_dir(proc).unwrap().next().unwrap().unwrap().file_name();
    name.to_str().unwrap().parse().unwrap()
}
