//! What guests under the same grant share within one step of the samples' grid.

use std::sync::Arc;

use hostinfo_rules::Grant;

/// Things made in one step, each under a grant.
///
/// Each is found only with the grant it was made under. So no guest of another rule gets it, and
/// nobody gets it once the rules have changed or in another step.
pub(crate) struct StepCache<T> {
    /// [`Moment::slot`](hostinfo_sample::Moment::slot).
    step: u64,
    /// The grants are kept alive, so that no other grant can have the same address.
    kept: Vec<(Arc<Grant>, T)>,
}

impl<T> Default for StepCache<T> {
    fn default() -> Self {
        Self { step: 0, kept: Vec::new() }
    }
}

impl<T> StepCache<T> {
    /// What was made in this step under this grant, and `matches`.
    pub(crate) fn find(
        &self,
        grant: &Arc<Grant>,
        step: u64,
        matches: impl Fn(&T) -> bool,
    ) -> Option<&T> {
        (self.step == step).then_some(())?;
        let mut kept = self.kept.iter();
        kept.find(|(own, what)| matches(what) && Arc::ptr_eq(own, grant)).map(|(_, what)| what)
    }

    /// Makes one and keeps it for the rest of the step, if fewer than `most` are kept.
    pub(crate) fn keep(
        &mut self,
        grant: &Arc<Grant>,
        step: u64,
        make: impl FnOnce() -> T,
        most: usize,
    ) {
        if self.step != step {
            self.step = step;
            self.kept.clear();
        }
        if self.kept.len() < most {
            self.kept.push((Arc::clone(grant), make()));
        }
    }
}
