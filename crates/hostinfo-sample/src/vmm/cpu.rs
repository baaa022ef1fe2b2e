//! Cgroups' `cpu.max`, `cpu.stat` and `cpu.weight`: how the guest's CPU time is limited.

use std::path::{Path, PathBuf};

use crate::Absent;
use crate::root::{Roots, Unread, numbered};
use crate::tally::{Newcomers, Tally};
use crate::text::{lines, number, only_number, words};
use crate::vmm::cgroup::{Own, Shared, Version};
use crate::vmm::role::VCPUS_MAX;

const NO_QUOTA: Absent = Absent::plain("this guest has no CPU quota");
const NO_CONTROLLER: Absent = Absent::new(
    "this guest's CPU time is not controlled",
    "turn the cpu controller on for the guest's cgroup, in libvirt's qemu.conf: cgroup_controllers",
);

/// What the guest's cgroups say of its CPU time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// Millionths of a CPU.
    pub(crate) quota: Result<u64, Absent>,
    /// Nanoseconds, added up over the CPUs of the host.
    pub(crate) throttled: Result<u64, Absent>,
    /// 1 to 10,000, 100 where nobody set it; 0 where it is to run only on idle CPUs.
    pub(crate) weight: Result<u64, Absent>,
}

pub(crate) fn read(own: &Own, roots: &Roots, buffer: &mut Vec<u8>, tally: &mut Tally<1>) -> Cpu {
    let vcpus = vcpu_cgroups(own, roots);
    let mut files = Files { version: own.version, roots, buffer };
    let all = own.levels().chain(vcpus.iter().map(PathBuf::as_path));
    let throttled = tally.add(Newcomers::CountFromZero, files.all_throttled(all), |_| true);
    let [ns] = throttled.sums;
    Cpu {
        throttled: if throttled.devices == 0 { Err(NO_CONTROLLER) } else { Ok(ns) },
        quota: files.guests_quota(own, &vcpus).and_then(|quota| quota.ok_or(NO_QUOTA)),
        weight: files.weight(own),
    }
}

/// For how long all in the shared cgroups were held back, in nanoseconds, added up over the CPUs of
/// the host.
pub(crate) fn throttled_around(
    shared: &Shared,
    roots: &Roots,
    buffer: &mut Vec<u8>,
    tally: &mut Tally<1>,
) -> u64 {
    let mut files = Files { version: shared.version, roots, buffer };
    // A guest may be moved into a slice that was throttled for days.
    let [ns] =
        tally.add(Newcomers::CountFromNow, files.all_throttled(shared.paths()), |_| true).sums;
    ns
}

/// Those that libvirt made for single vCPUs; none where it did not.
fn vcpu_cgroups(own: &Own, roots: &Roots) -> Vec<PathBuf> {
    let bound = usize::try_from(VCPUS_MAX).unwrap_or(usize::MAX);
    let mut entries = numbered(roots.cgroups().join(&own.inner), "vcpu", bound).unwrap_or_default();
    entries.sort_unstable_by_key(|entry| entry.number);
    entries.iter().map(|entry| own.inner.join(format!("vcpu{}", entry.number))).collect()
}

/// The files of both versions.
struct Files<'a> {
    version: Version,
    roots: &'a Roots,
    buffer: &'a mut Vec<u8>,
}

impl Files<'_> {
    fn file(&mut self, cgroup: &Path, name: &str) -> Result<&[u8], Unread> {
        self.roots.cgroup(cgroup.join(name), self.buffer)
    }

    /// As a tally takes it.
    fn all_throttled<'p>(
        &mut self,
        cgroups: impl Iterator<Item = &'p Path>,
    ) -> impl Iterator<Item = (&'p [u8], Option<[u64; 1]>)> {
        cgroups.map(|cgroup| {
            let stat = self.file(cgroup, "cpu.stat").ok();
            (cgroup.as_os_str().as_encoded_bytes(), stat.and_then(throttled).map(|ns| [ns]))
        })
    }

    /// The lower one of the quota of the whole and those of the vCPUs together, which are one
    /// only where each has its own.
    fn guests_quota(&mut self, own: &Own, vcpus: &[PathBuf]) -> Result<Option<u64>, Absent> {
        let mut lowest: Option<u64> = None;
        for level in own.levels() {
            lowest = lower(lowest, self.quota(level)?);
        }
        let mut sum = (!vcpus.is_empty()).then_some(0u64);
        for vcpu in vcpus {
            let Some(so_far) = sum else { break };
            sum = self.quota(vcpu)?.map(|quota| so_far.saturating_add(quota));
        }
        Ok(lower(lowest, sum))
    }

    fn quota(&mut self, cgroup: &Path) -> Result<Option<u64>, Absent> {
        let quota = match self.version {
            Version::V2 => self.file(cgroup, "cpu.max").map(|text| {
                let mut words = words(text);
                (words.next().and_then(number), words.next().and_then(number))
            }),
            Version::V1 => match self.file(cgroup, "cpu.cfs_quota_us").map(only_number) {
                Ok(Some(quota)) => self
                    .file(cgroup, "cpu.cfs_period_us")
                    .map(|text| (Some(quota), only_number(text))),
                // -1 is no quota.
                other => other.map(|quota| (quota, None)),
            },
        };
        match quota {
            Ok((quota, period)) => Ok(quota.zip(period).and_then(in_cpus)),
            // The controller is off here: nothing is limited.
            Err(unread) if unread.is_not_there() => Ok(None),
            Err(unread) => Err(unread.or(NO_CONTROLLER)),
        }
    }

    fn weight(&mut self, own: &Own) -> Result<u64, Absent> {
        let name = match own.version {
            Version::V2 => "cpu.weight",
            Version::V1 => "cpu.shares",
        };
        let text = self.file(&own.path, name).map_err(|e| e.or(NO_CONTROLLER))?;
        let figure = only_number(text).ok_or(NO_CONTROLLER)?;
        Ok(match own.version {
            Version::V2 => figure,
            Version::V1 => weight_of(figure),
        })
    }
}

fn lower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// Microseconds of CPU time in a period of so many, in millionths of a CPU.
fn in_cpus((quota, period): (u64, u64)) -> Option<u64> {
    let micros = u128::from(quota).checked_mul(1_000_000)?.checked_div(u128::from(period))?;
    u64::try_from(micros).ok()
}

/// v1's shares as v2's weight, as the kernel itself turns one into the other: 1,024 are 100.
fn weight_of(shares: u64) -> u64 {
    (shares.saturating_mul(100).saturating_add(512) / 1024).clamp(1, 10_000)
}

/// ```text
/// nr_periods 120
/// nr_throttled 31
/// throttled_usec 482113
/// ```
///
/// In nanoseconds. v1 has `throttled_time 482113000` in them.
pub(crate) fn throttled(text: &[u8]) -> Option<u64> {
    lines(text).find_map(|line| {
        let mut words = words(line);
        match words.next()? {
            b"throttled_usec" => number(words.next()?)?.checked_mul(1000),
            b"throttled_time" => number(words.next()?),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn throttled_time_is_in_nanoseconds_in_both_versions() {
        // Linux 5.14 and 6.18.
        let v2 = "usage_usec 9\nuser_usec 8\nsystem_usec 1\nnr_periods 2\nnr_throttled 1\n\
                  throttled_usec 482113\nnr_bursts 0\nburst_usec 0\n";
        assert_eq!(throttled(v2.as_bytes()), Some(482_113_000));
        let v1 = "nr_periods 2\nnr_throttled 1\nthrottled_time 482113001\nnr_bursts 0\n";
        assert_eq!(throttled(v1.as_bytes()), Some(482_113_001));
    }

    #[test]
    fn without_the_controller_nothing_is_throttled() {
        assert_eq!(throttled(b"usage_usec 9\nuser_usec 8\nsystem_usec 1\n"), None);
        assert_eq!(throttled(b"throttled_usec -1\n"), None);
        assert_eq!(throttled(b"throttled_usec 18446744073709551615\n"), None);
    }

    #[test]
    fn a_quota_is_in_cpus() {
        assert_eq!(in_cpus((50_000, 100_000)), Some(500_000));
        assert_eq!(in_cpus((250_000, 100_000)), Some(2_500_000));
        assert_eq!(in_cpus((1, 0)), None);
        assert_eq!(in_cpus((u64::MAX, 1)), None);
    }

    #[test]
    fn shares_become_the_weight_that_the_kernel_would_make_of_them() {
        let weights = [(1024, 100), (2048, 200), (2, 1), (262_144, 10_000), (512, 50), (0, 1)];
        for (shares, weight) in weights {
            assert_eq!(weight_of(shares), weight, "{shares}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, quota: u64, period: u64) {
            throttled(&bytes);
            in_cpus((quota, period));
            prop_assert!((1..=10_000).contains(&weight_of(quota)));
        }
    }
}
