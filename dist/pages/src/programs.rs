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

use std::collections::BTreeMap;

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
    let mut notes = BTreeMap::new();
    count_notes(command, &mut notes);
    let mut all = parts(command, &notes)?;
    for (note, _) in notes.iter().filter(|(_, commands)| **commands > 1) {
        all += &paragraph(note);
    }
    Ok(if all.is_empty() { all } else { format!(".SH COMMANDS\n{all}") })
}

/// How many subcommands say each paragraph below their options.
fn count_notes(command: &Command, notes: &mut BTreeMap<String, usize>) {
    for subcommand in subcommands_of(command) {
        count_notes(subcommand, notes);
        let help = below_options(subcommand);
        for note in blocks(&help).filter(|block| !is_example(block)) {
            *notes.entry(note.to_owned()).or_default() += 1;
        }
    }
}

fn subcommands_of(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| sub.get_name() != "help")
}

fn below_options(command: &Command) -> String {
    command.get_after_help().map(ToString::to_string).unwrap_or_default()
}

fn blocks(help: &str) -> impl Iterator<Item = &str> {
    help.split("\n\n").filter(|block| !block.is_empty())
}

fn is_example(block: &str) -> bool {
    block.contains(":\n ")
}

fn paragraph(text: &str) -> String {
    let mut roff = Roff::new();
    roff.control("PP", []).text([roman(text)]);
    lines(&roff)
}

fn parts(command: &Command, notes: &BTreeMap<String, usize>) -> Result<String> {
    let mut all = String::new();
    for subcommand in subcommands_of(command) {
        if subcommand.has_subcommands() {
            all += &parts(subcommand, notes)?;
            continue;
        }
        let own = subcommand.clone().mut_args(|arg| {
            let says_the_same = |all: &Arg| {
                let values = |arg: &Arg| arg.get_possible_values().len();
                all.get_help() == arg.get_help() && values(all) == values(&arg)
            };
            let mut shared = command.get_arguments().filter(|all| all.get_id() == arg.get_id());
            let everywhere = arg.is_global_set() && shared.any(says_the_same);
            let is_hidden = arg.is_hide_set() || everywhere || arg.get_id() == "help";
            arg.hide(is_hidden)
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
        for block in blocks(&below_options(subcommand)) {
            if is_example(block) {
                all += &example(block);
            } else if notes.get(block) == Some(&1) {
                all += &paragraph(block);
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
    fn what_a_command_says_below_its_options_stands_in_its_part_and_what_several_say_behind_all() {
        let [_, hostinfoctl, hostinfo] = programs();
        let part = |body: &str, command: &str| {
            let (_, part) = body.split_once(&format!(".SS \"{command}\"\n")).unwrap();
            part.split("\n.S").next().unwrap().replace('\n', " ")
        };
        let body = page(hostinfo).unwrap().body;
        assert!(part(&body, "hostinfo diagnose").contains("Ctrl\\-C ends the observation early"));
        assert!(part(&body, "hostinfo report").contains("one self\\-contained file"));
        assert!(part(&body, "hostinfo record").contains("How often to take a sample"));
        assert!(!part(&body, "hostinfo ping").contains("Ctrl"), "{body}");
        let body = page(hostinfoctl).unwrap().body;
        assert_eq!(body.matches("GUEST is a guest\\*(Aqs name in libvirt").count(), 1, "{body}");
        assert!(!part(&body, "hostinfoctl enable").contains("GUEST is a guest"), "{body}");
    }

    #[test]
    fn options_of_all_commands_are_listed_once() {
        let [_, _, hostinfo] = programs();
        let body = page(hostinfo).unwrap().body;
        assert_eq!(body.matches(r"\fB\-\-timeout\fR \fI").count(), 1, "{body}");
    }
}
