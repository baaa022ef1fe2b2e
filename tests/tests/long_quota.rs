//! A guest that is held back by its own CPU quota: what it lost, and what it is told of it.
//!
//! A model of a scenario: the cause is made on purpose, the guest itself measures what it loses, and the
//! verdict of a time that lies within the cause has to say so.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, Work};

/// How long work is measured: a reading takes under half a second, so that it is wrong by 5 % at most.
const MEASURE: Duration = Duration::from_secs(20);

#[test]
fn a_domain_at_its_own_quota_is_told_that_it_is_its_own() -> Result<()> {
    lab::run(BOOKWORM, |lab| {
        lab.serve(EVERYTHING)?;
        let guest = lab.domain("a").boot()?;
        let work = guest.work(Work::Cpu)?;
        guest.ask_until("verdict.cpu", "200 ")?;
        let alone = work.rate(MEASURE)?;
        guest.expect("cpu", Instant::now() - MEASURE, "ok", "")?;

        // A fifth of a CPU.
        guest.virsh("schedinfo", "--live --set vcpu_quota=20000")?;
        let since = Instant::now();
        let limited = work.rate(MEASURE)?;
        let left = limited / alone;
        ensure!((0.12..0.28).contains(&left), "a fifth is left, not {left} of {alone}");
        guest.expect("cpu", since, "self-limited", "your own CPU quota of 0.20 CPUs held")?;
        guest.ask_until("vm.cpu.quota", "200 vm.cpu.quota=0.2")?;

        guest.virsh("schedinfo", "--live --set vcpu_quota=-1")?;
        let since = Instant::now();
        let again = work.rate(MEASURE)? / alone;
        ensure!((0.75..1.25).contains(&again), "all is back, not {again} of {alone}");
        guest.expect("cpu", since, "ok", "")?;
        Ok(())
    })
}
