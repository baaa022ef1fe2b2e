//! Every parser of the kernel's files, for `fuzz/`: each must return, whatever the files contain.

use crate::vmm::{self, role::Role};
use crate::{
    Units, cpuinfo, cpulist, diskstats, loadavg, machine, meminfo, netdev, pressure, stat, text,
    vmstat,
};

/// Parses the bytes as each kind of file. It only has to return.
pub fn parse_as_each(bytes: &[u8]) {
    cpuinfo::parse(bytes);
    cpulist::parse(bytes);
    diskstats::parse(bytes).for_each(drop);
    loadavg::parse(bytes);
    machine::parse(bytes);
    meminfo::parse(bytes);
    netdev::parse(bytes).for_each(drop);
    pressure::parse(bytes);
    stat::parse(bytes);
    text::first_line(bytes);
    text::only_number(bytes);
    vmstat::parse(bytes);
    vmm::affinity::allowed(bytes);
    vmm::cgroup::parse(bytes);
    let _ = vmm::cpu::parse::cpu_max(bytes);
    let _ = vmm::cpu::parse::throttled(bytes);
    vmm::memory::freed_for_host(bytes);
    vmm::memory::major_faults(bytes);
    vmm::memory::swapped(bytes, Some(bytes));
    let _ = vmm::memory::parse(bytes);
    vmm::numa::parse_huge(bytes);
    vmm::numa::parse_v1(bytes, Units::default());
    vmm::numa::parse_v2(bytes);
    vmm::process_stat::parse(bytes);
    vmm::status::parse(bytes);
    vmm::threads::parse(bytes);
    Role::of(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_seeds_of_the_fuzzer_have_figures_in_them() {
        for seed in std::fs::read_dir("../../fuzz/seeds/kernel").unwrap() {
            let path = seed.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let has_figures = match path.file_name().unwrap().to_str().unwrap() {
                "cgroup" => vmm::cgroup::parse(&bytes) != vmm::cgroup::parse(b""),
                "comm" => vmm::name::is_vmm(bytes.trim_ascii_end()),
                "cpu-stat" => vmm::cpu::parse::throttled(&bytes).is_ok_and(|told| told.is_some()),
                "cpuinfo" => cpuinfo::parse(&bytes).is_some(),
                "cpulist" => cpulist::parse(&bytes).is_some(),
                "diskstats" => diskstats::parse(&bytes).all(|(_, row)| row.is_some()),
                "loadavg" => loadavg::parse(&bytes) != loadavg::parse(b""),
                "meminfo" => meminfo::parse(&bytes) != meminfo::parse(b""),
                "net-dev" => netdev::parse(&bytes).any(|(_, row)| row.is_some()),
                "numa_stat" => !vmm::numa::parse_v2(&bytes).is_empty(),
                "numa_stat-v1" => !vmm::numa::parse_v1(&bytes, Units::default()).is_empty(),
                "pressure" => pressure::parse(&bytes) != pressure::parse(b""),
                "process-stat" => vmm::process_stat::parse(&bytes).is_some(),
                "schedstat" => vmm::threads::parse(&bytes).is_some(),
                "stat" => stat::parse(&bytes) != stat::parse(b""),
                "status" => vmm::status::parse(&bytes) != vmm::status::parse(b""),
                "vmstat" => vmstat::parse(&bytes) != vmstat::parse(b""),
                other => panic!("say here what {other} is"),
            };
            assert!(has_figures, "{}", path.display());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_end(bytes: Vec<u8>, words in "([a-zN:=/_()-]{0,6}[0-9.]{0,22}[ \n]){0,40}") {
            parse_as_each(&bytes);
            parse_as_each(words.as_bytes());
        }
    }
}
