//! What each command takes of the options that all share.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _, ValueParser};
use clap::{CommandFactory as _, ValueEnum as _};

use super::{Args, Format};

/// How a command differs from the others in what it takes of the options that they share. Its help shows what
/// it takes, and nothing else.
struct Own {
    command: &'static str,
    /// Options that it refuses, or that mean nothing there.
    refused: &'static [&'static str],
    /// What `--every` means there, if that differs.
    every: Option<&'static str>,
    /// The formats that it has, if it takes `--format`.
    formats: &'static [Format],
}

impl Own {
    const fn formats(command: &'static str, formats: &'static [Format]) -> Self {
        Self { command, refused: &[], every: None, formats }
    }

    const fn refusing(command: &'static str, refused: &'static [&'static str]) -> Self {
        Self { command, refused, every: None, formats: &[] }
    }

    const fn every(self, every: &'static str) -> Self {
        Self { every: Some(every), ..self }
    }
}

const OWN: [Own; 8] = [
    Own::formats("get", &[Format::Text, Format::Json, Format::Openmetrics, Format::Prometheus]),
    Own::formats("list", &[Format::Text, Format::Json]),
    Own::formats("diagnose", &[Format::Text, Format::Json, Format::Nagios])
        .every("Repeat it: the time from one start to the next, such as 10m"),
    Own::refusing("top", &["format", "json", "output", "wait"])
        .every("How often to take a sample [default: 2s]"),
    Own::refusing("record", &["format", "json", "output", "wait"])
        .every("How often to take a sample [default: 10s]"),
    Own::refusing("report", &["format", "json", "every", "device", "timeout", "wait"]),
    Own::refusing("serve", &["format", "json", "output", "every", "wait"]),
    Own { refused: &["wait"], ..Own::formats("ping", &[Format::Text, Format::Json]) }
        .every("Repeat it, such as every 15s"),
];

/// The command line.
pub(crate) fn command() -> clap::Command {
    let command = Args::command();
    let all: Vec<clap::Arg> =
        command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommands(|command| {
        let Some(own) = OWN.iter().find(|own| own.command == command.get_name()) else {
            return command;
        };
        let args = all.iter().filter_map(|arg| match arg.get_id().as_str() {
            id if own.refused.contains(&id) => Some(arg.clone().hide(true)),
            "every" => own.every.map(|help| arg.clone().help(help)),
            "format" => Some(arg.clone().help("Output format").value_parser(one_of(own.formats))),
            _ => None,
        });
        command.args(args.collect::<Vec<_>>())
    })
}

/// Accepts only those formats.
fn one_of(formats: &[Format]) -> ValueParser {
    let words: Vec<PossibleValue> = formats.iter().filter_map(Format::to_possible_value).collect();
    let words = PossibleValuesParser::new(words);
    ValueParser::new(words.try_map(|word| Format::from_str(&word, false)))
}
