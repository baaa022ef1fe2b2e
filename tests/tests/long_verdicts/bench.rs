//! A guest at work, causes that are made for it, and what it is told.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::wait_for;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{Lab, LabGuest, PATIENCE};

use crate::table::{Row, Table};

/// How long work is counted, alone and under a cause. A verdict comes after 5 s, so its window lies
/// within this.
const COUNTED: Duration = Duration::from_secs(12);

/// What counts as having lost something, in percent: the host of the lab is emulated, and the machine
/// below it has others to serve, so that the same work takes a tenth longer from one time to the next.
const FELT: f64 = 20.0;

/// A guest that works.
pub(crate) struct Bench<'a> {
    pub(crate) lab: &'a Lab,
    guest: &'a LabGuest<'a>,
    resource: &'static str,
    table: Table,
}

/// What is done to the guest, by lines of shell in the host, and the right answer to it.
#[derive(Clone, Copy)]
pub(crate) struct Cause<'a> {
    /// In the table.
    pub(crate) name: &'a str,
    pub(crate) make: &'a str,
    pub(crate) unmake: &'a str,
    /// `ok`, `contended` or `self-limited`.
    pub(crate) state: &'a str,
    /// What the reason has to say.
    pub(crate) says: &'a str,
}

impl<'a> Bench<'a> {
    /// Verdicts about `resource` for a guest, whose rows go into the table `section` of the docs.
    pub(crate) fn new(
        lab: &'a Lab,
        guest: &'a LabGuest<'a>,
        resource: &'static str,
        section: &'static str,
    ) -> Self {
        Self { lab, guest, resource, table: Table::new(section) }
    }

    /// Has the guest do a piece of work for ever, given as shell, and count the pieces. Another that it
    /// did before is over.
    pub(crate) fn work(&self, piece: &str) -> Result<()> {
        self.rest()?;
        self.guest.sh(&format!(
            "echo 0 >/work; (i=0; while :; do {piece}; i=$((i + 1)); echo $i >/work; done) \
             >/dev/null 2>&1 & echo $! >/worker"
        ))?;
        Ok(())
    }

    /// Has the guest do nothing.
    pub(crate) fn rest(&self) -> Result<()> {
        self.guest.sh("[ ! -e /worker ] || kill -9 $(cat /worker); rm -f /worker").map(drop)
    }

    /// Makes the cause, asks while it lasts, and takes it away.
    pub(crate) fn judge(&mut self, cause: Cause<'_>) -> Result<()> {
        self.judge_with(cause, |bench| bench.lab.sh(cause.make).map(drop), Self::rate)
    }

    /// The same where the daemon has to look on before the cause, which `meanwhile` makes and waits for.
    pub(crate) fn judge_burst(
        &mut self,
        cause: Cause<'_>,
        meanwhile: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let measured = |bench: &Self| {
            let start = bench.count()?;
            let began = Instant::now();
            meanwhile(bench)?;
            Ok((bench.count()? - start) / began.elapsed().as_secs_f64())
        };
        self.judge_with(cause, |_| Ok(()), measured)
    }

    fn judge_with(
        &mut self,
        cause: Cause<'_>,
        make: impl FnOnce(&Self) -> Result<()>,
        measure: impl FnOnce(&Self) -> Result<f64>,
    ) -> Result<()> {
        let story = || format!("{}: {}", self.resource, cause.name);
        let alone = self.rate().with_context(story)?;
        make(self).with_context(story)?;
        // A daemon that has just started has seen nothing of what was before.
        self.lab.sh("systemctl restart hostinfo").with_context(story)?;
        self.guest.ask_until(&format!("verdict.{}", self.resource), "200 ")?;
        let under = measure(self).with_context(story)?;
        let told = self.verdict().with_context(story)?;
        self.lab.sh(cause.unmake).with_context(story)?;
        let lost = if alone > 0.0 { 100.0 * (1.0 - under / alone) } else { 0.0 };
        self.table.add(Row::new(self.resource, cause.name, lost, cause.state, cause.says, &told));
        Ok(())
    }

    /// That what was meant to be felt was.
    pub(crate) fn felt(&self) -> Result<()> {
        let lost = self.table.last_lost();
        ensure!(lost >= FELT, "the guest lost {lost:.0} % only: the cause was none");
        Ok(())
    }

    /// What the verdict is as soon as there is one.
    fn verdict(&self) -> Result<String> {
        let name = format!("verdict.{}", self.resource);
        let told = wait_for("a verdict", PATIENCE, || {
            let told = self.guest.ask(&name)?.concat();
            let told = told.strip_prefix(&format!("200 {name}=")).unwrap_or(&told).to_owned();
            if told.contains("ask again") {
                sleep(Duration::from_secs(1));
                return Ok(None);
            }
            Ok(Some(told))
        })?;
        Ok(told)
    }

    /// Pieces of work a second, by the clock of this side: the guest's drifts.
    fn rate(&self) -> Result<f64> {
        let (start, began) = (self.count()?, Instant::now());
        sleep(COUNTED);
        Ok((self.count()? - start) / began.elapsed().as_secs_f64())
    }

    fn count(&self) -> Result<f64> {
        wait_for("the count of the guest's work", PATIENCE, || {
            // Between being emptied and being written the file is empty.
            let count = self.guest.sh("cat /work 2>/dev/null || echo 0")?;
            Ok(count.trim().parse().ok())
        })
    }

    /// That all that was told was right, or that it was not known.
    pub(crate) fn finish(self) -> Result<()> {
        self.table.finish()
    }
}

/// Starts the daemon with rules by which everything may be seen, as often as one likes.
pub(crate) fn serve(lab: &Lab) -> Result<()> {
    lab.serve(EVERYTHING)
}
