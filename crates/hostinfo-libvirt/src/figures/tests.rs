use super::*;
use hostinfo_domains::{Io, Limit, Limits, Traffic};

fn read(lines: &str) -> (Figures, Extra) {
    let params: Vec<Param> = lines
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .map(|(name, value)| {
            let number = value.parse().map(Value::Number);
            (name.to_owned(), number.unwrap_or_else(|_| Value::Text(value.to_owned())))
        })
        .collect();
    let limited = Configured { dev: "vdb".to_owned(), limits: limits() };
    figures(&params, &[limited])
}

fn limits() -> Limits {
    let bytes = Limit { read: Some(9), ..Limit::default() };
    Limits { bytes, ..Limits::default() }
}

#[test]
fn the_parameters_of_domstats_are_understood() {
    let (figures, extra) = read(
        "state.state=1
        state.reason=5
        balloon.current=131072
        balloon.maximum=262144
        vcpu.current=1
        vcpu.maximum=2
        vcpu.0.time=2160000000
        net.count=1
        net.1.name=tap0
        net.1.rx.bytes=90
        net.1.rx.pkts=1
        net.1.rx.errs=2
        net.1.rx.drop=3
        net.1.tx.bytes=4
        block.count=2
        block.0.name=sda
        block.1.name=vdb
        block.1.path=/disk
        block.1.rd.reqs=1
        block.1.rd.bytes=512
        block.1.rd.times=107644
        block.1.wr.reqs=7
        block.1.fl.times=8",
    );
    let interfaces = vec![(1, "tap0".to_owned())];
    assert_eq!(extra, Extra { state: Some(1), reason: Some(5), vcpus: Some(1), interfaces });
    assert_eq!(figures.memory_current, Some(134_217_728));
    assert_eq!(figures.memory_maximum, Some(268_435_456));
    let read = Io { bytes: Some(512), ops: Some(1), nanos: Some(107_644) };
    let write = Io { ops: Some(7), ..Io::default() };
    let flush = Io { nanos: Some(8), ..Io::default() };
    let vdb =
        Disk { dev: "vdb".to_owned(), read, write, flush, limits: limits(), ..Disk::default() };
    assert_eq!(figures.disks, [Disk { dev: "sda".to_owned(), ..Disk::default() }, vdb]);
    let rx = Traffic { bytes: Some(90), packets: Some(1), drops: Some(3), errors: Some(2) };
    let tx = Traffic { bytes: Some(4), ..Traffic::default() };
    assert_eq!(figures.nets, [Net { number: 1, rx, tx, ..Net::default() }]);
}

fn counted(number: u32, exits: [u64; 4], irqs: u64, halt_poll: u64) -> Vcpu {
    let [exits, io_exits, mmio_exits, halt_exits] = exits.map(Some);
    let (irqs, halt_poll) = (Some(irqs), Some(halt_poll));
    Vcpu { number, exits, io_exits, mmio_exits, halt_exits, irqs, halt_poll }
}

#[test]
fn libvirt_9_and_11_report_kvms_counters_of_each_vcpu() {
    for (lines, first) in [
        (
            include_str!("../../fixtures/kvm-libvirt-9.0"),
            counted(0, [55_475, 26_654, 3827, 547], 5331, 86_590),
        ),
        (
            include_str!("../../fixtures/kvm-libvirt-11.3"),
            counted(0, [52_683, 28_583, 3441, 295], 7169, 98_180),
        ),
    ] {
        let (figures, extra) = read(lines);
        assert_eq!(figures.vcpus, [first, counted(1, [0; 4], 0, 0)]);
        assert_eq!(extra.vcpus, Some(2));
        assert_eq!(extra.interfaces, [(0, "vnet0".to_owned()), (1, "vnet1".to_owned())]);
    }
}

#[test]
fn without_kvm_nothing_is_counted_although_libvirt_tells_a_zero() {
    let (figures, extra) = read(include_str!("../../fixtures/tcg-libvirt-9.0"));
    assert_eq!((figures.vcpus, figures.halt_poll), (Vec::new(), None));
    assert_eq!(extra.vcpus, Some(1));
    let (older, _) = read("cpu.haltpoll.success.time=5\ncpu.haltpoll.fail.time=7");
    assert_eq!(older.halt_poll, Some(12));
}

#[test]
fn a_domain_with_too_many_vcpus_has_no_figures_of_vcpus_at_all() {
    let all = |count: usize| -> String {
        (0..count).map(|number| format!("vcpu.{number}.exits.sum=1\n")).collect()
    };
    assert_eq!(read(&all(VCPUS_MAX)).0.vcpus.len(), VCPUS_MAX);
    assert_eq!(read(&all(VCPUS_MAX + 1)).0.vcpus, []);
    assert_eq!(read(&all(2 * VCPUS_MAX)).0.vcpus, []);
}

#[test]
fn a_bandwidth_is_the_average_in_bytes_and_0_is_no_limit() {
    let number = |name: &str, value| (name.to_owned(), Value::Number(value));
    let tuned = [
        number("inbound.average", 1000),
        number("inbound.peak", 2000),
        number("inbound.burst", 3000),
        number("outbound.average", 0),
    ];
    assert_eq!(bandwidth(&tuned), (Some(1_000_000), Some(0)));
    assert_eq!(bandwidth(&[]), (None, None));
}

#[test]
fn missing_figures_are_not_zero_and_those_over_a_bound_are_left_out() {
    assert_eq!(read(""), (Figures::default(), Extra::default()));
    let many: String = (0..1000)
        .map(|number| format!("net.{number}.rx.bytes=1\nblock.{number}.name=vd{number}\n"))
        .collect();
    let (figures, _) = read(&many);
    assert_eq!((figures.nets.len(), figures.disks.len()), (NETS_MAX, DISKS_MAX));
    let (figures, _) = read(&format!(
        "block.18446744073709551615.name=a\nblock.0.name={}\nballoon.current={}",
        "x".repeat(DEV_MAX + 1),
        u64::MAX
    ));
    assert_eq!(figures, Figures::default());
}
