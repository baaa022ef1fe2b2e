//! A wrong command line: what is wrong with it, what was probably meant, and an example.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use hostinfo_catalog::resolve;

use crate::diagnose::UNKNOWN_TO_PLUGIN;
use crate::exit::{Failure, Outcome, USAGE, code, complain};
use crate::{args, nearest};

/// Reports a wrong command line in the form of all errors, and returns the exit status for it. Help
/// and the version are no errors, and go to stdout.
pub(crate) fn refuse(mut error: clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return code(error.print().map(|()| Outcome::Complete).map_err(Failure::from));
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let status = status(&words);
    suggest_option(&mut error, &words);
    let told = error.render().to_string();
    let told = told.strip_prefix("error: ").unwrap_or(&told).trim_end();
    if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        complain(bad_value(told));
        return ExitCode::from(status);
    }
    let example = (error.kind() == ErrorKind::MissingRequiredArgument)
        .then(|| words.iter().find_map(|word| example(word)))
        .flatten();
    let example = example.map_or_else(String::new, |line| format!("\nExample: {line}"));
    let meant = meant(&error).unwrap_or_default();
    let (what, usage) = told.split_at(told.find('\n').unwrap_or(told.len()));
    complain(format_args!("{what}{meant}{usage}{example}"));
    ExitCode::from(status)
}

/// The exit status. A monitoring system would take that of other commands, 2, for `CRITICAL`: it is the host.
fn status(words: &[String]) -> u8 {
    let has = |sought: &str| words.iter().any(|word| word == sought);
    let is_plugin = has("diagnose") && (has("nagios") || has("--format=nagios"));
    if is_plugin { UNKNOWN_TO_PLUGIN } else { USAGE }
}

/// What clap says about a value, in one line: it names the option and what the option takes, so its help has no more.
fn bad_value(told: &str) -> String {
    let lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !line.starts_with("For more information"));
    let plain = lines.map(|line| match line.strip_prefix("[possible") {
        Some(values) => format!("possible{}", values.trim_end_matches(']')),
        None => line.strip_prefix("tip: ").unwrap_or(line).to_owned(),
    });
    plain.collect::<Vec<_>>().join("; ")
}

/// Replaces the option that clap suggests by one with the same letters: clap takes `--fro` for `--format` rather than
/// for `--for`.
fn suggest_option(error: &mut clap::Error, words: &[String]) {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else { return };
    let Some(wrong) = wrong.strip_prefix("--") else { return };
    let mut all = args::command();
    all.build();
    let of_command = words.iter().find_map(|word| all.find_subcommand(word)).unwrap_or(&all);
    let mut of_command = of_command.clone();
    let options = of_command.get_arguments().filter(|option| !option.is_hide_set());
    let options = options.filter_map(clap::Arg::get_long);
    let Some(meant) = nearest::with_the_same_letters(wrong, options) else { return };
    let meant = ContextValue::String(format!("--{meant}"));
    if error.kind() == ErrorKind::UnknownArgument {
        error.insert(ContextKind::SuggestedArg, meant);
        error.insert(ContextKind::Usage, ContextValue::StyledStr(of_command.render_usage()));
    }
}

/// What may have been meant by a word after `help` that is no command.
fn meant(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if resolve(word).is_some() {
        return Some(format!("; it is a statistic or a group: see hostinfo list {word}"));
    }
    let command = nearest::command(word, args::commands().into_iter())?;
    Some(format!("; did you mean hostinfo help {command}?"))
}

/// A command that is whole.
fn example(command: &str) -> Option<&'static str> {
    match command {
        "get" => Some("hostinfo get loadavg.1"),
        "record" => Some("hostinfo record slow.rec --for 10m"),
        "report" => Some("hostinfo report slow.rec --text"),
        _ => None,
    }
}
