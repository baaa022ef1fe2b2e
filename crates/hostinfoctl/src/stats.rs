//! `stats`: the daemon's own metrics.

use hostinfo_control::{Figure, FigureKind, Stats};
use hostinfo_wire::prometheus::classic;
use hostinfo_wire::text::escaped;
use jiff::{SignedDuration, Timestamp};

use crate::args::{self, Format, Options};
use crate::daemon::connect;
use crate::exit::{DONE, Failure, Status};
use crate::output::{json, write};
use crate::table::table;
use crate::time::local;

/// Writes them to stdout, or to a file.
///
/// # Errors
/// [`Failure::Daemon`], [`Failure::File`]. A file is left unchanged then.
pub(crate) fn run(options: &Options, wanted: &args::Stats) -> Result<Status, Failure> {
    let mut daemon = connect(options)?;
    let default = if options.json { Format::Json } else { Format::Text };
    let format = wanted.format.unwrap_or(default);
    let text = match format {
        Format::Text => in_a_table(&daemon.stats()?),
        Format::Json => json(&daemon.stats()?)?,
        Format::Openmetrics => daemon.metrics()?,
        Format::Prometheus => classic(&daemon.metrics()?),
    };
    match &wanted.output {
        None => write(&text)?,
        Some(file) => hostinfo_file::replace(file, text.as_bytes())
            .map_err(|why| Failure::File { path: file.clone(), why })?,
    }
    Ok(DONE)
}

fn in_a_table(stats: &Stats) -> String {
    // A histogram's buckets are for programs.
    let figures = stats.figures.iter().filter(|figure| !figure.name.ends_with("_bucket"));
    let rows: Vec<Vec<String>> = figures.map(figure_cells).collect();
    format!("Since {}:\n{}", local(stats.since), table(&["NAME", "VALUE", "WHAT IT IS"], &rows))
}

fn figure_cells(figure: &Figure) -> Vec<String> {
    let labels: Vec<String> =
        figure.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let labels = match labels.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", labels.join(",")),
    };
    let cells = [format!("{}{labels}", figure.name), in_words(figure), figure.help.clone()];
    cells.iter().map(|cell| escaped(cell)).collect()
}

/// The value in a unit that suits its size: `3.4 MiB`, `0.25 ms`; a date if it is a point in time.
fn in_words(figure: &Figure) -> String {
    let value = figure.value;
    let date = || Timestamp::from_duration(SignedDuration::try_from_secs_f64(value).ok()?).ok();
    if figure.kind == FigureKind::Time
        && let Some(date) = date()
    {
        return local(date);
    }
    let units: &[(f64, &str)] = match &*figure.unit {
        "bytes" => &[(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB")],
        "seconds" => &[(1.0, "s"), (0.001, "ms"), (0.000_001, "us")],
        _ => return value.to_string(),
    };
    match units.iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{:.3} {unit}", value / size),
        None => format!("{value} {}", figure.unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_in_a_unit_that_suits_its_size() {
        let shown = |value, unit: &str, kind| {
            in_words(&Figure {
                name: "x".to_owned(),
                kind,
                labels: Default::default(),
                value,
                unit: unit.to_owned(),
                help: String::new(),
            })
        };
        let gauge = FigureKind::Gauge;
        assert_eq!(shown(3_565_158.4, "bytes", gauge), "3.400 MiB");
        assert_eq!(shown(12.0, "bytes", gauge), "12 bytes");
        assert_eq!(shown(0.000_25, "seconds", gauge), "250.000 us");
        assert_eq!(shown(7.0, "", gauge), "7");
        assert!(shown(1_795_000_000.0, "seconds", FigureKind::Time).starts_with("2026-11"));
    }
}
