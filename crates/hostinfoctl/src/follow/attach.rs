//! Giving one running domain its channel.

use std::path::Path;

use hostinfo_domains::{Act, Clause, Domain, Entry, Form, Target};

use crate::carry_out::carry_out;
use crate::exit::Failure;
use crate::facts::Facts;
use crate::follow::connection::{Blame, blame};
use crate::libvirt::Libvirt;
use crate::step::Step;

/// Reads what runs of a domain, and nothing of what it is started from, which stays as it is.
///
/// # Errors
/// [`Failure`].
pub(super) fn read(libvirt: &mut Libvirt, domain: &Domain) -> Result<Facts, Failure> {
    let (uuid, name) = (domain.uuid, domain.name.clone());
    let entry = Entry { uuid, name, is_live: true, is_defined: false, is_saved: false };
    Facts::read(libvirt, &entry)
}

/// The step that gives a running domain its channel; `None` if it has a hostinfo port. Pure.
///
/// # Errors
/// [`Failure::Refused`]: it cannot have one.
pub(super) fn plan(facts: &Facts, directory: &Path) -> Result<Option<Step>, Failure> {
    let Some(seen) = &facts.live else { return Ok(None) };
    let ports = &seen.ports;
    if !ports.hostinfo.is_empty() {
        return Ok(None);
    }
    let uuid = facts.entry.uuid;
    if !ports.has_virtio_serial() {
        return Err(Failure::Refused(format!(
            "it runs without a virtio-serial controller, which cannot be plugged in: add \
             <controller type='virtio-serial'/> with virsh edit {uuid}, or have whatever makes its \
             XML give it a guest agent's channel, then shut it down and start it"
        )));
    }
    let target = Target::channel();
    if !ports.is_free(&target) {
        return Err(Failure::Refused(format!(
            "its {target} leads elsewhere: remove that with virsh edit {uuid}, then shut it down \
             and start it"
        )));
    }
    let clause = Clause::new(target, directory, &ports.socket_name())?;
    let device = clause.at(ports.free_slots().next()).xml();
    Ok(Some(Step { form: Form::Live, act: Act::Attach, device }))
}

/// Gives a domain its channel, unless it has a port. Returns what it has then, and whether it was
/// changed.
///
/// # Errors
/// [`Failure`]. Nothing has changed, unless libvirt hangs.
pub(super) fn attach(
    libvirt: &mut Libvirt,
    domain: &Domain,
    directory: &Path,
) -> Result<(Facts, bool), Failure> {
    let before = read(libvirt, domain)?;
    let Some(step) = plan(&before, directory)? else { return Ok((before, false)) };
    match carry_out(libvirt, &before, &[step]) {
        Ok(after) => Ok((after, true)),
        // Another program may have given it one at the same time.
        Err(failure) if blame(&failure) == Blame::Domain => match read(libvirt, domain) {
            Ok(now) if matches!(plan(&now, directory), Ok(None)) => Ok((now, false)),
            _ => Err(failure),
        },
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Seen;
    use crate::guests::entry;
    use hostinfo_domains::{Directory, Ports, Uuid};

    const DIRECTORY: &str = "/var/lib/hostinfo";
    const CONTROLLER: &str = "<controller type='virtio-serial'/>";

    fn planned(devices: &str) -> Result<Option<Step>, String> {
        let xml =
            format!("<domain type='kvm'><name>web</name><devices>{devices}</devices></domain>");
        let ports = Ports::find(&xml, &Directory::of_text(Path::new(DIRECTORY))).unwrap();
        let entry = Entry { is_live: true, is_defined: false, ..entry(1, "web") };
        let facts = Facts { entry, config: None, live: Some(Seen { xml, ports }) };
        plan(&facts, Path::new(DIRECTORY)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_running_guest_gets_a_channel_and_nothing_else_is_changed() {
        let step = planned(CONTROLLER).unwrap().unwrap();
        assert_eq!((step.form, step.act), (Form::Live, Act::Attach));
        assert!(step.device.contains("path='/var/lib/hostinfo/qemu-web'"), "{}", step.device);
        assert!(step.device.contains("name='org.hostinfo.0'"), "{}", step.device);
    }

    #[test]
    fn a_domain_with_a_port_keeps_it_whichever_it_is() {
        let port = |element: &str, target: &str| {
            format!(
                "{CONTROLLER}<{element} type='unix'><source mode='bind' \
                 path='/var/lib/hostinfo/qemu-web'/><target {target}/></{element}>"
            )
        };
        for devices in [port("serial", "port='1'"), port("channel", "type='virtio' name='x'")] {
            assert_eq!(planned(&devices), Ok(None));
        }
    }

    #[test]
    fn a_domain_that_can_have_no_channel_is_refused_with_the_remedy() {
        assert!(planned("").unwrap_err().contains(&format!("virsh edit {}", Uuid::from_u128(1))));
        let taken = "<channel type='null'><target type='virtio' name='org.hostinfo.0'/></channel>";
        let error = planned(&format!("{CONTROLLER}{taken}")).unwrap_err();
        assert!(error.contains("leads elsewhere"), "{error}");
    }
}
