//! Whether docs/statistics.md tells rightly which statistics were never seen on a real host.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use hostinfo_catalog::STATS;
use hostinfo_control::NoticeKind;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Cgroup, DomainGuest, Guest, Host, Libvirtd, Port};

/// Over that time ratios are told, and libvirt's figures are new.
const BETWEEN: Duration = Duration::from_millis(1200);

/// The instances that the guests have of a row's.
const INSTANCES: [&str; 4] = ["0", "1", "vda", "own"];

#[test]
fn every_statistic_that_is_not_listed_as_unseen_has_a_value_for_a_real_guest() -> Result<()> {
    let mut missing: BTreeSet<&str> =
        STATS.iter().filter(|stat| stat.source.unseen().is_none()).map(|stat| stat.name).collect();
    let all = missing.len();

    // One of libvirt's, with a disk, an interface and an iothread, on a host that has all that
    // its administrator may add.
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let custom = host.etc().join("custom.d");
    fs::create_dir(&custom)?;
    fs::write(
        custom.join("own.toml"),
        "[custom.own]\nkind = 'gauge'\nhelp = 'seven'\ncommand = ['/bin/echo', '7']\n",
    )?;
    host.write_config(&format!(
        "[paths]\ncustom_dir = '{}'\n[labels]\nown = 'label'\n",
        custom.display()
    ))?;
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    host.client()?.set_notice("*", NoticeKind::Maintenance, "text", None, None)?;
    let mut domain = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    domain.ask_until("vm.uuid", "200 ")?;
    let used = wait_until("the domain's figures", PATIENCE, || {
        domain.run("dd if=/dev/zero of=/dev/vda bs=64k count=4 conv=fsync")?;
        strike(&mut missing, &domain.ask("*")?);
        std::thread::sleep(BETWEEN);
        Ok(!missing.iter().any(|name| name.starts_with("vm.disk") || !name.starts_with("vm.")))
    });
    ensure!(used.is_ok(), "{used:?} for the domain, which has not {missing:?}");

    // One in a cgroup of its own, of each controller and with limits.
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    let own = format!("hostinfo-test-{}", guest.pid());
    let cgroup = Cgroup::around(guest.pid(), &own)?;
    cgroup.limit_to_half_a_cpu(&own)?;
    cgroup.limit_memory(1 << 30)?;
    guest.wait_for_host()?;
    strike(&mut missing, &guest.ask("*")?);
    ensure!(missing.is_empty(), "of {all} rows {missing:?} have no value, and are not listed");
    Ok(())
}

/// Takes away those rows that a reply has values of.
fn strike(missing: &mut BTreeSet<&str>, reply: &[String]) {
    let told: BTreeSet<&str> = reply
        .iter()
        .filter_map(|line| line.strip_prefix("200")?.get(1..)?.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let has = |instance: Option<&str>, name: &str| {
        let row = STATS.iter().find(|stat| stat.name == name);
        row.is_some_and(|stat| told.contains(&*stat.name_of(instance)))
    };
    missing.retain(|name| {
        let mut instances = INSTANCES.iter().map(|instance| Some(*instance));
        !has(None, name) && !instances.any(|instance| has(instance, name))
    });
}
