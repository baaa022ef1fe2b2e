//! The page of the statistics, from the catalog's table.

use clap_mangen::roff::{Roff, bold, roman};
use hostinfo_catalog::STATS;

use crate::page::{Page, lines};

/// A paragraph for each, in the order of the table.
pub(crate) fn page() -> Page {
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(INTRODUCTION)]);
    roff.control("SH", ["STATISTICS"]);
    for stat in STATS {
        let unit = stat.unit.to_string();
        // `-` is the unit of text and of plain numbers.
        let unit = if unit == "-" { String::new() } else { format!(" in {unit}") };
        let default = if stat.default { ", default" } else { "" };
        roff.control("TP", []);
        roff.text([bold(stat.name), roman(format!(" ({}{unit}{default})", stat.kind))]);
        roff.text([roman(format!("{}. From {}.", stat.help, stat.source.origin()))]);
    }
    Page {
        name: "hostinfo-statistics".to_owned(),
        section: "7",
        about: "what a guest can ask of its host".to_owned(),
        body: lines(&roff),
    }
}

const INTRODUCTION: &str = "\
A segment in capitals stands for an instance: N a number, DEV a device, NAME a name. Guests see
what is marked as default unless a rule says otherwise. The others name the host, show what
neighbours do, or are a known side channel: a rule has to turn them on.";
