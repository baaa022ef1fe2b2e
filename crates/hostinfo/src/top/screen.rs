//! The contents of the screen, line by line. Pure.

mod notice;

use ratatui_core::style::{Color, Style};
use ratatui_core::text::{Line, Span};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::diagnose::conclude::absent;
use crate::recording::Sample;
use crate::system::WHY_NO_OWN_VIEW;
use crate::top::rows::{Full, LABEL, ROWS, Row, VALUE};
use crate::top::screen::notice::notice;
use crate::top::spark::{Glyphs, spark};
use crate::top::state::State;
use crate::units;
use crate::verdict::{self, RESOURCES, Verdict};
use crate::views::dated::ago;
use crate::views::reply::as_told;
use crate::wrap::wrapped;

/// The smallest usable terminal: the verdicts, and a few figures.
pub(super) const WIDTH_LEAST: u16 = 40;
pub(super) const HEIGHT_LEAST: u16 = 10;

/// The whole screen for a terminal of that size, with the most important things first.
pub(super) fn screen(
    state: &State,
    width: usize,
    height: usize,
    glyphs: Glyphs,
) -> Vec<Line<'static>> {
    if width < WIDTH_LEAST.into() || height < HEIGHT_LEAST.into() {
        let text = format!("too small: make it {WIDTH_LEAST} x {HEIGHT_LEAST}");
        return vec![Line::raw(cut(&text, width, glyphs))];
    }
    let mut lines = vec![head(state, width, glyphs)];
    lines.extend(verdicts(state, width, glyphs));
    lines.extend(heading(state, width, glyphs));
    let room = height.saturating_sub(lines.len());
    // Incidents get the last lines, if the figures leave room for them.
    let has_own_view = WHY_NO_OWN_VIEW.is_none();
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.is_hosts || has_own_view).collect();
    let incidents = room.saturating_sub(rows.len()).min(state.incidents.len());
    lines.extend(rows.into_iter().map(|row| figure(row, state, width, glyphs)));
    lines.truncate(height.saturating_sub(incidents));
    let old = state.age_if_old();
    let incident = |text: &String| Line::raw(cut(&as_told(text, old), width, glyphs));
    lines.extend(state.incidents.iter().take(incidents).map(incident));
    lines
}

/// `hostinfo  10:02:11 UTC  df1a367e, kvm        every 2 s  q quits`
fn head(state: &State, width: usize, glyphs: Glyphs) -> Line<'static> {
    let time = state.newest().and_then(|sample| jiff::Timestamp::from_second(sample.time).ok());
    let time =
        time.map_or_else(|| "--:--:--".to_owned(), |time| time.strftime("%H:%M:%S").to_string());
    let end = format!("  every {}  q quits", units::duration(state.every));
    let room = width.saturating_sub(end.len());
    let begin = cut(&format!("hostinfo  {time} UTC  {}", state.host), room, glyphs);
    let text = format!("{begin}{:1$}{end}", "", room.saturating_sub(begin.width()));
    Line::styled(text, Style::new().reversed())
}

fn verdicts(state: &State, width: usize, glyphs: Glyphs) -> Vec<Line<'static>> {
    let ago = state.age_if_old().map(ago);
    let line = |(number, resource): (usize, &&str)| {
        let verdict = state.verdicts.get(number).copied().flatten();
        let absent = absent(resource, verdict, &state.lacking);
        let word = match verdict {
            _ if absent.is_some() => "-",
            Some(state) => state.word(),
            None if state.age.is_none() => "...",
            None => "no verdict",
        };
        let reason = state.reasons.get(*resource).map(String::as_str);
        let reason = reason.unwrap_or_default();
        let of_no_time = verdict.is_none_or(|state| Verdict { state, reason }.is_of_no_time());
        let ago = ago.as_ref().filter(|_| !of_no_time);
        let style = match verdict {
            // It may be different by now.
            _ if ago.is_some() => Style::new().dim(),
            Some(verdict::State::Contended) => Style::new().fg(Color::Red).bold().reversed(),
            Some(verdict::State::SelfLimited) => Style::new().fg(Color::Yellow).bold(),
            Some(verdict::State::Ok) => Style::new().fg(Color::Green),
            Some(verdict::State::Unknown) | None => Style::new(),
        };
        let reason = match (absent, ago) {
            (Some(absent), _) => absent.to_owned(),
            (None, Some(ago)) => format!("{ago}: {reason}"),
            (None, None) => reason.to_owned(),
        };
        /// The longest word, and a blank.
        const WORD: usize = "self-limited ".len();
        let behind = WORD.saturating_sub(word.len());
        let room = width.saturating_sub("memory  ".len() + WORD);
        Line::from(vec![
            Span::raw(format!("{resource:8}")),
            Span::styled(word, style),
            Span::raw(format!("{:behind$}{}", "", cut(&reason, room, glyphs))),
        ])
    };
    RESOURCES.iter().enumerate().map(line).collect()
}

/// What the figures below are and how long the lines; or why the host's are old or missing.
fn heading(state: &State, width: usize, glyphs: Glyphs) -> Vec<Line<'static>> {
    /// Even the smallest terminal has room for a few figures below that.
    const LINES_MAX: usize = 3;
    let drawn = state.samples.len().min(drawn(width));
    let time = state.every.saturating_mul(u32::try_from(drawn).unwrap_or(u32::MAX));
    let time = units::duration(time);
    let most = if has_most(width) { format!(" {:>VALUE$}", "max") } else { String::new() };
    let mut texts = match notice(state) {
        // The last columns of this line are of less use than that.
        Some(notice) => wrapped(&notice, width + 1).lines().map(str::to_owned).collect(),
        None => vec![format!("{:LABEL$}{:>VALUE$}{most}  the last {time}", "", "now")],
    };
    if texts.len() > LINES_MAX {
        let rest = texts.split_off(LINES_MAX - 1).join(" ");
        texts.push(rest);
    }
    let line = |text: String| Line::styled(cut(&text, width, glyphs), Style::new().bold());
    texts.into_iter().map(line).collect()
}

/// Whether there is room for the greatest value of each line.
fn has_most(width: usize) -> bool {
    /// Below that, lines would be shorter than 20 samples.
    const WIDTH_LEAST: usize = LABEL + 2 * (VALUE + 1) + 1 + 20;
    width >= WIDTH_LEAST
}

/// How many samples a line has.
fn drawn(width: usize) -> usize {
    let values = if has_most(width) { VALUE + 1 + VALUE } else { VALUE };
    width.saturating_sub(LABEL + values + "  ".len())
}

/// `guest CPU stolen     34.0%     41.2%  ▁▂▇▅`
fn figure(row: &Row, state: &State, width: usize, glyphs: Glyphs) -> Line<'static> {
    let newest = if row.is_hosts { state.newest_of_host() } else { state.newest() };
    let told = |figure: Option<u32>| {
        cut(&figure.map_or_else(|| "-".to_owned(), |figure| row.words(figure)), VALUE, glyphs)
    };
    let room = drawn(width);
    let most =
        |field| state.samples.iter().rev().take(room).filter_map(move |s| s.figure(field)).max();
    let full = match row.full {
        Full::At(full) => full,
        Full::Greatest { of, least } => {
            of.iter().filter_map(|field| most(*field)).map(f64::from).fold(least, f64::max)
        }
    };
    let figure = |sample: &Sample| sample.figure(row.field).map(f64::from);
    let line = spark(state.samples.iter().rev().take(room).map(figure), full, glyphs);
    let whose = if row.is_hosts { "host" } else { "guest" };
    let label = format!("{whose:5} {}", row.label);
    let now = told(newest.and_then(|sample| sample.figure(row.field)));
    // Beside their labels, so that they are found on a wide terminal as well.
    let mut text = format!("{label:LABEL$}{now:>VALUE$}");
    if has_most(width) {
        text += &format!(" {:>VALUE$}", told(most(row.field)));
    }
    Line::raw(text + "  " + &line)
}

/// The part of a text that fits into that many columns, in characters that the terminal has.
fn cut(text: &str, width: usize, glyphs: Glyphs) -> String {
    let is_whole = text.width() <= width;
    let room = if is_whole { width } else { width.saturating_sub(1) };
    let mut used = 0;
    let mut kept: String = text
        .chars()
        .map(|sign| glyphs.shown(sign))
        .take_while(|sign| {
            used += sign.width().unwrap_or(0);
            used <= room
        })
        .collect();
    if !is_whole && width > 0 {
        kept.push(glyphs.rest());
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::recording::{Entry, Field, Heard};
    use crate::verdict::State as Verdict;
    use proptest::prelude::*;

    fn state(reason: &str, host: &str) -> State {
        let mut state = State::new(Duration::from_secs(2));
        state.add(Entry::Host { time: 0, host: host.to_owned() });
        let (resource, reason) = ("cpu".to_owned(), reason.to_owned());
        let contended = Some(Verdict::Contended);
        state.add(Entry::Verdict { time: 0, resource, state: contended, reason });
        for number in 0..10u32 {
            let states = [contended, Some(Verdict::Ok), None, None];
            let mut sample = Sample::at(1_795_852_940 + i64::from(number), Heard::Verdicts(states));
            sample.set(Field::Waited, Some(f64::from(number) * 40.0));
            state.add(Entry::Sample(sample));
        }
        for number in 0..5 {
            let incident = format!("cpu contended from {number} to now");
            state.add(Entry::Incident { time: 0, incident });
        }
        state.age = Some(Duration::ZERO);
        state
    }

    fn shown(state: &State, width: usize, height: usize, glyphs: Glyphs) -> Vec<String> {
        screen(state, width, height, glyphs).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_fits_into_80_by_24_and_what_matters_is_above() {
        let state = state("your vCPUs waited 34% of it", "df1a367e kvm");
        let lines = shown(&state, 80, 24, Glyphs::Ascii);
        assert_eq!(lines.len(), 24);
        assert_eq!(lines[0].len(), 80);
        assert!(lines[0].starts_with("hostinfo  08:02:29 UTC  df1a367e kvm "), "{}", lines[0]);
        assert!(lines[0].ends_with("  every 2 s  q quits"));
        assert_eq!(lines[1], "cpu     contended    your vCPUs waited 34% of it");
        assert_eq!(lines[2].trim_end(), "memory  ok");
        assert_eq!(lines[3].trim_end(), "io      no verdict");
        assert_eq!(lines[5], format!("{:22}{:>9} {:>9}  the last 20 s", "", "now", "max"));
        assert_eq!(lines[6], "host  vCPUs waited        36.0%     36.0%  _...::::--");
        let steal = format!("guest CPU stolen      {:>9} {:>9}", "-", "-");
        assert_eq!(lines[7].trim_end(), steal, "not known is not zero");
        assert_eq!(lines[21], "cpu contended from 4 to now");
        assert!(lines.iter().all(|line| line.chars().count() <= 80 && line.is_ascii()));
    }

    #[test]
    fn a_small_terminal_has_what_matters_most_and_one_that_is_too_small_is_told_so() {
        let state = state("your vCPUs waited 34% of the last 60 s", "df1a367e kvm");
        let lines = shown(&state, 40, 10, Glyphs::Blocks);
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[1], "cpu     contended    your vCPUs waited …");
        assert_eq!(lines[6], "host  vCPUs waited        36.0%  ▂▃▃▃▃▄▄", "without the greatest");
        assert_eq!(shown(&state, 20, 24, Glyphs::Ascii), ["too small: make it ~"]);
        assert_eq!(shown(&state, 30, 24, Glyphs::Ascii), ["too small: make it 40 x 10"]);
    }

    #[test]
    fn figures_that_are_old_or_missing_are_explained() {
        let mut state = state("x", "y");
        let told = |state: &State| shown(state, 120, 24, Glyphs::Ascii)[5].clone();
        state.add(Entry::Sample(Sample::at(1_795_852_995, Heard::TooSoon)));
        state.age = Some(Duration::from_millis(46_900));
        state.wait = Some(Duration::from_millis(13_200));
        assert_eq!(told(&state), "the host's figures are 46 s old, the next come in 14 s");
        state.wait = None;
        assert_eq!(told(&state), "the host's figures are 46 s old");
        state.waited = Some(Duration::from_millis(4200));
        let late = "the host's figures are 46 s old: it was asked 4 s ago, and has not answered";
        assert_eq!(told(&state), late);
        state.waited = None;
        let waited = |state: &State| shown(state, 80, 24, Glyphs::Ascii)[6].clone();
        assert!(waited(&state).contains("    36.0%     36.0%  "), "the last one stands");
        state.add(Entry::Silence { time: 0, why: "no host answers: x".to_owned() });
        state.add(Entry::Sample(Sample::at(1_795_852_997, Heard::Silence)));
        assert_eq!(told(&state), "no host answers: x");
        assert!(waited(&state).contains("        -     36.0%  "), "{}", waited(&state));
    }

    #[test]
    fn verdicts_from_before_the_host_fell_silent_are_marked_and_the_reason_is_there_as_a_whole() {
        let mut state = state("your vCPUs waited", "y");
        state.age = Some(Duration::from_secs(48));
        let why = "no host answers: /dev/ttyS1: no such device; leave out --device to find it";
        state.add(Entry::Silence { time: 0, why: why.to_owned() });
        state.add(Entry::Sample(Sample::at(1_795_852_997, Heard::Silence)));
        let lines = screen(&state, 60, 24, Glyphs::Ascii);
        assert_eq!(lines[1].to_string(), "cpu     contended    48 s ago: your vCPUs waited");
        assert_eq!(lines[1].spans[1].style, Style::new().dim());
        assert_eq!(format!("{} {}", lines[5], lines[6]), why);
        state.silence = "word ".repeat(99);
        let lines = shown(&state, 40, 10, Glyphs::Ascii);
        assert!(lines[7].ends_with('~') && lines[8].starts_with("host "), "{lines:?}");
    }

    #[test]
    fn what_is_older_than_the_present_is_marked_though_the_host_answers() {
        let mut state = state("your vCPUs waited", "y");
        let (io, why) = ("io".to_owned(), "ask again in 60 s".to_owned());
        let unknown = Some(Verdict::Unknown);
        state.add(Entry::Verdict { time: 0, resource: io, state: unknown, reason: why });
        let told = |state: &State| {
            let lines = shown(state, 80, 24, Glyphs::Ascii);
            [1, 3, 21].map(|line| lines[line].trim_end().to_owned())
        };
        state.age = Some(Duration::from_secs(5));
        let waiting = "io      unknown      ask again in 60 s";
        let verdict = "cpu     contended    your vCPUs waited";
        assert_eq!(told(&state), [verdict, waiting, "cpu contended from 4 to now"]);
        state.age = Some(Duration::from_secs(42));
        let verdict = "cpu     contended    42 s ago: your vCPUs waited";
        let incident = "cpu contended from 4, and going on 42 s ago";
        assert_eq!(told(&state), [verdict, waiting, incident]);
    }

    #[test]
    fn before_the_first_answer_it_says_what_is_waited_for() {
        let mut state = State::new(Duration::from_secs(2));
        let told = |state: &State| shown(state, 60, 24, Glyphs::Ascii)[5].trim_end().to_owned();
        assert_eq!(told(&state), "the first figures come with the second sample");
        state.waited = Some(Duration::from_millis(1900));
        assert_eq!(told(&state), "the host was asked 1 s ago: waiting for its answer");
        state.waited = None;
        state.wait = Some(Duration::from_secs(42));
        state.add(Entry::Sample(Sample::at(5, Heard::TooSoon)));
        assert_eq!(told(&state), "too soon to ask the host: its first figures come in 42 s");
    }

    #[test]
    fn both_views_of_a_disk_have_one_scale_and_shares_have_all_of_the_time() {
        let mut state = State::new(Duration::from_secs(2));
        let mut sample = Sample::at(5, Heard::Verdicts([None; 4]));
        sample.set(Field::HostLatency, Some(2_000.0));
        sample.set(Field::Latency, Some(40_000.0));
        sample.set(Field::Steal, Some(1000.0));
        sample.set(Field::HostIo, Some(60.0));
        state.add(Entry::Sample(sample));
        let lines = shown(&state, 80, 24, Glyphs::Ascii);
        let drawn = |label: &str| {
            let line = lines.iter().find(|line| line.starts_with(label)).unwrap();
            line.chars().last().unwrap()
        };
        assert_eq!((drawn("host  disk"), drawn("guest disk")), ('.', '#'));
        assert_eq!((drawn("guest CPU stolen"), drawn("host  I/O")), ('#', '.'));
    }

    #[test]
    fn a_disk_that_answers_in_microseconds_is_shown_in_ascii_where_there_is_nothing_else() {
        let mut state = State::new(Duration::from_secs(2));
        let mut sample = Sample::at(0, Heard::Silence);
        sample.set(Field::Latency, Some(250.0));
        state.add(Entry::Sample(sample));
        let shows = |glyphs, text| {
            let lines = shown(&state, 80, 24, glyphs);
            lines.iter().any(|line| line.starts_with("guest disk") && line.contains(text))
        };
        assert!(shows(Glyphs::Ascii, " 250 us ") && shows(Glyphs::Blocks, " 250 µs "));
    }

    #[test]
    fn a_device_that_this_guest_does_not_have_is_not_unknown() {
        let mut state = State::new(Duration::from_secs(2));
        let unknown = Some(Verdict::Unknown);
        let reason = "this host has no figures of your disks".to_owned();
        state.add(Entry::Verdict { time: 0, resource: "io".to_owned(), state: unknown, reason });
        let io = |state: &State| shown(state, 80, 24, Glyphs::Ascii)[3].clone();
        assert_eq!(io(&state), "io      unknown      this host has no figures of your disks");
        state.lacking = vec!["io"];
        assert_eq!(io(&state), "io      -            no disk in this guest");
    }

    proptest! {
        #[test]
        fn whatever_a_host_says_fits(
            text in "\\PC{0,100}",
            width in 0usize..220,
            height in 0usize..70,
        ) {
            let mut state = state(&text, &text);
            state.add(Entry::Incident { time: 0, incident: text });
            for glyphs in [Glyphs::Blocks, Glyphs::Ascii] {
                let lines = screen(&state, width, height, glyphs);
                prop_assert!(lines.len() <= height.max(1));
                prop_assert!(lines.iter().all(|line| line.width() <= width), "{:?}", lines);
            }
        }
    }
}
