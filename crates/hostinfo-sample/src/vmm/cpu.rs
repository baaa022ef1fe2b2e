//! Cgroups' `cpu.max`, `cpu.stat` and `cpu.weight`: how the guest's CPU time is limited.

pub(crate) mod parse;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Absent;
use crate::open_files::Reader;
use crate::root::numbered;
use crate::tally::{Newcomers, Tally};
use crate::text::{number, only_number};
use crate::vmm::branch::{Branch, Own, Version};
use crate::vmm::unit::is_libvirts;

use parse::{UNTOLD, cpu_max, in_cpus, throttled, weight_of};

const NO_QUOTA: Absent = Absent::plain("this guest has no CPU quota");
const NO_CONTROLLER: Absent = Absent::optional(
    "this guest's CPU time is not controlled",
    "turn the cpu controller on for the guest's unit: systemctl set-property UNIT CPUWeight=100",
);
const NO_CONTROLLER_OF_LIBVIRTS: Absent = Absent::optional(
    "this guest's CPU time is not controlled",
    "turn the cpu controller on for guests, in libvirt's qemu.conf: cgroup_controllers",
);
/// CPU figures of the guest's cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// Millionths of a CPU.
    pub(crate) quota: Result<u64, Absent>,
    /// Nanoseconds, summed over the host's CPUs.
    pub(crate) throttled: Result<u64, Absent>,
    /// 1 to 10,000; 100 if nobody set it; 0 if it may only run on idle CPUs.
    pub(crate) weight: Result<u64, Absent>,
}

/// How long cgroups were held back, added up.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct HeldBack {
    tally: Tally<1>,
    /// The guest's own cgroup that this belongs to.
    #[serde(with = "hostinfo_handover::path::option")]
    of: Option<PathBuf>,
    nanos: u64,
}

/// CPU figures of the cgroups around the guest's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Around {
    /// Nanoseconds, summed over the host's CPUs.
    pub(crate) throttled: u64,
    /// The cgroups that have a quota, the innermost first; if any was ever held back, only those
    /// that were.
    pub(crate) limited: Vec<PathBuf>,
    /// The quota of that cgroup if it is a single one, in millionths of a CPU.
    pub(crate) quota: Option<u64>,
}

pub(crate) fn read(
    branch: &Branch,
    roots: &Reader,
    buffer: &mut Vec<u8>,
    held: &mut HeldBack,
) -> Cpu {
    let mut files = Files { version: branch.version, roots, buffer };
    let own = branch.own();
    let vcpus = own.as_ref().map_or(Ok(Vec::new()), |own| numbered_cgroups(own, "vcpu", roots));
    let known = || vcpus.as_deref().map_err(Absent::clone);
    let quota = known().and_then(|vcpus| files.lowest_quota(branch.all(), vcpus));
    let throttled = match (&own, &quota) {
        (Ok(own), _) => known().and_then(|vcpus| {
            let rows = files.all_throttled(own.levels.iter().chain(vcpus))?;
            Ok(held.add(own.whole, &rows))
        }),
        // Without a quota, nothing was held back.
        (Err(_), Ok(None)) => Ok(held.nanos),
        (Err(absent), Ok(Some(_))) | (_, Err(absent)) => Err(absent.clone()),
    };
    let weight = own.clone().and_then(|own| files.weight(&own));
    let quota = quota.and_then(|quota| quota.ok_or(NO_QUOTA));
    Cpu { throttled, quota: quota.and_then(|quota| own.map(|_| quota)), weight }
}

/// For how many nanoseconds their own quotas held back the threads that are not vCPUs.
pub(crate) fn of_threads(
    branch: &Branch,
    roots: &Reader,
    buffer: &mut Vec<u8>,
    held: &mut HeldBack,
) -> Result<u64, Absent> {
    let Some(own) = branch.own().ok().filter(|own| is_libvirts(own.whole)) else {
        return Ok(held.nanos);
    };
    let mut cgroups = numbered_cgroups(&own, "iothread", roots)?;
    cgroups.push(own.inner.join("emulator"));
    let mut files = Files { version: branch.version, roots, buffer };
    Ok(held.add(own.whole, &files.all_throttled(cgroups.iter())?))
}

/// `tally` belongs to the cgroups around.
pub(crate) fn around(
    branch: &Branch,
    roots: &Reader,
    buffer: &mut Vec<u8>,
    tally: &mut Tally<1>,
) -> Result<Around, Absent> {
    let mut files = Files { version: branch.version, roots, buffer };
    let rows = files.all_throttled(branch.around().iter())?;
    let (mut limited, mut ever_held) = (Vec::new(), Vec::new());
    for (cgroup, throttled) in &rows {
        if let Some(quota) = files.quota(cgroup)? {
            limited.push((cgroup.to_path_buf(), quota));
            if throttled.is_some_and(|nanos| nanos > 0) {
                ever_held.push((cgroup.to_path_buf(), quota));
            }
        }
    }
    // A guest may be moved into a slice that has already been throttled for days.
    let throttled = add(tally, Newcomers::CountFromNow, &rows);
    let limited = if ever_held.is_empty() { limited } else { ever_held };
    let quota = match limited.as_slice() {
        [(_, quota)] => Some(*quota),
        _ => None,
    };
    Ok(Around { throttled, limited: limited.into_iter().map(|(path, _)| path).collect(), quota })
}

impl HeldBack {
    fn add(&mut self, whole: &Path, rows: &Rows<'_>) -> u64 {
        // vCPUs that were plugged in were not held back before. But a cgroup that the guest is
        // moved to may have belonged to another guest.
        let is_same = self.of.as_deref().is_none_or(|of| of == whole);
        let newcomers = if is_same { Newcomers::CountFromZero } else { Newcomers::CountFromNow };
        self.of = Some(whole.to_owned());
        self.nanos = add(&mut self.tally, newcomers, rows);
        self.nanos
    }
}

/// Cgroups, and how long each was held back: `None` if the controller is off.
type Rows<'a> = Vec<(&'a Path, Option<u64>)>;

fn add(tally: &mut Tally<1>, newcomers: Newcomers, rows: &Rows<'_>) -> u64 {
    let rows = rows
        .iter()
        .map(|(path, nanos)| (path.as_os_str().as_encoded_bytes(), nanos.map(|nanos| [nanos])));
    let [nanos] = tally.add(newcomers, rows).sums;
    nanos
}

/// The most cgroups of single vCPUs or iothreads that are read, each with two files of some 7 us: 14 ms, for which all other
/// guests wait. Whoever may make cgroups for a VMM can make any number of them with libvirt's names.
const THREAD_CGROUPS_MAX: usize = 1024;

/// The cgroups that libvirt created for single vCPUs or iothreads; empty if it did not.
fn numbered_cgroups(own: &Own<'_>, name: &str, roots: &Reader) -> Result<Vec<PathBuf>, Absent> {
    let found = numbered(roots.cgroups().join(own.inner), name, THREAD_CGROUPS_MAX);
    let mut entries = match found {
        Err(unread) if !unread.is_not_there() => return Err(unread.or(UNTOLD)),
        found => found.unwrap_or_default(),
    };
    entries.sort_unstable_by_key(|entry| entry.number);
    Ok(entries.iter().map(|entry| own.inner.join(format!("{name}{}", entry.number))).collect())
}

/// The files of both versions.
struct Files<'a> {
    version: Version,
    roots: &'a Reader,
    buffer: &'a mut Vec<u8>,
}

impl Files<'_> {
    /// `None` if there is no such file: the controller is off here, so nothing is limited.
    fn file(&mut self, cgroup: &Path, name: &str) -> Result<Option<&[u8]>, Absent> {
        match self.roots.cgroup(cgroup.join(name), self.buffer) {
            Ok(text) => Ok(Some(text)),
            Err(unread) if unread.is_not_there() => Ok(None),
            Err(unread) => Err(unread.or(UNTOLD)),
        }
    }

    fn all_throttled<'p>(
        &mut self,
        cgroups: impl Iterator<Item = &'p PathBuf>,
    ) -> Result<Rows<'p>, Absent> {
        let mut rows = Vec::new();
        for cgroup in cgroups {
            let nanos = match self.file(cgroup, "cpu.stat")? {
                Some(text) => throttled(text)?,
                None => None,
            };
            if nanos.is_none() && self.quota(cgroup)?.is_some() {
                return Err(UNTOLD);
            }
            rows.push((cgroup.as_path(), nanos));
        }
        Ok(rows)
    }

    /// The lowest of the quotas on the way up and of the quota of the vCPUs together. The vCPUs
    /// only have one if each of them has its own.
    fn lowest_quota(&mut self, all: &[PathBuf], vcpus: &[PathBuf]) -> Result<Option<u64>, Absent> {
        let mut sum = (!vcpus.is_empty()).then_some(0u64);
        for vcpu in vcpus {
            let Some(so_far) = sum else { break };
            sum = self.quota(vcpu)?.map(|quota| so_far.saturating_add(quota));
        }
        let mut lowest = sum;
        for cgroup in all {
            lowest = self.quota(cgroup)?.into_iter().chain(lowest).min();
        }
        Ok(lowest)
    }

    fn quota(&mut self, cgroup: &Path) -> Result<Option<u64>, Absent> {
        match self.version {
            Version::V2 => match self.file(cgroup, "cpu.max")? {
                Some(text) => cpu_max(text).ok_or(UNTOLD),
                None => Ok(None),
            },
            Version::V1 => {
                let quota = match self.file(cgroup, "cpu.cfs_quota_us")?.map(<[u8]>::trim_ascii) {
                    None | Some(b"-1") => return Ok(None),
                    Some(text) => number(text).ok_or(UNTOLD)?,
                };
                let period = self.file(cgroup, "cpu.cfs_period_us")?.and_then(only_number);
                period.and_then(|period| in_cpus((quota, period))).map(Some).ok_or(UNTOLD)
            }
        }
    }

    fn weight(&mut self, own: &Own<'_>) -> Result<u64, Absent> {
        let name = match self.version {
            Version::V2 => "cpu.weight",
            Version::V1 => "cpu.shares",
        };
        for level in own.levels.iter().rev() {
            let Some(text) = self.file(level, name)? else { continue };
            let figure = only_number(text).ok_or(UNTOLD)?;
            return Ok(match self.version {
                Version::V2 => figure,
                Version::V1 => weight_of(figure),
            });
        }
        Err(if is_libvirts(own.whole) { NO_CONTROLLER_OF_LIBVIRTS } else { NO_CONTROLLER })
    }
}
