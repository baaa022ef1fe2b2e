//! Which disks and interfaces count, each once, and how they are identified.

use std::os::unix::fs::symlink;

use hostinfo_sample::HostWindow;

use crate::tree::{Tree, ask, ask_over};

/// Rows of `/proc/net/dev` with these names and bytes received.
fn interfaces(tree: &Tree, rows: &[(&str, u64)]) {
    let rows =
        rows.iter().map(|(name, bytes)| format!("{name}: {bytes} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"));
    tree.write("proc/net/dev", rows.collect::<String>());
}

/// Rows of `/proc/diskstats` with these names and reads.
fn disks(tree: &Tree, rows: &[(&str, u64)]) {
    let rows =
        rows.iter().map(|(name, reads)| format!("8 0 {name} {reads} 0 0 0 0 0 0 0 0 {reads} 0\n"));
    tree.write("proc/diskstats", rows.collect::<String>());
}

/// An interface on a PCI function, arranged as in sysfs: a link to a folder below the function's.
fn on_function(tree: &Tree, name: &str, function: &str, files: &[(&str, &str)]) {
    let folder = format!("sys/devices/pci0/{function}/net/{name}");
    let index = name.bytes().fold(0u32, |index, byte| index.wrapping_mul(31) + u32::from(byte));
    tree.write(&format!("{folder}/ifindex"), format!("{index}\n"));
    for (file, text) in files {
        tree.write(&format!("{folder}/{file}"), format!("{text}\n"));
    }
    let target = format!("../../devices/pci0/{function}/net/{name}");
    link(tree, &format!("sys/class/net/{name}"), &target);
    link(tree, &format!("{folder}/device"), "../..");
}

fn link(tree: &Tree, path: &str, target: &str) {
    let path = tree.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

fn received(tree: &Tree) -> String {
    ask(&mut tree.host(), "net.rx.bytes", 0)
}

#[test]
fn representors_of_functions_are_in_the_uplink() {
    let tree = Tree::new(&[]);
    let on_switch = |port| [("phys_port_name", port), ("phys_switch_id", "b8cef6")];
    on_function(&tree, "enp1s0f0np0", "0000:01:00.0", &on_switch("p0"));
    on_function(&tree, "enp1s0f0npf0vf0", "0000:01:00.0", &on_switch("pf0vf0"));
    on_function(&tree, "enp1s0f0npf0sf12", "0000:01:00.0", &on_switch("pf0sf12"));
    on_function(&tree, "rep1", "0000:01:00.0", &on_switch("1"));
    // A driver that numbers its ports but is not a switch.
    on_function(&tree, "enp5s0", "0000:05:00.0", &[("phys_port_name", "0")]);
    interfaces(
        &tree,
        &[
            ("enp1s0f0np0", 1_000),
            ("enp1s0f0npf0vf0", 500),
            ("enp1s0f0npf0sf12", 400),
            ("rep1", 300),
            ("enp5s0", 20),
        ],
    );
    assert_eq!(received(&tree), "1020");
}

#[test]
fn functions_that_the_host_uses_are_in_the_uplink_where_the_nic_is_a_switch() {
    let tree = Tree::new(&[]);
    on_function(&tree, "up", "0000:01:00.0", &[("phys_port_name", "p0"), ("phys_switch_id", "b8")]);
    on_function(&tree, "vf", "0000:01:00.2", &[]);
    link(&tree, "sys/devices/pci0/0000:01:00.2/physfn", "../0000:01:00.0");
    on_function(&tree, "sfn", "0000:01:00.0/mlx5_core.sf.2", &[]);
    on_function(&tree, "plain", "0000:07:00.0", &[("phys_port_name", "p0")]);
    on_function(&tree, "plainvf", "0000:07:00.2", &[]);
    link(&tree, "sys/devices/pci0/0000:07:00.2/physfn", "../0000:07:00.0");
    let rows = [("up", 1_000), ("vf", 500), ("sfn", 400), ("plain", 20), ("plainvf", 3)];
    interfaces(&tree, &rows);
    assert_eq!(received(&tree), "1023", "without a switch, each function counts its own");
}

#[test]
fn traffic_below_an_interface_with_hardware_is_in_its_counts_and_that_below_a_bond_is_not() {
    let tree = Tree::new(&[("sys/class/net/bond0/type", "1")]);
    on_function(&tree, "eth0", "vmbus", &[]);
    for (name, master) in [("enP1p0s2", "eth0"), ("eth8", "bond0"), ("eth9", "bond0")] {
        on_function(&tree, name, &format!("{name}.0"), &[]);
        let folder = format!("sys/devices/pci0/{name}.0/net/{name}");
        link(&tree, &format!("{folder}/master"), &format!("../../../../../class/net/{master}"));
    }
    let rows = [("eth0", 1_000), ("enP1p0s2", 990), ("eth8", 30), ("eth9", 4), ("bond0", 34)];
    interfaces(&tree, &rows);
    assert_eq!(received(&tree), "1034");
}

#[test]
fn a_function_that_is_put_below_its_master_later_is_in_it_from_then_on() {
    let tree = Tree::new(&[]);
    on_function(&tree, "eth0", "vmbus", &[]);
    on_function(&tree, "vf", "0000:02:00.0", &[]);
    let mut host = tree.host();
    interfaces(&tree, &[("eth0", 100), ("vf", 5)]);
    assert_eq!(ask(&mut host, "net.rx.bytes", 0), "105");
    link(&tree, "sys/devices/pci0/0000:02:00.0/net/vf/master", "../../../vmbus/net/eth0");
    interfaces(&tree, &[("eth0", 150), ("vf", 45)]);
    assert_eq!(ask(&mut host, "net.rx.bytes", 1_000), "155");
}

#[test]
fn ends_of_guests_and_views_of_other_interfaces_do_not_count() {
    let tree =
        Tree::new(&[("sys/class/net/vif2.0/device/x", ""), ("sys/class/net/tap0/type", "1")]);
    on_function(&tree, "eth0", "0000:01:00.0", &[("uevent", "INTERFACE=eth0\nIFINDEX=2")]);
    on_function(&tree, "vif1.0", "vif-1-0", &[]);
    link(&tree, "sys/devices/pci0/vif-1-0/subsystem", "../../../bus/xen-backend");
    on_function(&tree, "netfront", "vif-0", &[]);
    link(&tree, "sys/devices/pci0/vif-0/subsystem", "../../../bus/xen");
    on_function(&tree, "lan1", "mdio", &[("uevent", "DEVTYPE=dsa\nINTERFACE=lan1")]);
    on_function(&tree, "wlan0", "0000:03:00.0", &[("type", "1"), ("uevent", "DEVTYPE=wlan")]);
    on_function(&tree, "mon0", "0000:03:00.0", &[("type", "803")]);
    on_function(&tree, "ibp4s0", "0000:04:00.0", &[("type", "32")]);
    interfaces(
        &tree,
        &[
            ("lo", 9_000),
            ("eth0", 1_000),
            ("vif1.0", 800),
            ("vif2.0", 700),
            ("tap0", 600),
            ("lan1", 500),
            ("mon0", 400),
            ("netfront", 50),
            ("wlan0", 4),
            ("ibp4s0", 2),
        ],
    );
    assert_eq!(received(&tree), "1056");
}

#[test]
fn an_interface_is_known_by_its_index_under_any_name() {
    let tree = Tree::new(&[]);
    let there = |name: &str, index: u32| {
        tree.write(&format!("sys/class/net/{name}/ifindex"), format!("{index}\n"));
        tree.write(&format!("sys/class/net/{name}/device/vendor"), "x");
    };
    let gone = |name: &str| {
        std::fs::remove_dir_all(tree.path().join("sys/class/net").join(name)).unwrap();
    };
    let mut host = tree.host();
    let mut read = |rows: &[(&str, u64)], millis| {
        interfaces(&tree, rows);
        ask(&mut host, "net.rx.bytes", millis)
    };
    there("eth0", 2);
    there("eth1", 3);
    assert_eq!(read(&[("eth0", 1_000), ("eth1", 10)], 0), "1010");
    gone("eth0");
    there("wan", 2);
    assert_eq!(read(&[("wan", 1_100), ("eth1", 10)], 1_000), "1110");
    gone("wan");
    assert_eq!(read(&[("eth1", 10)], 2_000), "1110");
    there("wan", 2);
    assert_eq!(read(&[("eth1", 10), ("wan", 1_500)], 60_000), "1510");
    // Another interface gets the name, in the same folder.
    there("wan", 9);
    assert_eq!(read(&[("eth1", 10), ("wan", 1_450)], 61_000), "2960");
}

#[test]
fn paths_of_an_nvme_disk_count_where_its_head_does_not() {
    let tree = Tree::new(&[]);
    for (name, hidden) in [("nvme0n1", "0"), ("nvme0c0n1", "1"), ("nvme0c1n1", "1"), ("sda", "0")] {
        tree.write(&format!("sys/block/{name}/hidden"), format!("{hidden}\n"));
        tree.write(&format!("sys/block/{name}/device/model"), "x");
    }
    let (mut host, mut window) = (tree.host(), HostWindow::default());
    let mut read = |head, [one, other]: [u64; 2], millis| {
        let rows = [("nvme0n1", head), ("nvme0c0n1", one), ("nvme0c1n1", other), ("sda", 1_000)];
        disks(&tree, &rows);
        ["disk.read.ops", "disk.busy"].map(|name| ask_over(&mut window, &mut host, name, millis))
    };
    assert_eq!(read(0, [4_711_000, 1_000], 0)[0], "4713000");
    // Two disks, one of which was busy the whole time.
    assert_eq!(read(0, [4_712_000, 1_000], 1_000), ["4714000", "0.5"]);
    // Counting is turned on for it (queue/iostats), and it then includes what the paths have.
    assert_eq!(read(7, [4_712_007, 1_000], 2_000)[0], "4714007");
    assert_eq!(read(9, [4_712_009, 1_000], 3_000)[0], "4714009");

    disks(&tree, &[("nvme0n1", 5_000), ("nvme0c0n1", 5_000), ("nvme0c1n1", 0), ("sda", 1)]);
    assert_eq!(ask(&mut tree.host(), "disk.read.ops", 0), "5001", "from Linux 6.2 on");
}

#[test]
fn disks_that_are_elsewhere_and_hidden_ones_do_not_count() {
    let tree = Tree::new(&[]);
    for name in ["sda", "rbd0", "nbd0", "ublkb0", "cciss!c0d0", "secret"] {
        tree.write(&format!("sys/block/{name}/device/model"), "x");
    }
    tree.write("sys/block/secret/hidden", "1\n");
    let rows = [("sda", 1_000), ("rbd0", 900), ("nbd0", 800), ("ublkb0", 700), ("secret", 600)];
    disks(&tree, &[&rows[..], &[("cciss/c0d0", 20), ("loop0", 500)]].concat());
    assert_eq!(ask(&mut tree.host(), "disk.read.ops", 0), "1020");
}

#[test]
fn a_disk_is_known_by_its_sequence_number_and_a_drive_by_its_name() {
    let tree = Tree::new(&[]);
    for (name, sequence, removable) in [("sda", 5, 0), ("sdb", 6, 1)] {
        tree.write(&format!("sys/block/{name}/device/model"), "x");
        tree.write(&format!("sys/block/{name}/diskseq"), format!("{sequence}\n"));
        tree.write(&format!("sys/block/{name}/removable"), format!("{removable}\n"));
    }
    let mut host = tree.host();
    let mut read = |disk, drive, millis| {
        disks(&tree, &[("sda", disk), ("sdb", drive)]);
        ask(&mut host, "disk.read.ops", millis)
    };
    assert_eq!(read(1_000, 100, 0), "1100");
    tree.write("sys/block/sda/diskseq", "9\n");
    tree.write("sys/block/sdb/diskseq", "10\n");
    assert_eq!(read(900, 110, 1_000), "2010", "another disk, and another card in the drive");
}
