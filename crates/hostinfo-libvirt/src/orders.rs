//! Carries out hostinfoctl's orders, one after the other. If libvirt hangs, this process is killed.

use std::io::{BufRead as _, Read as _, Write as _, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hostinfo_domains::limits::{ORDER_MAX, WORDS_MAX};
use hostinfo_domains::{
    Act, Answer, Entry, Failure, FailureKind, Form, Order, TAGS_NAMESPACE, Uuid, VERSION, cut,
    order, order_line,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::{Error, ErrorNumber};
use virt_sys as sys;

use crate::args::Access;
use crate::raw::was_denied;
use crate::rewrite;

/// Serves until there are no more orders.
pub(crate) fn serve(uri: &str, access: Access) {
    // These signals are meant for hostinfoctl, which first finishes what it has begun.
    for signal in [SIGINT, SIGHUP, SIGTERM] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    virt::error::clear_error_callback();
    send(&Answer::Hello { version: VERSION });
    let opened = match access {
        Access::Read => Connect::open_read_only(Some(uri)),
        Access::Write => Connect::open(Some(uri)),
    };
    let connect = match opened {
        Ok(connect) => connect,
        Err(error) => {
            let kind = Some(kind(&error)).filter(|kind| *kind == FailureKind::Denied);
            return send(&failed(kind.unwrap_or(FailureKind::Unreachable), error.message()));
        }
    };
    send(&Answer::Done);
    let mut input = stdin().lock();
    let bound = u64::try_from(ORDER_MAX).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    while input.by_ref().take(bound).read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let answer = match order(&line) {
            Ok(order) => carry_out(&connect, order),
            Err(error) => failed(FailureKind::Other, &format!("not an order: {error}")),
        };
        send(&answer);
        line.clear();
    }
}

fn carry_out(connect: &Connect, order: Order) -> Answer {
    let done = match order {
        Order::List => list(connect),
        Order::Tell { uuid, form } => {
            let flags = match form {
                Form::Config => sys::VIR_DOMAIN_XML_INACTIVE,
                Form::Live => 0,
            };
            find(connect, uuid).and_then(|domain| domain.get_xml_desc(flags)).map(Answer::Xml)
        }
        // Here and below: a C string cannot contain a NUL.
        Order::Rewrite { xml } if xml.contains('\0') => {
            return failed(FailureKind::Other, "a NUL in a domain's XML");
        }
        Order::Rewrite { xml } => match rewrite::host() {
            Ok(host) => rewrite::rewritten(&xml, &host).map(Answer::Xml),
            Err(error) => return failed(FailureKind::Other, &error.to_string()),
        },
        Order::Change { device, .. } if device.contains('\0') => {
            return failed(FailureKind::Other, "a NUL in a device");
        }
        Order::Change { uuid, form, act, device } => {
            let flags = affecting(form);
            find(connect, uuid)
                .and_then(|domain| match act {
                    Act::Attach => domain.attach_device_flags(&device, flags),
                    Act::Detach => domain.detach_device_flags(&device, flags),
                })
                .map(|_| Answer::Done)
        }
        Order::Tag { tags: Some(tags), .. } if tags.contains('\0') => {
            return failed(FailureKind::Other, "a NUL in a tag");
        }
        Order::Tag { uuid, form, tags } => {
            let flags = affecting(form);
            let kind = sys::VIR_DOMAIN_METADATA_ELEMENT.cast_signed();
            find(connect, uuid)
                .and_then(|domain| {
                    let (key, space) = (Some("hostinfo"), Some(TAGS_NAMESPACE));
                    domain.set_metadata(kind, tags.as_deref(), key, space, flags)
                })
                .map(|_| Answer::Done)
        }
    };
    done.unwrap_or_else(|error| {
        let kind = match kind(&error) {
            FailureKind::Other if !connect.is_alive().unwrap_or_default() => {
                FailureKind::Unreachable
            }
            kind => kind,
        };
        failed(kind, error.message())
    })
}

fn affecting(form: Form) -> u32 {
    match form {
        Form::Config => sys::VIR_DOMAIN_AFFECT_CONFIG,
        Form::Live => sys::VIR_DOMAIN_AFFECT_LIVE,
    }
}

/// Sends every domain, and returns the final answer for the caller to send.
fn list(connect: &Connect) -> Result<Answer, Error> {
    for domain in connect.list_all_domains(0)? {
        match entry(&domain) {
            Ok(entry) => send(&Answer::Entry(entry)),
            // The domain has just gone.
            Err(error) if error.code() == ErrorNumber::NoDomain => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Answer::Done)
}

fn entry(domain: &Domain) -> Result<Entry, Error> {
    Ok(Entry {
        uuid: domain.get_uuid()?,
        name: domain.get_name()?,
        is_live: domain.is_active()?,
        is_defined: domain.is_persistent()?,
        // Not every hypervisor can save domains.
        is_saved: domain.has_managed_save(0).unwrap_or_default(),
    })
}

fn find(connect: &Connect, uuid: Uuid) -> Result<Domain, Error> {
    Domain::lookup_by_uuid(connect, uuid)
}

fn kind(error: &Error) -> FailureKind {
    match error.code() {
        ErrorNumber::SystemError if was_denied() => FailureKind::Denied,
        ErrorNumber::AuthFailed
        | ErrorNumber::AuthCancelled
        | ErrorNumber::AuthUnavailable
        | ErrorNumber::OperationDenied
        | ErrorNumber::AccessDenied => FailureKind::Denied,
        ErrorNumber::NoDomain => FailureKind::NoDomain,
        ErrorNumber::OperationUnsupported
        | ErrorNumber::ConfigUnsupported
        | ErrorNumber::ArgumentUnsupported
        | ErrorNumber::NoSupport => FailureKind::Unsupported,
        ErrorNumber::OperationTimeout | ErrorNumber::ResourceBusy => FailureKind::Busy,
        _ => FailureKind::Other,
    }
}

fn failed(kind: FailureKind, words: &str) -> Answer {
    Answer::Failed(Failure { kind, words: cut(words, WORDS_MAX).to_owned() })
}

fn send(answer: &Answer) {
    let line = order_line(answer).or_else(|| {
        order_line(&failed(FailureKind::Other, "the domain's XML is too long to be read"))
    });
    // If hostinfoctl has ended, the next order does not come.
    let _ = stdout().write_all(&line.unwrap_or_default());
}
