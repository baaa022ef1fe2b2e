//! The lab itself: how long it bears what scenarios ask of it, and whom it blames when one fails.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, Fault, Place};

/// Three times as long as any scenario.
const TIME: Duration = Duration::from_secs(900);

#[test]
fn three_busy_guests_are_answered_for_a_quarter_of_an_hour() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        lab.serve(EVERYTHING)?;
        let domain = lab.domain("a").boot()?;
        let service = lab.by_hand("b", Place::Service(String::new())).boot()?;
        let session = lab.by_hand("c", Place::Session).boot()?;
        let guests = [domain, service, session];
        for guest in &guests {
            guest.ask_until("vm.cpu.seconds", "200")?;
            guest.sh("(while :; do :; done) >/dev/null 2>&1 &")?;
        }
        let end = Instant::now() + TIME;
        let mut spent = [0.0; 3];
        while Instant::now() < end {
            for (guest, spent) in guests.iter().zip(&mut spent) {
                let now = guest.figure("vm.cpu.seconds")?;
                ensure!(now > *spent, "{}: {now} after {spent}", guest.name());
                *spent = now;
            }
        }
        Ok(())
    })
}

#[test]
fn a_guest_that_panics_or_freezes_is_told_from_one_that_works_or_was_stopped() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        let (guest, other) = (lab.domain("a").boot()?, lab.domain("b").boot()?);
        ensure!(lab.fault().is_none());
        guest.virsh("suspend", "")?;
        ensure!(lab.fault().is_none(), "a domain that is paused need not answer");
        guest.virsh("resume", "")?;

        lab.sh(&format!("kill -STOP {}", guest.pid()?))?;
        ensure!(lab.fault() == Some(Fault::GuestFroze("a".to_owned())));
        lab.sh(&format!("kill -CONT {}", guest.pid()?))?;

        other.sh("(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")?;
        sleep(Duration::from_secs(5));
        ensure!(lab.fault() == Some(Fault::GuestPanicked("b".to_owned())));
        Ok(())
    })
}
