//! `stats`: what the daemon has counted and measured of itself.

use hostinfo_control::Figure;

use crate::args::Options;
use crate::daemon::connect;
use crate::exit::{DONE, Failure, Status};
use crate::output::{printable, write, write_json};
use crate::table::table;
use crate::time::shown;

/// Shows it, as a table or for programs.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn run(options: &Options, openmetrics: bool) -> Result<Status, Failure> {
    let mut daemon = connect(options)?;
    if openmetrics {
        write(&daemon.metrics()?)?;
        return Ok(DONE);
    }
    let stats = daemon.stats()?;
    if options.json {
        write_json(&stats)?;
    } else {
        let rows: Vec<Vec<String>> = stats.figures.iter().map(cells).collect();
        let heading = ["NAME", "VALUE", "UNIT", "WHAT IT IS"];
        write(&format!("Since {}:\n{}", shown(stats.since), table(&heading, &rows)))?;
    }
    Ok(DONE)
}

fn cells(figure: &Figure) -> Vec<String> {
    let labels: Vec<String> =
        figure.labels.iter().map(|(name, value)| format!("{name}={}", printable(value))).collect();
    let labels = match labels.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", labels.join(",")),
    };
    vec![
        format!("{}{labels}", figure.name),
        figure.value.to_string(),
        figure.unit.clone(),
        figure.help.clone(),
    ]
}
