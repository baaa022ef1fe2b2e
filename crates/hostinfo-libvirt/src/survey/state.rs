//! libvirt's word for what a domain does.

use hostinfo_domains::State;
use virt_sys as sys;

/// virDomainState and its reason. Xen's domains are "blocked" or have no state while they wait
/// for something.
pub(super) fn state(number: u64, reason: Option<u64>) -> State {
    match u32::try_from(number) {
        Ok(sys::VIR_DOMAIN_NOSTATE | sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED) => {
            State::Running
        }
        Ok(sys::VIR_DOMAIN_PAUSED) => match reason.map(u32::try_from) {
            Some(Ok(
                sys::VIR_DOMAIN_PAUSED_STARTING_UP
                | sys::VIR_DOMAIN_PAUSED_MIGRATION
                | sys::VIR_DOMAIN_PAUSED_POSTCOPY,
            )) => State::Moving,
            _ => State::Paused,
        },
        Ok(sys::VIR_DOMAIN_PMSUSPENDED) => State::Asleep,
        Ok(sys::VIR_DOMAIN_SHUTDOWN) => State::ShuttingDown,
        Ok(sys::VIR_DOMAIN_CRASHED) => State::Crashed,
        _ => State::Off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_is_being_started_or_moved_is_not_paused() {
        let paused = |reason| state(u64::from(sys::VIR_DOMAIN_PAUSED), reason);
        assert_eq!(paused(Some(u64::from(sys::VIR_DOMAIN_PAUSED_STARTING_UP))), State::Moving);
        assert_eq!(paused(Some(u64::from(sys::VIR_DOMAIN_PAUSED_MIGRATION))), State::Moving);
        assert_eq!(paused(Some(u64::from(sys::VIR_DOMAIN_PAUSED_USER))), State::Paused);
        assert_eq!(paused(Some(u64::from(sys::VIR_DOMAIN_PAUSED_IOERROR))), State::Paused);
        assert_eq!((paused(None), state(1, None)), (State::Paused, State::Running));
    }
}
