//! What would be attached now, without attaching it.

use hostinfo_domains::{Access, Domain, TagSources};

use crate::args::Options;
use crate::change::{Report, print_report};
use crate::exit::{DONE, Failure, REFUSED, Status, complain, sum};
use crate::follow::attach::{plan, read};
use crate::follow::need::{Need, need};
use crate::follow::reporter::{Reporter, Stop};
use crate::follow::selection::Selection;
use crate::libvirt::Libvirt;
use crate::output::write_json;
use serde_json::json;

/// Shows it for each guest that runs and is followed.
///
/// # Errors
/// [`Failure`].
pub(super) fn run(
    options: &Options,
    selection: &Selection,
    sought: &TagSources,
) -> Result<Status, Failure> {
    let stop = Stop::catch()?;
    let mut libvirt = Libvirt::connect(options, Access::Read)?;
    let mut reporter = Reporter::start(options, sought)?;
    while !reporter.wait(&stop, None)? {
        if stop.is_set() {
            return Ok(REFUSED);
        }
    }
    if let Some(failure) = reporter.outage(&options.connect) {
        return Err(failure);
    }
    let snapshot = reporter.snapshot();
    let mut domains: Vec<_> = snapshot
        .guests()
        .filter_map(|guest| {
            let need = need(&guest.domain, selection, sought, snapshot.whose())?;
            Some((&guest.domain, need))
        })
        .collect();
    domains.sort_by_key(|(domain, _)| domain.id);
    let (mut reports, mut statuses) = (Vec::new(), vec![DONE]);
    for (domain, need) in domains {
        let report = match need {
            Need::Blocked(why) => Err(Failure::Refused(why)),
            Need::Port | Need::Nothing => look(&mut libvirt, domain, options),
        };
        let report = report.unwrap_or_else(|failure| {
            statuses.push(failure.status());
            Report::failed(Some(domain.socket_name()), &domain.name, failure)
        });
        if !options.json {
            print_report(&report, "enabled")?;
        }
        reports.push(report);
    }
    if options.json {
        write_json(&json!({ "guests": reports }))?;
    } else if reports.is_empty() {
        complain("note: no guest that matches is running");
    }
    Ok(sum(statuses))
}

fn look(libvirt: &mut Libvirt, domain: &Domain, options: &Options) -> Result<Report, Failure> {
    let before = read(libvirt, domain)?;
    Ok(match plan(&before, &options.directory)? {
        None => Report::done("unchanged", &before, String::new()),
        Some(step) => Report::done("would_change", &before.after(libvirt, &[step])?, String::new()),
    })
}
