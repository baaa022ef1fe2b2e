use super::*;
use proptest::prelude::*;

const GIB: u64 = 1024 * 1024 * 1024;

fn value(stat: StatId) -> Option<Value<'static>> {
    Some(match stat.stat().name {
        "host.name" => Value::text("rack7.example"),
        "host.id" => Value::text("c0ffee"),
        "hypervisor" => Value::text("qemu"),
        "hypervisor.version" => Value::text("7.2.0"),
        "time" => Value::Micro(1_700_000_000_900_000),
        "physcpus" => Value::Whole(64),
        "cpu.seconds.user" => Value::Micro(100_500_000),
        "cpu.seconds.nice" => Value::Micro(0),
        "cpu.seconds.system" => Value::Micro(46_100_000),
        "cpu.seconds.guest" => Value::Micro(700_000_000),
        "memory.total" => Value::Whole(16 * GIB),
        "memory.free" => Value::Whole(4 * GIB),
        "memory.cached" => Value::Whole(2 * GIB),
        "swap.total" => Value::Whole(8 * GIB),
        "swap.free" => Value::Whole(7 * GIB),
        "swap.in" => Value::Whole(4096),
        "swap.out" => Value::Whole(8192),
        "vm.uuid" => Value::text("6be3fdb8-bef5-6fec-b1b7-e61bbceab708"),
        "vm.cpu.seconds" => Value::Micro(12_345_678),
        "vm.vcpus.max" => Value::Whole(4),
        "vm.memory.maximum" => Value::Whole(2 * GIB),
        "vm.memory.current" => Value::Whole(GIB),
        _ => return None,
    })
}

const EXTRA: Extra<'static> = Extra {
    buffers: Some(GIB),
    swap_cached: Some(GIB / 2),
    os_name: Some("Debian GNU/Linux"),
    id: 2,
};

/// A document for a guest that may see only these names.
fn seeing(names: &[&str]) -> String {
    document(|stat| names.contains(&stat.stat().name), value, &EXTRA, &[])
}

/// A document that shares its common part with no other.
fn document<'v>(
    permits: impl Fn(StatId) -> bool,
    value: impl Fn(StatId) -> Option<Value<'v>>,
    extra: &Extra<'_>,
    customs: &[Custom<'_>],
) -> String {
    super::document(&Common::new(&permits, &value, extra), permits, value, extra, customs)
}

fn figure(document: &str, name: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<name>{name}</name>\n<value>"))?;
    rest.split_once("</value>").map(|(value, _)| value.to_owned())
}

#[test]
fn the_document_is_that_of_vhostmd() {
    assert_eq!(
        document(|_| true, value, &EXTRA, &[]),
        "<metrics>
<metric type='string' context='host'>
<name>HostName</name>
<value>rack7.example</value>
</metric>
<metric type='string' context='host'>
<name>HostSystemInfo</name>
<value>linux</value>
</metric>
<metric type='string' context='host'>
<name>VirtualizationVendor</name>
<value>Debian GNU/Linux</value>
</metric>
<metric type='string' context='host'>
<name>VirtProductInfo</name>
<value>qemu 7.2.0</value>
</metric>
<metric type='int64' context='host' unit='s'>
<name>Time</name>
<value>1700000000</value>
</metric>
<metric type='int64' context='host'>
<name>NumberOfPhysicalCPUs</name>
<value>64</value>
</metric>
<metric type='real64' context='host' unit='s'>
<name>TotalCPUTime</name>
<value>846.600000</value>
</metric>
<metric type='uint64' context='host' unit='KiB'>
<name>FreePhysicalMemory</name>
<value>4194304</value>
</metric>
<metric type='uint64' context='host' unit='KiB'>
<name>FreeVirtualMemory</name>
<value>11534336</value>
</metric>
<metric type='uint64' context='host' unit='KiB'>
<name>MemoryAllocatedToVirtualServers</name>
<value>9437184</value>
</metric>
<metric type='uint64' context='host' unit='KiB'>
<name>UsedVirtualMemory</name>
<value>17301504</value>
</metric>
<metric type='uint64' context='host' unit='KiB'>
<name>PagedInMemory</name>
<value>4</value>
</metric>
<metric type='uint64' context='host' unit='KiB'>
<name>PagedOutMemory</name>
<value>8</value>
</metric>
<metric type='real64' context='vm' id='2' uuid='6be3fdb8-bef5-6fec-b1b7-e61bbceab708' unit='s'>
<name>TotalCPUTime</name>
<value>12.345678</value>
</metric>
<metric type='uint64' context='vm' id='2' uuid='6be3fdb8-bef5-6fec-b1b7-e61bbceab708'>
<name>ResourceProcessorLimit</name>
<value>4</value>
</metric>
<metric type='uint64' context='vm' id='2' uuid='6be3fdb8-bef5-6fec-b1b7-e61bbceab708' unit='KiB'>
<name>ResourceMemoryLimit</name>
<value>2097152</value>
</metric>
<metric type='uint64' context='vm' id='2' uuid='6be3fdb8-bef5-6fec-b1b7-e61bbceab708' unit='KiB'>
<name>PhysicalMemoryAllocatedToVirtualSystem</name>
<value>1048576</value>
</metric>
</metrics>

"
    );
}

#[test]
fn a_guest_that_may_see_nothing_gets_the_empty_document() {
    assert_eq!(seeing(&[]), EMPTY);
}

#[test]
fn a_value_that_the_guest_may_not_see_is_not_even_looked_for() {
    let permits = |stat: StatId| stat.stat().name == "time";
    let look = |stat: StatId| {
        assert!(permits(stat), "{}", stat.stat().name);
        value(stat)
    };
    assert!(document(permits, look, &EXTRA, &[]).contains("<name>Time</name>"));
}

#[test]
fn a_metric_of_several_statistics_needs_them_all() {
    let all = ["memory.total", "memory.free", "memory.cached", "swap.total"];
    assert!(figure(&seeing(&all), "UsedVirtualMemory").is_some());
    for missing in all {
        let rest: Vec<&str> = all.into_iter().filter(|name| *name != missing).collect();
        assert_eq!(figure(&seeing(&rest), "UsedVirtualMemory"), None, "without {missing}");
    }
    let extra = Extra { swap_cached: None, ..EXTRA };
    let document = document(|_| true, value, &extra, &[]);
    assert_eq!(figure(&document, "UsedVirtualMemory"), None);
    assert!(figure(&document, "MemoryAllocatedToVirtualServers").is_some());
}

#[test]
fn a_host_without_swap_has_none_of_it_to_add() {
    let no_swap = |stat: StatId| value(stat).filter(|_| !stat.stat().name.starts_with("swap."));
    let document = document(|_| true, no_swap, &EXTRA, &[]);
    assert_eq!(figure(&document, "FreeVirtualMemory").unwrap(), "4194304");
    assert_eq!(figure(&document, "PagedInMemory"), None);
}

#[test]
fn a_guest_that_may_not_see_the_hosts_name_reads_its_id_instead() {
    assert_eq!(figure(&seeing(&["host.name", "host.id"]), "HostName").unwrap(), "rack7.example");
    assert_eq!(figure(&seeing(&["host.id"]), "HostName").unwrap(), "c0ffee");
}

#[test]
fn the_distribution_and_the_version_are_for_guests_that_may_see_the_version() {
    let document = seeing(&["hypervisor"]);
    assert_eq!(figure(&document, "VirtProductInfo").unwrap(), "qemu");
    assert_eq!(figure(&document, "VirtualizationVendor"), None);
    assert_eq!(figure(&seeing(&["hypervisor.version"]), "VirtProductInfo"), None);
}

#[test]
fn a_guest_has_its_number_without_a_uuid_and_neither_where_it_may_not_see_that() {
    let value = |stat| value(stat).filter(|_| stat != UUID);
    let document = document(|_| true, value, &EXTRA, &[]);
    assert!(document.contains("context='vm' id='2' unit='s'>") && !document.contains("uuid"));
    let hidden = seeing(&["vm.cpu.seconds"]);
    assert!(hidden.contains("<metric type='real64' context='vm' unit='s'>\n"));
}

#[test]
fn used_memory_never_falls_below_zero() {
    let shrunk = |stat: StatId| {
        if stat.stat().name == "memory.total" { Some(Value::Whole(0)) } else { value(stat) }
    };
    let document = document(|_| true, shrunk, &EXTRA, &[]);
    assert_eq!(figure(&document, "MemoryAllocatedToVirtualServers").unwrap(), "0");
}

#[test]
fn the_administrators_own_statistics_follow_under_their_own_names() {
    let custom = |name: &'static str, context, unit, value| Custom {
        name: name.into(),
        context,
        unit,
        value,
    };
    let document = document(
        |_| false,
        value,
        &EXTRA,
        &[
            custom("custom.rack", Context::Host, catalog::Unit::None, Value::text("<R&D> '7\"")),
            custom("custom.quota", Context::Vm, catalog::Unit::Bytes, Value::Whole(7)),
            custom("custom.heat", Context::Host, catalog::Unit::Ratio, Value::Micro(-1_500_000)),
            custom("custom.empty", Context::Host, catalog::Unit::None, Value::text("")),
        ],
    );
    assert_eq!(
        document,
        "<metrics>
<metric type='string' context='host'>
<name>custom.rack</name>
<value>&lt;R&amp;D&gt; &apos;7&quot;</value>
</metric>
<metric type='uint64' context='vm' unit='B'>
<name>custom.quota</name>
<value>7</value>
</metric>
<metric type='real64' context='host'>
<name>custom.heat</name>
<value>-1.500000</value>
</metric>
</metrics>

"
    );
}

proptest! {
    #[test]
    fn any_document_has_lines_that_begin_with_an_angle_bracket_and_ends_at_its_only_empty_line(
        text in any::<String>(), micros in any::<i64>(), whole in any::<u64>(), seed in any::<u64>(),
    ) {
        let any = |stat: StatId| Some(match seed.rotate_left(u32::try_from(stat.index()).unwrap()) % 3 {
            0 => Value::Text(text.clone().into()),
            1 => Value::Micro(micros),
            _ => Value::Whole(whole),
        });
        let extra = Extra { buffers: Some(whole), swap_cached: Some(whole), os_name: Some(&text), id: 2 };
        let custom = Custom { name: text.as_str().into(), context: Context::Vm, unit: catalog::Unit::None, value: Value::Text(text.as_str().into()) };
        let document = document(|_| true, any, &extra, &[custom]);
        let lines = document.strip_suffix("\n\n").unwrap();
        prop_assert!(lines.split('\n').all(|line| line.starts_with('<') && line.ends_with('>')));
        prop_assert_eq!(document.chars().filter(|c| c.is_control() && *c != '\n').count(), 0);
    }
}

#[test]
fn the_common_part_of_documents_has_nothing_of_any_guest() {
    let asked = std::cell::RefCell::new(Vec::new());
    let common = Common::new(
        |_| true,
        |stat| {
            asked.borrow_mut().push(stat);
            value(stat)
        },
        &EXTRA,
    );
    for stat in asked.take() {
        let source = stat.stat().source;
        assert!(matches!(source, hostinfo_catalog::Source::Host(_)), "{}", stat.stat().name);
    }
    let other = |stat: StatId| match stat.stat().name {
        "vm.cpu.seconds" => Some(Value::Micro(2_000_000)),
        "hypervisor" => Some(Value::text("xen")),
        "time" => Some(Value::Micro(1_700_000_001_000_000)),
        "vm.uuid" => Some(Value::text("another")),
        _ => None,
    };
    let extra = Extra { id: 3, ..EXTRA };
    let own = super::document(&common, |_| true, other, &extra, &[]);
    for (name, told) in
        [("VirtProductInfo", "xen"), ("Time", "1700000001"), ("NumberOfPhysicalCPUs", "64")]
    {
        assert_eq!(figure(&own, name).as_deref(), Some(told), "{own}");
    }
    assert!(
        own.contains(" id='3' uuid='another' unit='s'>\n<name>TotalCPUTime</name>\n<value>2.0000")
    );
    assert!(!own.contains("id='2'") && !own.contains("12.345678"), "{own}");
}

#[test]
fn a_guest_with_a_host_id_of_its_own_reads_that_as_the_hosts_name() {
    let permits = |stat: StatId| stat.stat().name != "host.name";
    let common = Common::new(permits, value, &EXTRA);
    let other = |_: StatId| Some(Value::text("beef"));
    let own = super::document(&common, permits, other, &EXTRA, &[]);
    assert_eq!(figure(&own, "HostName").as_deref(), Some("beef"));
}
