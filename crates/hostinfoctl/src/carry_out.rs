//! Changing a domain: all steps or none.

use std::thread::sleep;
use std::time::{Duration, Instant};

use hostinfo_domains::{Act, Unanswered};

use crate::exit::Failure;
use crate::facts::Facts;
use crate::libvirt::Libvirt;
use crate::step::Step;

/// How long a running guest may take to release a device, after libvirt's own wait of 5 s.
const RELEASE_TIME: Duration = Duration::from_secs(3);

/// Takes the steps, and checks that the domain is then as expected.
///
/// # Errors
/// [`Failure`]. The steps taken until then are undone, unless libvirt hangs.
pub(crate) fn carry_out(
    libvirt: &mut Libvirt,
    before: &Facts,
    steps: &[Step],
) -> Result<Facts, Failure> {
    let expected = before.after(libvirt, steps)?;
    let mut done = Vec::new();
    for step in steps {
        if let Err(failure) = take(libvirt, before, step) {
            return Err(undo(libvirt, before, &done, failure));
        }
        done.push(step);
    }
    match await_expected(libvirt, &expected) {
        Ok(Some(now)) => Ok(now),
        Ok(None) => {
            let words = "somebody else changed it at the same time, so this change was undone: \
                         see it with hostinfoctl list, and try again";
            Err(undo(libvirt, before, &done, Failure::Refused(words.to_owned())))
        }
        Err(failure) => Err(undo(libvirt, before, &done, failure)),
    }
}

fn take(libvirt: &mut Libvirt, facts: &Facts, step: &Step) -> Result<(), Failure> {
    libvirt.change(facts.entry.uuid, step.form, step.act, &step.device)
}

/// The domain as it is now, if it is as expected.
fn await_expected(libvirt: &mut Libvirt, expected: &Facts) -> Result<Option<Facts>, Failure> {
    let until = Instant::now() + RELEASE_TIME;
    loop {
        let now = Facts::read(libvirt, &expected.entry)?;
        if now.has_same_ports(expected) {
            return Ok(Some(now));
        }
        if Instant::now() > until {
            return Ok(None);
        }
        sleep(Duration::from_millis(100));
    }
}

/// Undoes the steps. Returns `why`, and what became of those steps.
fn undo(libvirt: &mut Libvirt, facts: &Facts, done: &[&Step], why: Failure) -> Failure {
    if let Failure::Libvirt { why: Unanswered::Silent(_), .. } = why {
        let doubt = "whether it was changed is not known: see hostinfoctl list when it answers";
        return Failure::Doubtful(format!("{why}; {doubt}"));
    }
    for step in done.iter().rev() {
        let act = match step.act {
            Act::Attach => Act::Detach,
            Act::Detach => Act::Attach,
        };
        if let Err(failure) = take(libvirt, facts, &Step { act, ..(*step).clone() }) {
            return Failure::Refused(format!(
                "{why}; and the changes made before that cannot be undone: {failure}: see them \
                 with virsh edit {}",
                facts.entry.uuid
            ));
        }
    }
    why
}
