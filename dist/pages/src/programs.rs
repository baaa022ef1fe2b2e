//! Pages of programs: their command lines as clap knows them, and what `more/` adds.

// Only what clap makes of them is of use here.
#[allow(dead_code)]
#[path = "../../../crates/hostinfo/src/args.rs"]
mod hostinfo;
#[allow(dead_code, unused_imports)]
#[path = "../../../crates/hostinfoctl/src/args.rs"]
mod hostinfoctl;
#[allow(dead_code)]
#[path = "../../../crates/hostinfod/src/args.rs"]
mod hostinfod;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use clap::builder::Str;
use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::markdown;
use crate::page::{Page, body_of, lines};

/// A program that is installed.
pub(crate) struct Program {
    /// Its command line.
    pub(crate) command: Command,
    section: &'static str,
    /// The description, and sections beyond those of the command line, in Markdown.
    more: &'static str,
}

/// Those of the host's side and the guest's.
pub(crate) fn programs() -> [Program; 3] {
    [
        Program {
            command: hostinfod::Args::command(),
            section: "8",
            more: include_str!("../more/hostinfod.md"),
        },
        Program {
            command: hostinfoctl::Args::command().subcommand_value_name("command"),
            section: "8",
            more: include_str!("../more/hostinfoctl.md"),
        },
        Program {
            command: hostinfo::command().name("hostinfo").subcommand_value_name("command"),
            section: "1",
            more: include_str!("../more/hostinfo.md"),
        },
    ]
}

/// A page for each.
///
/// # Errors
/// What `more/` adds has something that no page can show.
pub(crate) fn pages() -> Result<Vec<Page>> {
    programs().into_iter().map(page).collect()
}

fn page(program: Program) -> Result<Page> {
    let Program { mut command, section, more } = program;
    command.build();
    let name = command.get_name().to_owned();
    let about = command.get_about().context("a program says what it is for")?.to_string();
    let mut body = rendered(&command, Man::render_synopsis_section)?;
    let more = markdown::body(more).with_context(|| format!("more/{name}.md"))?;
    let (description, more) = more.split_at(more.find("\n.SH").map_or(more.len(), |end| end + 1));
    body += description;
    body += &rendered(&command, Man::render_options_section)?;
    body += &subcommands(&command)?;
    body += more;
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    body += &after_help(&help);
    Ok(Page { name, section, about, body })
}

fn rendered(
    command: &Command,
    render: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<String> {
    let mut text = Vec::new();
    render(&Man::new(command.clone()), &mut text)?;
    // Two breaks around an empty line are one too many for mandoc.
    let text = body_of(&String::from_utf8(text)?).replace("\n.br\n\n.br\n", "\n.sp\n");
    Ok(command.get_positionals().filter(|one| repeats(one)).fold(text, |text, one| {
        let name = one.get_value_names().and_then(<[_]>::first).map(Str::as_str);
        let name = format!(r"\fI{}\fR", name.unwrap_or_else(|| one.get_id().as_str()));
        [">", "]"].iter().fold(text, |text, end| {
            text.replace(&format!("{name}{end}"), &format!("{name}{end}..."))
        })
    }))
}

/// Whether it may be given several times, of which clap_mangen says nothing.
fn repeats(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// A part for each subcommand, with the options that it alone has, and behind them what several
/// of them say below theirs.
fn subcommands(command: &Command) -> Result<String> {
    let mut notes = BTreeSet::new();
    let mut all = parts(command, &mut notes)?;
    let mut roff = Roff::new();
    for note in notes {
        roff.control("PP", []).text([roman(note)]);
    }
    all += &lines(&roff);
    Ok(if all.is_empty() { all } else { format!(".SH COMMANDS\n{all}") })
}

fn parts(command: &Command, notes: &mut BTreeSet<String>) -> Result<String> {
    let mut all = String::new();
    for subcommand in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        if subcommand.has_subcommands() {
            all += &parts(subcommand, notes)?;
            continue;
        }
        let own = subcommand.clone().mut_args(|arg| {
            let everywhere = arg.is_global_set() || arg.get_id() == "help";
            arg.hide(everywhere)
        });
        let mut heading = Roff::new();
        heading.control("SS", [subcommand.get_bin_name().unwrap_or_default()]);
        all += &lines(&heading);
        let synopsis = rendered(&own, Man::render_synopsis_section)?;
        all += synopsis.trim_start_matches(".SH SYNOPSIS\n");
        let about = rendered(&own, Man::render_description_section)?;
        all += &about.replacen(".SH DESCRIPTION", ".PP", 1);
        let options = rendered(&own, Man::render_options_section)?;
        all += options.trim_start_matches(".SH OPTIONS\n");
        let help = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
        for block in help.split("\n\n").filter(|block| !block.is_empty()) {
            match block.split_once(":\n ") {
                Some(_) => all += &example(block),
                None => {
                    notes.insert(block.to_owned());
                }
            }
        }
    }
    Ok(all)
}

/// Lines of shell under a heading, within a part. That they are examples goes without saying.
fn example(block: &str) -> String {
    let mut roff = Roff::new();
    if let Some(heading) = block.lines().next().filter(|heading| *heading != "Examples:") {
        roff.control("PP", []).text([roman(heading)]);
    }
    roff.control("PP", []).control("RS", ["4"]).control("EX", []);
    for line in block.lines().skip(1) {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("EE", []).control("RE", []);
    lines(&roff)
}

/// What stands below the options in `--help`: lines that end in a colon head what is indented
/// below them.
fn after_help(text: &str) -> String {
    let mut roff = Roff::new();
    let mut sections = text.lines().filter(|line| !line.is_empty()).peekable();
    while let Some(heading) = sections.next() {
        roff.control("SH", [heading.trim_end_matches(':').to_uppercase().as_str()]);
        roff.control("EX", []);
        while let Some(line) = sections.next_if(|line| line.starts_with(' ')) {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("EE", []);
    }
    lines(&roff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_help_has() {
        for program in programs() {
            let name = program.command.get_name().to_owned();
            let page = page(program).unwrap();
            for heading in [".SH SYNOPSIS", ".SH OPTIONS", ".SH EXAMPLES", ".SH \"EXIT STATUS\""] {
                assert!(page.body.contains(heading), "{name}: {heading}");
            }
            assert!(!page.about.is_empty() && !page.about.ends_with('.'), "{name}: {}", page.about);
        }
    }

    #[test]
    fn an_argument_that_may_be_repeated_has_dots_behind_it() {
        let [_, hostinfoctl, _] = programs();
        let body = page(hostinfoctl).unwrap().body;
        let synopsis = |command: &str| {
            let line = body
                .lines()
                .find(|line| line.starts_with(&format!(r"\fBhostinfoctl {command}\fR")));
            line.unwrap().trim_end().to_owned()
        };
        assert!(synopsis("disable").ends_with(r"<\fIGUEST\fR>..."), "{body}");
        assert!(synopsis("list").ends_with(r"[\fIGUEST\fR]..."), "{body}");
        assert!(synopsis("watch").ends_with(r"[\fIGUEST\fR]"), "{body}");
    }

    #[test]
    fn options_of_all_commands_are_listed_once() {
        let [_, _, hostinfo] = programs();
        let body = page(hostinfo).unwrap().body;
        assert_eq!(body.matches(r"\fB\-\-timeout\fR \fI").count(), 1, "{body}");
    }
}
