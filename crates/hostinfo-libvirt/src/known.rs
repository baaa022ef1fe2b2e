//! A domain as it was reported to the daemon, with what is kept for it here.

use std::collections::HashMap;

use hostinfo_domains::{Configured, Domain, Figures};

pub(crate) struct Known {
    pub(crate) domain: Domain,
    pub(crate) disks: Vec<Configured>,
    /// I/O errors of this run, by libvirt's names for the disks: at most one entry per disk.
    errors: HashMap<String, u64>,
}

impl Known {
    /// A domain that was described again. If its run continues, so do its error counts.
    pub(crate) fn new(domain: Domain, disks: Vec<Configured>, before: Option<Self>) -> Self {
        let same_run = before.filter(|before| before.domain.id == domain.id);
        let errors = same_run.map(|before| before.errors).unwrap_or_default();
        Self { domain, disks, errors }
    }

    /// Counts errors of its disks.
    pub(crate) fn count(&mut self, errors: &HashMap<String, u64>) {
        for (alias, errors) in errors {
            if self.disks.iter().any(|disk| disk.alias.as_ref() == Some(alias)) {
                let all = self.errors.entry(alias.clone()).or_default();
                *all = all.saturating_add(*errors);
            }
        }
    }

    /// Puts the disks' errors into their figures. Only QEMU reports errors.
    pub(crate) fn tell_errors(&self, figures: &mut Figures) {
        let disks = figures.disks.iter_mut().filter(|_| self.domain.driver == "qemu");
        for disk in disks {
            let own = self.disks.iter().find(|own| own.dev == disk.dev);
            let alias = own.and_then(|own| own.alias.as_deref());
            disk.errors = alias.map(|alias| self.errors.get(alias).copied().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::{Disk, examples};

    fn known(id: u32, before: Option<Known>) -> Known {
        let domain = Domain { id: Some(id), ..examples::domain(1, "a") };
        let alias = Some("virtio-disk0".to_owned());
        let disk = Configured { dev: "vda".to_owned(), alias, ..Configured::default() };
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
        assert_eq!(counts(&first), [Some(0), None], "nothing is known of a disk without a name");
        let errors = [("virtio-disk0".to_owned(), 2), ("virtio-disk9".to_owned(), 5)].into();
        first.count(&errors);
        first.count(&errors);
        assert_eq!(first.errors.len(), 1);
        let same = known(1, Some(first));
        assert_eq!(counts(&same), [Some(4), None]);
        assert_eq!(counts(&known(2, Some(same))), [Some(0), None]);
        let mut xen = known(1, None);
        xen.domain.driver = "xen".to_owned();
        assert_eq!(counts(&xen), [None, None]);
    }
}
