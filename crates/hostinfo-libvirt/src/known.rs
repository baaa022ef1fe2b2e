//! A domain as it was reported to the daemon, with what is kept for it here.

use std::collections::HashMap;

use hostinfo_domains::{Configured, Domain, Figures};

pub(crate) struct Known {
    pub(crate) domain: Domain,
    pub(crate) disks: Vec<Configured>,
    /// I/O errors of this run that paused it, by disk: at most one entry per disk.
    errors: HashMap<String, u64>,
}

impl Known {
    /// A domain that was described again. If its run continues, so do its error counts.
    pub(crate) fn new(domain: Domain, disks: Vec<Configured>, before: Option<Self>) -> Self {
        let same_run = before.filter(|before| before.domain.id == domain.id);
        let errors = same_run.map(|before| before.errors).unwrap_or_default();
        Self { domain, disks, errors }
    }

    /// Counts that errors of these disks have paused it.
    pub(crate) fn count(&mut self, failed: &[String]) {
        for dev in failed {
            if self.disks.iter().any(|disk| disk.dev == *dev) {
                let all = self.errors.entry(dev.clone()).or_default();
                *all = all.saturating_add(1);
            }
        }
    }

    /// Puts the disks' errors into their figures. Only QEMU reports errors.
    pub(crate) fn tell_errors(&self, figures: &mut Figures) {
        for disk in figures.disks.iter_mut().filter(|_| self.domain.driver == "qemu") {
            disk.errors = Some(self.errors.get(&disk.dev).copied().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::{Disk, examples};

    fn known(id: u32, before: Option<Known>) -> Known {
        let domain = Domain { id: Some(id), ..examples::domain(1, "a") };
        let disk = Configured { dev: "vda".to_owned(), ..Configured::default() };
        Known::new(domain, vec![disk], before)
    }

    fn counts(known: &Known) -> Vec<Option<u64>> {
        let disk = |dev: &str| Disk { dev: dev.to_owned(), ..Disk::default() };
        let mut figures = Figures { disks: vec![disk("vda"), disk("vdb")], ..Figures::default() };
        known.tell_errors(&mut figures);
        figures.disks.iter().map(|disk| disk.errors).collect()
    }

    #[test]
    fn errors_are_those_of_the_run_and_of_disks_that_there_are() {
        let mut first = known(1, None);
        assert_eq!(counts(&first), [Some(0), Some(0)]);
        let failed = ["vda".to_owned(), "vdz".to_owned()];
        first.count(&failed);
        first.count(&failed);
        assert_eq!(first.errors.len(), 1);
        let same = known(1, Some(first));
        assert_eq!(counts(&same), [Some(2), Some(0)]);
        assert_eq!(counts(&known(2, Some(same))), [Some(0), Some(0)]);
        let mut xen = known(1, None);
        xen.domain.driver = "xen".to_owned();
        assert_eq!(counts(&xen), [None, None]);
    }
}
