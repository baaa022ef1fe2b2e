//! The service hostinfo-follow on a host with many guests: each gets its channel when it starts, and can ask.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::Port;
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::guest::serial;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, Lab, LabGuest, PATIENCE};
use hostinfo_tests::libvirtd::WITH_CHANNELS;

/// Domains that do nothing.
const MANY: usize = 50;

/// How long it may take from the last start to the last channel. The starts themselves take three minutes in this
/// emulation; on an idle machine the last channel then comes within a second or two.
const WITHIN: Duration = Duration::from_secs(60);

/// udev's work in a guest.
const LINK: &str = "mkdir -p /dev/virtio-ports
    until port=$(grep -lx org.hostinfo.0 /sys/class/virtio-ports/*/name); do sleep 1; done
    port=${port%/name}; ln -sf ../${port##*/} /dev/virtio-ports/org.hostinfo.0";

/// A transient domain without a kernel, paused, under QEMU's emulation: what it costs is its start alone. Without a
/// security label, since making AppArmor's profile of a domain takes longer in this emulation than all the rest.
fn write_domain(lab: &Lab, name: &str, devices: &str) -> Result<()> {
    let xml = format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
         <os><type arch='x86_64' machine='pc'>hvm</type></os>
         <devices><controller type='usb' model='none'/><memballoon model='none'/>
         <serial type='null'/>{devices}</devices><seclabel type='none'/></domain>"
    );
    lab.write(&format!("/run/lab/{name}.xml"), &xml)
}

fn create(lab: &Lab, name: &str) -> Result<()> {
    lab.virsh(&format!("create --paused /run/lab/{name}.xml")).map(drop)
}

fn journal(lab: &Lab) -> Result<String> {
    lab.sh("journalctl --no-pager --output=cat --unit=hostinfo-follow")
}

/// How often a guest was given a channel.
fn count(journal: &str, name: &str) -> usize {
    let begin = format!("qemu-{name}: enabled: ");
    journal.lines().filter(|line| line.starts_with(&begin)).count()
}

fn wait_for_channel(lab: &Lab, name: &str) -> Result<()> {
    wait_until(name, PATIENCE, || {
        std::thread::sleep(Duration::from_millis(500));
        Ok(count(&journal(lab)?, name) == 1)
    })
    .with_context(|| journal(lab).unwrap_or_default())
}

fn asks(guest: &LabGuest<'_>) -> Result<()> {
    guest.sh(LINK)?;
    let expected = format!("200 vm.name={}", guest.name());
    wait_until(&expected, PATIENCE, || {
        Ok(guest.ask_by(Port::Channel, "vm.name").is_ok_and(|reply| reply == [&*expected]))
    })
    .with_context(|| guest.lab().journal().unwrap_or_default())
}

#[test]
fn fifty_guests_have_their_channel_within_a_minute_of_the_last_start_beside_three_that_ask()
-> Result<()> {
    lab::run(BOOKWORM, |lab| {
        let told = lab.sh("systemd-analyze verify --man=no hostinfo-follow.service 2>&1")?;
        ensure!(told.is_empty(), "{told}");
        lab.serve(EVERYTHING)?;
        lab.write("/etc/hostinfo/follow.conf", "GUESTS=\"'many-*' real-*\"\n")?;
        lab.sh("systemctl start hostinfo-follow")?;

        let names: Vec<String> = (1..=MANY).map(|number| format!("many-{number:02}")).collect();
        names.iter().try_for_each(|name| write_domain(lab, name, WITH_CHANNELS))?;
        // A domain of another name, and one that has its port.
        write_domain(lab, "other", WITH_CHANNELS)?;
        create(lab, "other")?;
        let own = serial("/var/lib/hostinfo/qemu-many-own".as_ref())?;
        write_domain(lab, "many-own", &format!("{WITH_CHANNELS}{own}"))?;
        create(lab, "many-own")?;

        let mut guests = Vec::new();
        for name in ["real-1", "real-2", "real-3"] {
            guests.push(lab.domain(name).without_port().devices(WITH_CHANNELS).boot()?);
        }
        guests.iter().try_for_each(asks)?;

        let start = Instant::now();
        lab.sh(&format!(
            "seq -w 1 {MANY} | xargs -P 3 -I N virsh -q -c qemu:///system create --paused /run/lab/many-N.xml"
        ))?;
        let started = start.elapsed();
        wait_until("fifty channels", PATIENCE, || {
            std::thread::sleep(Duration::from_millis(500));
            let journal = journal(lab)?;
            Ok(names.iter().all(|name| count(&journal, name) > 0))
        })
        .with_context(|| journal(lab).unwrap_or_default())?;
        let all = start.elapsed();
        eprintln!(
            "{MANY} domains were started in {started:?}, and had their channels after {all:?}"
        );
        ensure!(all - started <= WITHIN, "{all:?}, and the last was started after {started:?}");
        guests.iter().try_for_each(asks)?;

        let told = journal(lab)?;
        for name in names.iter().map(|name| &**name).chain(["real-1", "real-2", "real-3"]) {
            ensure!(count(&told, name) == 1, "{name}: {told}");
            let xml = lab.virsh(&format!("dumpxml {name}"))?;
            ensure!(xml.matches("name='org.hostinfo.0'").count() == 1, "{xml}");
        }
        ensure!(count(&told, "many-own") == 0 && count(&told, "other") == 0, "{told}");
        ensure!(
            !told.contains("hostinfoctl: qemu-many-") && !told.contains("hostinfoctl: qemu-real-"),
            "{told}"
        );
        Ok(())
    })
}

#[test]
fn the_service_waits_for_libvirt_and_outlives_its_restart() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        let libvirt = "libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd";
        lab.sh(&format!("systemctl stop {libvirt}"))?;
        for name in ["a", "b", "c", "short"] {
            write_domain(lab, name, WITH_CHANNELS)?;
        }
        lab.sh("systemctl enable --now hostinfo-follow 2>&1")?;
        lab.wait_until("journalctl --unit=hostinfo-follow | grep -q 'start libvirt'")?;
        lab.sh("systemctl start libvirtd")?;
        create(lab, "a")?;
        wait_for_channel(lab, "a")?;

        lab.sh("systemctl restart libvirtd")?;
        create(lab, "b")?;
        wait_for_channel(lab, "b")?;

        create(lab, "short")?;
        lab.virsh("destroy short")?;
        create(lab, "c")?;
        wait_for_channel(lab, "c")?;
        let told = journal(lab)?;
        ensure!(count(&told, "a") == 1 && !told.contains("hostinfoctl: qemu-short: "), "{told}");

        lab.sh("systemctl stop hostinfo-follow")?;
        let result = lab.sh("systemctl show --value --property=Result hostinfo-follow")?;
        ensure!(result == "success\n", "{result}: {}", journal(lab)?);
        ensure!(lab.virsh("dumpxml a")?.contains("name='org.hostinfo.0'"), "nothing is taken away");
        Ok(())
    })
}
