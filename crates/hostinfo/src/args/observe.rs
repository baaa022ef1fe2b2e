//! Commands that take samples for a while, or read such a recording.

use std::path::PathBuf;
use std::time::Duration;

use super::value::time;

pub(super) const DIAGNOSE: &str = "\
Examples:
  hostinfo diagnose                    observe for a minute, then say who it is
  hostinfo diagnose --for 10m cpu      observe only CPU time, for ten minutes
  hostinfo diagnose --json             JSON, for programs
  hostinfo diagnose --format nagios    as a plugin for Nagios or Icinga

Ctrl-C ends the observation early; it concludes from what there is. A verdict of the host covers its last 60 s or less, however long or short this guest observes. In less than 10 s, \
this guest's own figures say little of its programs: hostinfo itself is one of them.

The exit status of diagnose: 0 it is not the host, 10 it is the host, 11 it is this guest's own limit, \
12 unknown, 3 this guest may not see verdicts, 4 too soon to ask, 5 no host answers. With --format nagios: 0 it \
is not the host, 1 it is this guest's own limit, 2 it is the host, 3 anything else.";

pub(super) const TOP: &str = "\
Examples:
  hostinfo top                         every 2 s, until q
  hostinfo top --every 10s             a longer history, and fewer queries

hostinfo top shows the host's verdicts with their reasons, and below them the figures of the host (host) and of \
this guest's own kernel (guest), with the newest on the right. It needs a terminal of 40 columns and 10 lines; a \
serial console will do, and colours are not needed.";

pub(super) const RECORD: &str = "\
Examples:
  hostinfo record slow.rec             every 10 s, until Ctrl-C
  hostinfo record slow.rec --for 24h   a day, in less than 2 MiB
  hostinfo record slow.rec --every 1m --for 1h &

If FILE is a recording, hostinfo record appends to it; any other existing file is refused and left unchanged. A \
recording stays readable however this program or the guest ends.";

pub(super) const REPORT: &str = "\
Examples:
  hostinfo report slow.rec > report.html
                                       a page for a browser, or your provider
  hostinfo report slow.rec --text      the same as text, without charts
  hostinfo report slow.rec             also text, if the output is a terminal

The page is one self-contained file without scripts. It has a summary, the host's verdicts over time, incidents, \
and charts that compare the host's figures with those of this guest's own kernel.";

#[derive(Debug, clap::Args)]
pub(crate) struct Diagnose {
    /// What to observe [default: all of them]
    #[arg(value_name = "RESOURCE", value_parser = ["cpu", "memory", "io", "net"])]
    resources: Vec<String>,
    /// How long to observe, such as 90, 90s or 10m [default: 60s; 5s with --format nagios]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) time: Option<Duration>,
}

impl Diagnose {
    /// Whether that is to be looked at.
    pub(crate) fn wants(&self, resource: &str) -> bool {
        self.resources.is_empty() || self.resources.iter().any(|wanted| wanted == resource)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Record {
    /// A new file, or a recording to append to
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How long to record, such as 90s, 10m or 24h [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) time: Option<Duration>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// A recording made by hostinfo record, which may still be running
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write text instead of HTML
    #[arg(long)]
    pub(crate) text: bool,
}
