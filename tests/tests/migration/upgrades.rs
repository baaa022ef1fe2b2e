//! A guest that is moved while the daemons of both hosts are upgraded again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::upgrading::upgrade;
use hostinfo_tests::{Daemon, Port};

use crate::asking::{ask_on, has_moved, judge, replies};
use crate::site::{SLOW, Site, arrive};

/// The rule that the guest has on both hosts. With an interval, a guest that gained an allowance gets an answer too many.
const RULES: &str = "*:\n  interval = 5\n  all = 1\n";
const INTERVAL: Duration = Duration::from_secs(5);

/// How long the daemons are upgraded before the guest is moved quickly, and again when it has arrived. Slowly, it would
/// take 40 s.
const PART: Duration = Duration::from_secs(8);

fn upgrade_both(here: &Site, there: &Site) -> Result<()> {
    [here, there].iter().try_for_each(|site| upgrade(&site.host).map(drop))
}

fn pause(_here: &Site, _there: &Site) -> Result<()> {
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}

fn for_a_part(what: impl Fn() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PART {
        what()?;
    }
    Ok(())
}

/// Returns how often each daemon was upgraded.
fn asks_while_it_is_moved(port: Port, meanwhile: fn(&Site, &Site) -> Result<()>) -> Result<usize> {
    let (here, there) = (Site::new(RULES)?, Site::new(RULES)?);
    let daemons = [here.serve()?, there.serve()?];
    let mut guest = here.boot(port)?;
    wait_for("a host", PATIENCE, || Ok(guest.ask_by(port, "ping").ok()))?;
    let begun = Instant::now();
    ask_on(&mut guest, port)?;
    let mut virsh = here.migrate(&there, &SLOW)?;
    for_a_part(|| meanwhile(&here, &there))?;
    ensure!(virsh.ended()?.is_none(), "it was moved before that: {}", virsh.log());
    here.libvirtd.virsh(&["migrate-setspeed", "a", "1000"])?;
    let is_there = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let upgrades = scope.spawn(|| -> Result<()> {
            while !is_there.load(Ordering::Relaxed) {
                meanwhile(&here, &there)?;
            }
            Ok(())
        });
        let arrived = arrive(virsh, &mut guest)
            .and_then(|()| wait_until("another session", PATIENCE, || has_moved(&mut guest)));
        is_there.store(true, Ordering::Relaxed);
        arrived.and(upgrades.join().map_err(|_| anyhow!("a thread that upgrades"))?)
    })?;
    for_a_part(|| meanwhile(&here, &there))?;
    let asked = replies(&mut guest)?;
    let logs = daemons.each_ref().map(Daemon::log);
    let values = judge(&asked).with_context(|| format!("{asked}\n{}", logs.join("\n")))?;
    // Each host has an allowance of its own.
    let most = begun.elapsed().as_secs() / INTERVAL.as_secs() + 2;
    ensure!(values <= most, "{values} values, where {most} are allowed");
    let upgrades = logs.iter().map(|log| log.matches("goes on in place of").count());
    Ok(upgrades.min().unwrap_or_default())
}

#[test]
fn a_guest_that_is_moved_loses_only_what_is_under_way() -> Result<()> {
    for port in [Port::Serial, Port::Channel] {
        ensure!(asks_while_it_is_moved(port, pause)? == 0);
    }
    Ok(())
}

#[test]
fn a_guest_that_is_moved_while_both_daemons_are_upgraded_loses_only_what_is_under_way() -> Result<()>
{
    ensure!(asks_while_it_is_moved(Port::Serial, upgrade_both)? > 10);
    Ok(())
}

#[test]
fn a_guest_with_a_channel_that_is_moved_during_upgrades_loses_only_what_is_under_way() -> Result<()>
{
    ensure!(asks_while_it_is_moved(Port::Channel, upgrade_both)? > 10);
    Ok(())
}
