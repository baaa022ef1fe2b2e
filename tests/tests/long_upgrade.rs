//! Upgrades of a daemon with as many guests as one is meant for. The daemon is an optimised one, as an administrator has: one
//! that is not needs ten times as long to read what is handed over.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_tests::Host;
use hostinfo_tests::paths::release_programs;
use hostinfo_tests::process::raise_open_files;
use hostinfo_tests::upgrading::{Asking, RULES, upgrade};

/// Guests of the daemon; the test has as many descriptors, and twice as many for a moment.
const GUESTS: usize = 10_000;

const UPGRADES: usize = 100;

#[test]
fn a_hundred_upgrades_lose_no_query_of_ten_thousand_guests_and_answer_none_twice() -> Result<()> {
    raise_open_files()?;
    let host = Host::new(RULES)?.with_programs_in(&release_programs()?);
    let daemon = host.start_daemon()?;
    let guests = Asking::join(&host, GUESTS)?;
    let mut slowest = Duration::ZERO;
    let asked = guests.ask_during(|| {
        for _ in 0..UPGRADES {
            let begun = Instant::now();
            let connected = upgrade(&host)?.guests;
            slowest = slowest.max(begun.elapsed());
            ensure!(connected == GUESTS as u64, "{connected} guests are connected");
        }
        Ok(())
    })?;
    eprintln!(
        "{asked} queries were replied to during {UPGRADES} upgrades, of which the slowest took {slowest:?}"
    );
    ensure!(daemon.log().matches("goes on in place of").count() == UPGRADES);
    Ok(())
}
