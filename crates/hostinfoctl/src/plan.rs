//! Plans what to change in a guest's domain. Pure: it depends only on what the guest has and what
//! is wanted. `target` chooses where a new port goes.

mod target;

use std::path::Path;

use hostinfo_domains::{Act, Clause, Conflict, Form, Port, Ports, Target, VHOSTMD_DIR};

use crate::args::{EnableOptions, Transport};
use crate::exit::Failure;
use crate::facts::Facts;
use crate::step::{FORMS, Step};

/// hostinfo's port, or the one for vhostmd's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hostinfo,
    Vhostmd,
}

impl Kind {
    fn ports(self, ports: &Ports) -> (&[Port], Option<Conflict>) {
        match self {
            Self::Hostinfo => (&ports.hostinfo, ports.conflict()),
            Self::Vhostmd => (&ports.vhostmd, ports.vhostmd_conflict()),
        }
    }
}

/// The steps that give a guest its port; none if it has everything already.
///
/// # Errors
/// [`Failure::Refused`].
pub(crate) fn enable(
    facts: &Facts,
    wanted: &EnableOptions,
    directory: &Path,
) -> Result<Vec<Step>, Failure> {
    let plan = Plan { facts, wanted, directory };
    if facts.config.is_none() && !wanted.now {
        // What --now could not do either is refused at once, instead of after --now was given.
        let steps = enable(facts, &EnableOptions { now: true, ..wanted.clone() }, directory)?;
        if steps.is_empty() {
            return Ok(steps);
        }
        return Err(refused(
            "it is transient, so it has no configuration to change: --now gives it a channel \
             until it ends",
        ));
    }
    let kinds = [Kind::Hostinfo, Kind::Vhostmd];
    let mut steps = Vec::new();
    for kind in kinds {
        for form in FORMS {
            let is_meant = kind == Kind::Hostinfo || wanted.vhostmd || plan.repairs(form, kind);
            if is_meant && (form == Form::Config || wanted.now) {
                steps.extend(plan.enable_in(form, kind)?);
            }
        }
    }
    steps.sort_by_key(|step: &Step| step.form == Form::Config);
    Ok(steps)
}

/// The steps that remove a guest's ports from its saved configuration; with `now` also those of what
/// runs that can be unplugged.
///
/// # Errors
/// [`Failure::Refused`]: it is transient, has a channel, and is not to lose that now.
pub(crate) fn disable(facts: &Facts, now: bool) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    for form in FORMS {
        let Some(seen) = facts.of(form) else { continue };
        if form == Form::Live && !now {
            let mut ports = seen.ports.hostinfo.iter().chain(&seen.ports.vhostmd);
            if facts.config.is_none() && ports.any(|port| port.target.is_pluggable()) {
                return Err(refused(
                    "it is transient, so it has no saved configuration to change: --now unplugs its \
                     channel",
                ));
            }
            continue;
        }
        let all = seen.ports.hostinfo.iter().chain(&seen.ports.vhostmd);
        let can = |port: &&Port| form == Form::Config || port.target.is_pluggable();
        steps.extend(all.filter(can).map(|port| detach(form, port)));
    }
    Ok(steps)
}

struct Plan<'a> {
    facts: &'a Facts,
    wanted: &'a EnableOptions,
    directory: &'a Path,
}

impl Plan<'_> {
    /// Whether `--repair` was given and that port is wrong: it is then repaired even if it was not
    /// asked for.
    fn repairs(&self, form: Form, kind: Kind) -> bool {
        let seen = self.facts.of(form).filter(|_| self.wanted.repair);
        seen.is_some_and(|seen| kind.ports(&seen.ports).1.is_some())
    }

    fn enable_in(&self, form: Form, kind: Kind) -> Result<Vec<Step>, Failure> {
        let Some(seen) = self.facts.of(form) else { return Ok(Vec::new()) };
        let ports = &seen.ports;
        let (found, conflict) = kind.ports(ports);
        let right = found.iter().find(|port| ports.is_right(port));
        match (conflict, right) {
            (Some(conflict), _) if !self.wanted.repair => {
                return Err(Failure::Refused(conflict.to_string()));
            }
            (None, Some(right)) => return self.keep(form, kind, right),
            _ => {}
        }
        let wrong: Vec<&Port> =
            found.iter().filter(|port| right.is_none_or(|right| right != *port)).collect();
        if form == Form::Live
            && let Some(port) = wrong.iter().find(|port| !port.target.is_pluggable())
        {
            let remedy = match self.facts.config {
                Some(_) => "leave out --now, then shut it down and start it",
                None => {
                    "it is transient, so correct the XML from which it is started (hostinfoctl snippet)"
                }
            };
            return Err(Failure::Refused(format!(
                "it has a wrong {} that cannot be unplugged while it runs: {remedy}",
                port.target
            )));
        }
        let mut steps: Vec<Step> = wrong.iter().map(|port| detach(form, port)).collect();
        if right.is_none() {
            let target = self.target(form, kind, ports, &wrong)?;
            let directory = match kind {
                Kind::Hostinfo => self.directory.to_owned(),
                Kind::Vhostmd => self.directory.join(VHOSTMD_DIR),
            };
            let clause = Clause::new(target, &directory, &ports.socket_name())?;
            // Both may be plugged in at once.
            let nth = usize::from(kind == Kind::Vhostmd);
            let slot = ports.free_slots().nth(nth).filter(|_| form == Form::Live);
            steps.push(Step { form, act: Act::Attach, device: clause.at(slot).xml() });
        }
        Ok(steps)
    }

    /// The guest has this port already. Fails if it is not where it is wanted.
    fn keep(&self, form: Form, kind: Kind, port: &Port) -> Result<Vec<Step>, Failure> {
        let EnableOptions { transport, port: number, .. } = self.wanted;
        let fits = match (&port.target, transport, number) {
            _ if kind == Kind::Vhostmd || form == Form::Live => true,
            (Target::Serial(own), _, Some(number)) => own == number,
            (Target::Serial(_), Some(transport), _) => *transport == Transport::Serial,
            (Target::Channel(_), transport, None) => *transport != Some(Transport::Serial),
            (_, None, None) => true,
            _ => false,
        };
        if fits {
            return Ok(Vec::new());
        }
        Err(Failure::Refused(format!(
            "it already has hostinfo on its {}: disable it first",
            port.target
        )))
    }
}

fn detach(form: Form, port: &Port) -> Step {
    Step { form, act: Act::Detach, device: port.xml.clone() }
}

fn refused(words: &str) -> Failure {
    Failure::Refused(words.to_owned())
}

#[cfg(test)]
mod tests;
