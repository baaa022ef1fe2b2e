//! A minute of faults beside 200 guests; `long_chaos` makes them for five.

use std::time::Duration;

use anyhow::Result;
use hostinfo_tests::chaos::{Beside, run};

#[test]
fn whatever_breaks_guests_get_whole_permitted_replies_of_their_own() -> Result<()> {
    run(Beside::AFakeHelper, Duration::from_secs(45))
}

#[test]
fn whatever_breaks_beside_a_real_libvirtd_guests_are_served() -> Result<()> {
    run(Beside::ALibvirtd, Duration::from_secs(15))
}
