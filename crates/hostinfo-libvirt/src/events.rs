//! Unsolicited events from libvirt.
#![expect(unsafe_code, reason = "crate `virt` has no events")]

mod crashes;

use std::ffi::{c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hostinfo_domains::{Message, Uuid};
use virt::connect::Connect;
use virt::event::{event_register_default_impl, event_run_default_impl};
use virt_sys as sys;
use virt_sys::{virConnectPtr, virDomainPtr, virTypedParameterPtr};

use self::crashes::Crashes;
use crate::inbox::{Change, INBOX};
use crate::output::{exit_now, send};
use crate::survey::Lost;
use crate::threads::Threads;

static CRASHES: Mutex<Crashes> = Mutex::new(Crashes::new());

/// Receives events from now on, in a thread of its own.
///
/// # Errors
/// If libvirt is out of resources, or no thread can be started.
pub(crate) fn receive_in_thread(threads: &Threads) -> Result<(), Lost> {
    event_register_default_impl()?;
    threads.start("events", || {
        while event_run_default_impl().is_ok() {}
        INBOX.lost();
    })?;
    Ok(())
}

/// Puts all events that matter into the [`INBOX`]. Events that this libvirt or hypervisor does not
/// support are left out: new domains are found whenever the daemon asks.
pub(crate) fn register(connect: &Connect) {
    // SAFETY: the connection is open, and the callback needs nothing that could go away.
    unsafe {
        sys::virConnectRegisterCloseCallback(connect.as_ptr(), Some(closed), null_mut(), None);
    }
    for (event, callback) in callbacks() {
        // SAFETY: the connection is open, the callback is of the type that goes with the event,
        // and it needs nothing that could go away.
        unsafe {
            sys::virConnectDomainEventRegisterAny(
                connect.as_ptr(),
                null_mut(),
                event.cast_signed(),
                callback,
                null_mut(),
                None,
            );
        }
    }
}

type Callback = sys::virConnectDomainEventGenericCallback;

/// Every event with its callback, cast to the untyped pointer that libvirt wants.
///
/// A VMM that was taken over sends its events as fast as libvirtd reads them, and libvirtd's queue for
/// a client takes longer with each message in it: 100,000 in 5 s kept libvirtd 9.0 from answering
/// anybody for minutes. So these are only events that an administrator causes, or before which libvirtd
/// writes the domain's status to a file, which is slower than sending; of crashes alone it is not, see
/// [`crashes`]. I/O errors (`BLOCK_IO_ERROR`) and iterations of a migration (`MIGRATION_PASS`) are
/// passed on as they come, and have to be asked for.
fn callbacks() -> [(sys::virDomainEventID, Callback); 7] {
    // SAFETY: all are pointers to functions, and libvirt calls each as the type that it has here.
    unsafe {
        [
            (
                sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                transmute::<sys::virConnectDomainEventCallback, Callback>(Some(lifecycle)),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                transmute::<sys::virConnectDomainEventDeviceAddedCallback, Callback>(Some(device)),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                transmute::<sys::virConnectDomainEventDeviceRemovedCallback, Callback>(Some(
                    device,
                )),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                transmute::<sys::virConnectDomainEventMetadataChangeCallback, Callback>(Some(
                    metadata,
                )),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_TUNABLE,
                transmute::<sys::virConnectDomainEventTunableCallback, Callback>(Some(params)),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                transmute::<sys::virConnectDomainEventJobCompletedCallback, Callback>(Some(params)),
            ),
            (
                sys::VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2,
                transmute::<sys::virConnectDomainEventBlockJobCallback, Callback>(Some(block_job)),
            ),
        ]
    }
}

extern "C" fn closed(_: virConnectPtr, _: c_int, _: *mut c_void) {
    INBOX.lost();
}

extern "C" fn lifecycle(
    _: virConnectPtr,
    domain: virDomainPtr,
    event: c_int,
    detail: c_int,
    _: *mut c_void,
) -> c_int {
    let event = event.cast_unsigned();
    if event == sys::VIR_DOMAIN_EVENT_CRASHED {
        end_if_flooded(domain);
    }
    note(domain, of_lifecycle(event, detail.cast_unsigned()));
    0
}

/// Ends the program, and so all its connections, if that domain reports crashes without end.
fn end_if_flooded(domain: virDomainPtr) {
    let Some(uuid) = uuid(domain) else { return };
    if CRASHES.lock().unwrap_or_else(PoisonError::into_inner).is_flood(uuid, Instant::now()) {
        send(&Message::Down(format!(
            "the domain {uuid} reports crashes without end, which libvirt cannot pass on: end it, or take its panic device away"
        )));
        exit_now();
    }
}

/// From about 8.0 on, libvirt returns a domain to a snapshot by restarting it, and reports the
/// start before it reports the resume; older versions only report the resume.
fn of_lifecycle(event: u32, detail: u32) -> Change {
    match (event, detail) {
        (sys::VIR_DOMAIN_EVENT_STARTED, sys::VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT) => {
            Change::Started
        }
        (sys::VIR_DOMAIN_EVENT_RESUMED, sys::VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT)
        | (sys::VIR_DOMAIN_EVENT_SUSPENDED, sys::VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT) => {
            Change::Reverts
        }
        (sys::VIR_DOMAIN_EVENT_SUSPENDED, sys::VIR_DOMAIN_EVENT_SUSPENDED_IOERROR) => Change::Fails,
        _ => Change::Seen,
    }
}

extern "C" fn device(_: virConnectPtr, domain: virDomainPtr, _: *const c_char, _: *mut c_void) {
    note(domain, Change::Seen);
}

extern "C" fn metadata(
    _: virConnectPtr,
    domain: virDomainPtr,
    _kind: c_int,
    _namespace: *const c_char,
    _: *mut c_void,
) {
    note(domain, Change::Seen);
}

extern "C" fn params(
    _: virConnectPtr,
    domain: virDomainPtr,
    _: virTypedParameterPtr,
    _count: c_int,
    _: *mut c_void,
) {
    note(domain, Change::Seen);
}

extern "C" fn block_job(
    _: virConnectPtr,
    domain: virDomainPtr,
    _disk: *const c_char,
    _kind: c_int,
    _status: c_int,
    _: *mut c_void,
) {
    note(domain, Change::Seen);
}

fn note(domain: virDomainPtr, change: Change) {
    if let Some(uuid) = uuid(domain) {
        INBOX.changed(uuid, change);
    }
}

fn uuid(domain: virDomainPtr) -> Option<Uuid> {
    let mut uuid = [0; sys::VIR_UUID_BUFLEN as usize];
    // SAFETY: libvirt lends the domain to the callback, and the buffer is as long as it must be.
    let done = unsafe { sys::virDomainGetUUID(domain, uuid.as_mut_ptr()) };
    (done == 0).then(|| Uuid::from_bytes(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_a_vmm_makes_at_will_and_libvirtd_passes_on_unchecked_are_not_received() {
        for (event, _) in callbacks() {
            assert_ne!(event, sys::VIR_DOMAIN_EVENT_ID_IO_ERROR);
            assert_ne!(event, sys::VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON);
            assert_ne!(event, sys::VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION);
        }
    }

    #[test]
    fn a_domain_that_resumes_from_a_snapshot_is_told_apart_from_a_paused_one() {
        let of = |event, detail| of_lifecycle(event, detail);
        assert_eq!(of(sys::VIR_DOMAIN_EVENT_STARTED, 3), Change::Started);
        assert_eq!(of(sys::VIR_DOMAIN_EVENT_RESUMED, 2), Change::Reverts);
        assert_eq!(of(sys::VIR_DOMAIN_EVENT_SUSPENDED, 5), Change::Reverts);
        assert_eq!(of(sys::VIR_DOMAIN_EVENT_SUSPENDED, 0), Change::Seen);
        assert_eq!(of(sys::VIR_DOMAIN_EVENT_SUSPENDED, 2), Change::Fails);
        assert_eq!(of(sys::VIR_DOMAIN_EVENT_STOPPED, 6), Change::Seen);
    }
}
