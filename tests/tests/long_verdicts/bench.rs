//! A guest at work, causes that are made for it, and what it is told.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, Lab, LabGuest, Lsm, Meter, Spec, Verdict, Work};

use crate::table::{FELT, Row, Table};

/// How long work is counted, alone and under a cause. A verdict comes after 5 s, so its window lies
/// within this.
const COUNTED: Duration = Duration::from_secs(12);

/// How often it is, at most, where a guest that should have lost nothing seems to have lost something.
const MEASURED: u32 = 3;

/// Runs a scenario on a host that tells every guest everything.
pub(crate) fn on(host: Spec, scenario: impl Fn(&Lab) -> Result<()>) -> Result<()> {
    lab::run(host, |lab| {
        lab.serve(EVERYTHING)?;
        if host.lsm == Lsm::Selinux {
            // Without this label, libvirt may make no sockets there: see README.md.
            lab.sh("chcon -R -t virt_image_t /var/lib/hostinfo")?;
        }
        scenario(lab)
    })
}

/// A guest that is asked about one resource.
pub(crate) struct Bench<'a> {
    lab: &'a Lab,
    guest: &'a LabGuest<'a>,
    resource: &'static str,
    meter: Option<Meter<'a>>,
    /// The most that it got done in a second at this work: it may still suffer from the cause before.
    best: f64,
    table: Table,
}

/// A cause and the right answer to it.
#[derive(Clone, Copy)]
pub(crate) struct Cause {
    /// In the table.
    pub(crate) name: &'static str,
    /// `ok`, `contended` or `self-limited`.
    pub(crate) state: &'static str,
    /// What the reason has to say.
    pub(crate) says: &'static str,
}

impl<'a> Bench<'a> {
    /// Verdicts about `resource` for a guest.
    pub(crate) fn new(lab: &'a Lab, guest: &'a LabGuest<'a>, resource: &'static str) -> Self {
        Self { lab, guest, resource, meter: None, best: 0.0, table: Table::new(lab.spec()) }
    }

    /// Sets the guest to work, at nothing else than before.
    pub(crate) fn work(&mut self, work: Work) -> Result<()> {
        self.rest()?;
        self.meter = Some(self.guest.work(work)?);
        // The emulation is slower at work that is new to it.
        self.alone().map(drop)
    }

    /// Has the guest do nothing.
    pub(crate) fn rest(&mut self) -> Result<()> {
        self.best = 0.0;
        self.meter.take().map_or(Ok(()), Meter::end)
    }

    /// Asks while the cause lasts that `make` makes, up to the end of what it gives back, and takes the
    /// rest of it away by a line of shell in the host.
    pub(crate) fn judge<T>(
        &mut self,
        cause: Cause,
        make: impl FnOnce() -> Result<T>,
        unmake: &str,
    ) -> Result<()> {
        let resource = self.resource;
        let story = || format!("{resource}: {}", cause.name);
        let mut alone = self.alone().with_context(story)?;
        let made = make().with_context(story)?;
        let since = Instant::now();
        // A daemon that has just started has seen nothing of what was before.
        self.begin().with_context(story)?;
        let mut under = self.rate().with_context(story)?;
        if cause.state == "ok" {
            // What other work of this machine takes from the emulation is not lost by the cause.
            for _ in 1..MEASURED {
                if alone == 0.0 || lost(alone, under) < FELT {
                    break;
                }
                under = under.max(self.rate().with_context(story)?);
            }
        }
        let told = self.guest.verdict(self.resource, since).with_context(story)?;
        if told.state != cause.state {
            let figures = self.guest.ask("verdict vm.cpu vm.memory vm.pressure disk")?;
            eprintln!("{}", figures.join("\n"));
        }
        drop(made);
        self.lab.sh(&format!("{unmake}\ntrue")).with_context(story)?;
        if cause.state != "ok" && alone > 0.0 && lost(alone, under) < FELT {
            // Other work of this machine may have slowed what the guest did before.
            alone = self.alone().with_context(story)?;
        }
        self.add(cause, alone, under, &told);
        Ok(())
    }

    /// The same of a cause that comes while the daemon looks on, lasts for [`COUNTED`], and is gone as
    /// long before the question.
    pub(crate) fn judge_burst<T>(
        &mut self,
        cause: Cause,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<()> {
        let resource = self.resource;
        let story = || format!("{resource}: {}", cause.name);
        let alone = self.alone().with_context(story)?;
        let since = Instant::now();
        self.begin().with_context(story)?;
        sleep(COUNTED);
        let made = make().with_context(story)?;
        let under = self.rate().with_context(story)?;
        drop(made);
        sleep(COUNTED);
        let told = self.guest.verdict(self.resource, since).with_context(story)?;
        self.add(cause, alone, under, &told);
        Ok(())
    }

    /// That what was meant to be felt was.
    pub(crate) fn felt(&self) -> Result<()> {
        let lost = self.table.last_lost();
        ensure!(
            lost.is_some_and(|lost| lost >= FELT),
            "the guest lost {lost:?} % only: the cause was none"
        );
        Ok(())
    }

    /// That the last verdict need not be known.
    pub(crate) fn may_be_unknown(&mut self) {
        self.table.last_may_be_unknown();
    }

    fn begin(&self) -> Result<()> {
        self.lab.sh("systemctl restart hostinfo")?;
        self.guest.ask_until(&format!("verdict.{}", self.resource), "200 ").map(drop)
    }

    fn add(&mut self, cause: Cause, alone: f64, under: f64, told: &Verdict) {
        let lost = (alone > 0.0).then(|| lost(alone, under));
        self.table.add(Row::new(self.resource, cause.name, lost, cause.state, cause.says, told));
    }

    fn alone(&mut self) -> Result<f64> {
        self.best = self.best.max(self.rate()?);
        Ok(self.best)
    }

    fn rate(&self) -> Result<f64> {
        match &self.meter {
            Some(meter) => meter.rate(COUNTED),
            None => {
                sleep(COUNTED);
                Ok(0.0)
            }
        }
    }

    /// That all that was told was right, or that it was not known.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.rest()?;
        self.table.finish()
    }
}

/// Percent of the work that is done alone.
fn lost(alone: f64, under: f64) -> f64 {
    100.0 * (1.0 - under / alone)
}
