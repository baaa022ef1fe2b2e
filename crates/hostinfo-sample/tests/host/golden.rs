//! Captured and hand-made hosts and guests: every statistic's value, or the reason why there is
//! none.
//!
//! `fixtures/hosts/HOST/golden.txt` holds the values of each host, as in a reply, and after `#` the
//! messages for its administrator. `fixtures/guests/GUEST/golden.txt` holds what a guest sees about
//! its VMM, and after `-` what verdicts use in addition. `UPDATE_GOLDEN=1 cargo test -p
//! hostinfo-sample` rewrites them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use hostinfo_catalog::{Instances, STATS, Source};
use hostinfo_sample::{Absent, Bounds, Host, HostWindow, Lack, Moment, Roots, Units, Vmm};
use hostinfo_wire::Value;

use crate::tree::Tree;

const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };

fn at() -> Moment {
    Moment::new(Duration::ZERO)
}

#[test]
fn every_host_tells_what_its_golden_file_says() {
    compare("fixtures/hosts", of_host);
}

#[test]
fn every_guest_is_told_what_its_golden_file_says() {
    compare("fixtures/guests", of_guest);
}

#[test]
fn an_ordinary_host_has_no_fault() {
    for name in
        ["two-sockets-6.1", "virtual-6.18", "centos-3.10", "amd-switchdev-5.14", "s390-5.14"]
    {
        let tree = Tree::captured(&Path::new("fixtures/hosts").join(name));
        let mut host = tree.host();
        for stat in STATS {
            if let Source::Host(what) = stat.source {
                let _ = host.value(what, &mut HostWindow::default(), at());
            }
        }
        let missing: Vec<_> = host.missing().collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

fn compare(folder: &str, everything: fn(Roots) -> String) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut trees = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        let tree = Tree::captured(&folder);
        let told = everything(tree.roots())
            .replace(tree.path().to_str().unwrap(), folder.to_str().unwrap());
        let path = folder.join("golden.txt");
        if update {
            std::fs::write(&path, &told).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(told, golden, "{}", path.display());
        trees += 1;
    }
    assert!(trees >= 6);
}

fn of_host(roots: Roots) -> String {
    let mut host = Host::with_units(roots, UNITS);
    let mut told = String::new();
    for stat in STATS {
        let Source::Host(what) = stat.source else { continue };
        told += &line(stat.name, host.value(what, &mut HostWindow::default(), at()));
    }
    told + &remedies(&host)
}

fn of_guest(roots: Roots) -> String {
    let mut host = Host::with_units(roots.clone(), UNITS);
    let pid = only_process(&roots.proc);
    let mut vmm = Vmm::with_units(roots, UNITS, pid, None);
    let vcpus = vmm.vcpus(at());
    let mut told = String::new();
    for stat in STATS {
        let Source::Vmm(what) = stat.source else { continue };
        let instances = match stat.instances {
            Instances::None => vec![None],
            Instances::Vcpus => vcpus.iter().copied().map(Some).collect(),
            other @ (Instances::Disks
            | Instances::Nets
            | Instances::Labels
            | Instances::Notices
            | Instances::Incidents
            | Instances::Customs) => panic!("a VMM has no {other:?}"),
        };
        for instance in instances {
            let name = stat.name_of(instance.map(|number| number.to_string()).as_deref());
            let value = vmm.value(what, instance, at());
            if let Err(absent) = &value {
                host.note_of("", stat.source, Some(absent));
                assert!(!absent.reason.contains(['/', '_']), "{name}: {absent}");
            }
            told += &line(&name, value);
        }
    }
    told + &bounds(&vmm.bounds(&mut host, at())) + &remedies(&host)
}

/// What verdicts use in addition to statistics.
fn bounds(bounds: &Bounds) -> String {
    let Bounds {
        throttled_around,
        cpu_limit,
        cpu_limit_is_shared,
        memory,
        memory_around,
        memory_limit_around_is_lowest,
        memory_hits,
        memory_hits_around,
        swapped,
        memory_limit_is_shared,
        major_faults,
        freed_for_host,
        threads_run,
        threads_throttled,
        vcpu_delays,
        cpus,
        io_limits,
    } = bounds;
    format!(
        "- throttled around: {throttled_around:?}, limit: {cpu_limit:?}, shared: {cpu_limit_is_shared}\n\
         - memory: {memory:?}\n\
         - memory around: {memory_around:?}, lowest: {memory_limit_around_is_lowest}, shared: {memory_limit_is_shared}\n\
         - memory limits hit: {memory_hits:?}, around: {memory_hits_around:?}\n\
         - memory swapped out: {swapped:?}\n\
         - major faults: {major_faults:?}\n\
         - pages freed for the host: {freed_for_host:?}\n\
         - threads run: {threads_run:?}\n\
         - threads throttled: {threads_throttled:?}\n\
         - vCPU delays: {vcpu_delays:?}\n\
         - CPUs: {cpus:?}\n\
         - limits on disks: {io_limits:?}\n"
    )
}

fn line(name: &str, value: Result<Value<'_>, Absent>) -> String {
    match value {
        Ok(value) => format!("200 {name}={value}\n"),
        Err(absent) => format!("503 {name}: {absent}\n"),
    }
}

fn remedies(host: &Host) -> String {
    let mut told = String::new();
    let of_guest = host.missing_of_guests().map(|(_, file, absent)| (file, absent));
    for (file, absent) in host.missing().chain(of_guest) {
        writeln!(told, "# {file}: {}", absent.advice().unwrap()).unwrap();
    }
    for (file, absent) in host.without() {
        let why = if absent.lack == Lack::Unsupported { "unsupported" } else { "chosen" };
        writeln!(told, "# {why}, {file}: {}", absent.without()).unwrap();
    }
    told
}

/// Other processes have no files but their `stat`.
fn only_process(proc: &Path) -> i32 {
    let mut entries = std::fs::read_dir(proc).unwrap().map(|entry| entry.unwrap());
    let vmm = entries.find(|entry| entry.path().join("cgroup").exists()).unwrap();
    vmm.file_name().to_str().unwrap().parse().unwrap()
}
