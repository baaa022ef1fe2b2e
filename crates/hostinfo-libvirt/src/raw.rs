//! Calls into libvirt that crate `virt` does not have, or supports only in part.
#![expect(unsafe_code, reason = "they are calls into a C library")]

use std::ffi::{CStr, CString, c_int};
use std::mem::zeroed;
use std::ptr::null_mut;
use std::slice;

use hostinfo_domains::Uuid;
use hostinfo_domains::limits::DISKS_MAX;
use nix::libc;
use rustix::io::Errno;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

/// A typed parameter's name and value.
pub(crate) type Param = (String, Value);

/// A typed parameter's value, limited to the types that are used: text and numbers that are not
/// negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
}

/// Statistics of running domains, without waiting for a busy one: some of its statistics are then
/// missing. `groups` is a sum of `VIR_DOMAIN_STATS_...`.
///
/// # Errors
/// If libvirt cannot be asked, or this hypervisor has no statistics.
pub(crate) fn stats<'a>(
    domains: impl Iterator<Item = &'a Domain>,
    groups: u32,
) -> Result<Vec<(Uuid, Vec<Param>)>, Error> {
    let mut pointers: Vec<sys::virDomainPtr> = domains.map(Domain::as_ptr).collect();
    pointers.push(null_mut());
    let mut records = null_mut();
    // SAFETY: the domains are alive until the call ends, and their list ends with a null pointer.
    let count = unsafe {
        sys::virDomainListGetStats(
            pointers.as_mut_ptr(),
            groups,
            &raw mut records,
            sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
        )
    };
    let Ok(count) = usize::try_from(count) else { return Err(Error::last_error()) };
    let found = (0..count)
        .filter_map(|at| {
            // SAFETY: libvirt filled that many records.
            let record = unsafe { &**records.add(at) };
            let mut uuid = [0; sys::VIR_UUID_BUFLEN as usize];
            // SAFETY: the record holds its domain, and the buffer is as long as it must be.
            let known = unsafe { sys::virDomainGetUUID(record.dom, uuid.as_mut_ptr()) } == 0;
            // SAFETY: libvirt filled that many parameters.
            let params = unsafe { params(record.params, record.nparams) };
            known.then(|| (Uuid::from_bytes(uuid), params))
        })
        .collect();
    // SAFETY: the records are libvirt's own list, and nothing points into it any more.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(found)
}

/// Whether a domain is being moved to another host.
///
/// # Errors
/// If libvirt cannot be asked, or the domain is not running.
pub(crate) fn is_migrating(domain: &Domain) -> Result<bool, Error> {
    let (mut kind, mut found, mut count) = (0, null_mut(), 0);
    // SAFETY: the domain is alive until the call ends; libvirt allocates the parameters.
    let done = unsafe {
        sys::virDomainGetJobStats(domain.as_ptr(), &raw mut kind, &raw mut found, &raw mut count, 0)
    };
    if done == -1 {
        return Err(Error::last_error());
    }
    // SAFETY: libvirt filled that many parameters.
    let read = unsafe { params(found, count) };
    // SAFETY: the parameters are libvirt's own, and nothing points into them any more.
    unsafe { sys::virTypedParamsFree(found, count) };
    let out = Value::Number(u64::from(sys::VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT));
    let is_out = read.iter().any(|(name, value)| name == "operation" && *value == out);
    Ok(is_out && kind != sys::VIR_DOMAIN_JOB_NONE.cast_signed())
}

/// The names of a domain's disks whose I/O errors keep it paused, as `virsh domblkerror` shows them.
///
/// # Errors
/// If libvirt cannot be asked, or the domain is not running.
pub(crate) fn failed_disks(domain: &Domain) -> Result<Vec<String>, Error> {
    let mut found: [sys::virDomainDiskError; DISKS_MAX] =
        [sys::virDomainDiskError { disk: null_mut(), error: 0 }; DISKS_MAX];
    let most = u32::try_from(found.len()).unwrap_or_default();
    // SAFETY: all are alive until the call ends, and libvirt fills `most` errors at most.
    let count =
        unsafe { sys::virDomainGetDiskErrors(domain.as_ptr(), found.as_mut_ptr(), most, 0) };
    let Ok(count) = usize::try_from(count) else { return Err(Error::last_error()) };
    let names = found.iter().take(count).map(|error| {
        // SAFETY: libvirt allocated the name, and it ends with a NUL.
        let name = unsafe { CStr::from_ptr(error.disk) }.to_string_lossy().into_owned();
        // SAFETY: the name is the caller's to free, and nothing points to it any more.
        unsafe { libc::free(error.disk.cast()) };
        name
    });
    Ok(names.collect())
}

/// Whether one of a domain's disks is being copied, merged or moved.
///
/// # Errors
/// If libvirt cannot be asked, or there is no such disk.
pub(crate) fn has_block_job(domain: &Domain, dev: &str) -> Result<bool, Error> {
    // No name of a disk in XML can hold a NUL.
    let Ok(dev) = CString::new(dev) else { return Ok(false) };
    let mut job = sys::virDomainBlockJobInfo { type_: 0, bandwidth: 0, cur: 0, end: 0 };
    // SAFETY: all three are alive until the call ends.
    match unsafe { sys::virDomainGetBlockJobInfo(domain.as_ptr(), dev.as_ptr(), &raw mut job, 0) } {
        -1 => Err(Error::last_error()),
        jobs => Ok(jobs > 0),
    }
}

/// What `virsh domiftune` shows for an interface, given by its name on the host. A limit of 0 means
/// unlimited.
///
/// # Errors
/// If libvirt cannot be asked, or there is no such interface.
pub(crate) fn bandwidth(domain: &Domain, interface: &str) -> Result<Vec<Param>, Error> {
    // No name of an interface can hold a NUL.
    let Ok(interface) = CString::new(interface) else { return Ok(Vec::new()) };
    // SAFETY: a parameter is plain data, and all zeros are one without a name.
    let mut found: [sys::virTypedParameter; BANDWIDTH_MAX] = unsafe { zeroed() };
    let mut count = 0;
    let call = |found: sys::virTypedParameterPtr, count: &mut c_int| {
        let (domain, interface) = (domain.as_ptr(), interface.as_ptr());
        // SAFETY: all are alive until the call ends, and libvirt fills `count` parameters at most.
        match unsafe { sys::virDomainGetInterfaceParameters(domain, interface, found, count, 0) } {
            0 => Ok(()),
            _ => Err(Error::last_error()),
        }
    };
    // libvirt must be given the number of parameters, which it returns when asked for none.
    call(null_mut(), &mut count)?;
    count = count.min(c_int::try_from(found.len()).unwrap_or_default());
    call(found.as_mut_ptr(), &mut count)?;
    // SAFETY: libvirt filled that many parameters, none of which is a string that had to be freed.
    Ok(unsafe { params(found.as_mut_ptr(), count) })
}

/// The most parameters of an interface that are read: libvirt 11 has seven.
const BANDWIDTH_MAX: usize = 16;

/// Whether this thread's last call failed because the system denied permission, for example to a
/// socket: libvirt's own code only says that a system call failed.
pub(crate) fn was_denied() -> bool {
    // SAFETY: libvirt keeps the error for this thread until its next call.
    let Some(error) = (unsafe { sys::virGetLastError().as_ref() }) else { return false };
    error.code.cast_unsigned() == sys::VIR_ERR_SYSTEM_ERROR
        && [Errno::ACCESS, Errno::PERM].iter().any(|errno| errno.raw_os_error() == error.int1)
}

/// # Safety
/// There are `count` parameters at `first`, as libvirt fills them, or none at all.
unsafe fn params(first: sys::virTypedParameterPtr, count: c_int) -> Vec<Param> {
    let count = usize::try_from(count).unwrap_or_default();
    if first.is_null() {
        return Vec::new();
    }
    // SAFETY: that is what the caller vouches for.
    let params = unsafe { slice::from_raw_parts(first, count) };
    // SAFETY: the same.
    params.iter().filter_map(|param| unsafe { param_of(param) }).collect()
}

/// # Safety
/// libvirt filled the parameter.
unsafe fn param_of(param: &sys::virTypedParameter) -> Option<Param> {
    let value = param.value;
    // SAFETY: the field that is read is the one that the type names; a string ends with a NUL and
    // is libvirt's until the parameter is freed.
    let value = unsafe {
        match param.type_.cast_unsigned() {
            sys::VIR_TYPED_PARAM_INT => Value::Number(u64::try_from(value.i).ok()?),
            sys::VIR_TYPED_PARAM_UINT => Value::Number(value.ui.into()),
            sys::VIR_TYPED_PARAM_LLONG => Value::Number(u64::try_from(value.l).ok()?),
            sys::VIR_TYPED_PARAM_ULLONG => Value::Number(value.ul),
            sys::VIR_TYPED_PARAM_STRING if !value.s.is_null() => {
                Value::Text(CStr::from_ptr(value.s).to_string_lossy().into_owned())
            }
            _ => return None,
        }
    };
    // SAFETY: the name lies in the parameter itself and ends with a NUL in it.
    let name = unsafe { CStr::from_ptr(param.field.as_ptr()) };
    Some((name.to_str().ok()?.to_owned(), value))
}
