//! `ping`: whether, where and how fast a host answers.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::args::Format;
use crate::exit::Failure;
use crate::host::Host;
use crate::output::{Shown, json_line};
use crate::question::Question;
use crate::units;

/// Measures one round trip.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(host: &mut Host<'_>, format: Format) -> Result<Shown, Failure> {
    let render = match format {
        Format::Text => text,
        Format::Json => object,
        Format::Openmetrics | Format::Prometheus | Format::Nagios => {
            return Err(Failure::Usage("ping has only the formats text and json".to_owned()));
        }
    };
    // Finding the port and synchronizing are not part of the round trip.
    let version = host.ask(&Question::version())?.pop().ok_or(Failure::Unexpected("version"))?.text;
    let start = Instant::now();
    host.ask(&Question::ping())?;
    let time = start.elapsed();
    let path = host.way()?.to_string();
    Ok(Shown { text: render(&path, &version, time), ..Shown::default() })
}

fn text(path: &str, version: &str, time: Duration) -> String {
    format!("{version} answers on {path} in {}\n", units::duration(time))
}

fn object(path: &str, version: &str, time: Duration) -> String {
    json_line(&json!({ "device": path, "version": version, "seconds": time.as_secs_f64() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_tells_who_where_and_how_fast() {
        let time = Duration::from_micros(1250);
        assert_eq!(
            text("/dev/ttyS1", "hostinfo/1", time),
            "hostinfo/1 answers on /dev/ttyS1 in 1.25 ms\n"
        );
        assert_eq!(
            object("/dev/ttyS1", "hostinfo/1", time),
            "{\"device\":\"/dev/ttyS1\",\"seconds\":0.00125,\"version\":\"hostinfo/1\"}\n"
        );
    }
}
