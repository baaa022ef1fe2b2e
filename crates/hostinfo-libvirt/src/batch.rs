//! How many domains libvirt is asked about in one call.

use hostinfo_domains::Uuid;

/// The most domains whose statistics are requested in one call: 64 times some 3 ms is far below the
/// 5 s that a call may take.
const AT_ONCE: usize = 64;

/// The most vCPUs they may have together, unless a single domain has more: for each vCPU, libvirt
/// 11 sends 50 numbers of 60 bytes with their names, and an answer has to fit into its 32 MiB
/// (VIR_NET_MESSAGE_MAX).
const VCPUS_AT_ONCE: u64 = 4096;

/// Splits domains, each with its number of vCPUs, into one batch per call.
pub(crate) fn batches(domains: impl Iterator<Item = (Uuid, u64)>) -> Vec<Vec<Uuid>> {
    let mut batches: Vec<Vec<Uuid>> = Vec::new();
    let mut room = 0;
    for (uuid, vcpus) in domains {
        match batches.last_mut().filter(|last| last.len() < AT_ONCE && vcpus <= room) {
            Some(last) => last.push(uuid),
            None => {
                batches.push(vec![uuid]);
                room = VCPUS_AT_ONCE;
            }
        }
        room = room.saturating_sub(vcpus);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_asks_for_a_bounded_number_of_domains_and_of_vcpus() {
        let sizes = |vcpus: &[u64]| -> Vec<usize> {
            let domains = vcpus.iter().map(|vcpus| (Uuid::from_u128(1), *vcpus));
            batches(domains).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[2; 2 * AT_ONCE + 1]), [AT_ONCE, AT_ONCE, 1]);
        assert_eq!(sizes(&[2000, 2000, 96, 1, u64::MAX, 1]), [3, 1, 1, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }
}
