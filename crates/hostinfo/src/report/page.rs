//! A report as a self-contained HTML page: without network or scripts; for light and dark screens,
//! and for print.

use hostinfo_render::escaped;

use crate::report::bar::bar;
use crate::report::chart::{Chart, together};
use crate::report::charts::charts;
use crate::report::read::Recording;
use crate::report::summary::Summary;
use crate::report::text::{INCIDENTS_MAX, damage, incidents, more, places, recorded};
use crate::report::words::{because, share, span, spoken};

const STYLE: &str = include_str!("page.css");

/// What a browser may load: nothing, whatever the page contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// All of it.
pub(crate) fn page(recording: &Recording) -> String {
    let summary = Summary::of(recording);
    let title = format!("{} to {} UTC", summary.at(summary.start), summary.at(summary.end));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Was it the host? {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Was it the host?</h1>\n\
         <p>What a virtual machine's host said of it, and what its own kernel counted. {} {}</p>\n",
        recorded(&summary),
        escaped(&places(recording)),
    );
    html += "<h2>Summary</h2>\n<div class=\"told\">\n";
    for sentence in summary.sentences() {
        html += &format!("<p>{}</p>\n", escaped(&sentence));
    }
    html += "</div>\n";
    html += &times(&summary);
    html += &timeline(recording, &summary);
    html += &episodes(&summary);
    html += &told_incidents(recording);
    let spans = recording.spans();
    html += &format!(
        "<h2>Both views</h2>\n<p>Lines that are drawn through, or dotted, are what the host said; dashed \
         lines are what this guest's own kernel counted. A line has a gap where nothing was recorded.{}</p>\n",
        worst(together(spans.len()))
    );
    let figures = charts().into_iter().filter_map(|chart| {
        let svg = chart.svg(&spans, summary.start, summary.end)?;
        let (title, legend) = (chart.title, legend(&chart));
        Some(figure(&format!("{title}{legend}"), &svg))
    });
    html.extend(figures);
    html.extend(damage(recording).map(paragraph));
    html + "<footer><p>Made by hostinfo report from a recording that was made in the virtual machine.</p></footer>\n\
            </main>\n</body>\n</html>\n"
}

/// Which of several samples a point shows.
fn worst(together: usize) -> String {
    match together {
        1 => String::new(),
        _ => format!(" Each point of a line is the worst of {together} samples."),
    }
}

fn figure(caption: &str, svg: &str) -> String {
    format!(
        "<figure>\n<figcaption>{caption}</figcaption>\n<div class=\"wide\">\n{svg}</div>\n</figure>\n"
    )
}

/// A table that scrolls sideways, also with the keyboard, if it is wider than the window.
fn table(caption: &str, columns: &[&str], rows: &str) -> String {
    let columns: String =
        columns.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n\
         <caption>{caption}</caption>\n<thead><tr>{columns}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

/// How long each verdict lasted.
fn times(summary: &Summary) -> String {
    let mut rows = String::new();
    for (_, resource, times) in summary.present() {
        let parts = [times.contended, times.self_limited, times.ok, times.unknown];
        let cells = parts.map(|part| match part {
            0 => "<td>&ndash;</td>".to_owned(),
            part => format!("<td>{}<br>{}</td>", share(part, summary.recorded), span(part)),
        });
        rows +=
            &format!("<tr><th scope=\"row\">{}</th>{}</tr>\n", spoken(resource), cells.concat());
    }
    let columns = ["Resource", "contended", "self-limited", "ok", "unknown"];
    table("How long each verdict held", &columns, &rows)
        + "<p>Verdicts come from the host; each covers the minute before it, or less. <b>contended</b>: the host was \
           short of it for this guest, or limited it. <b>self-limited</b>: the guest's own limit or own work held it back. <b>ok</b>: the \
           guest got what it asked for. <b>unknown</b>: the host could not tell, or there was no verdict.</p>\n"
}

/// The verdicts over time.
fn timeline(recording: &Recording, summary: &Summary) -> String {
    let told = recording.known_spans();
    let mut html = "<h2>Verdicts over time</h2>\n<p class=\"key\">".to_owned();
    for word in ["contended", "self-limited", "unknown", "ok"] {
        html += &format!("<span><i class=\"swatch {word}\"></i>{word}</span>\n");
    }
    html += "</p>\n";
    for (number, resource, times) in summary.present() {
        let label = format!(
            "{}: contended {}, self-limited {}, ok {}, unknown {}",
            spoken(resource),
            summary.of_all(times.contended),
            summary.of_all(times.self_limited),
            summary.of_all(times.ok),
            summary.of_all(times.unknown)
        );
        let bar = bar(&told, number, summary.start, summary.end, &label);
        html += &figure(spoken(resource), &bar).replacen("<figure>", "<figure class=\"bar\">", 1);
    }
    html + &format!(
        "<p class=\"ends\"><span>{}</span><span>{} UTC</span></p>\n",
        summary.at(summary.start),
        summary.at(summary.end)
    )
}

fn episodes(summary: &Summary) -> String {
    if summary.episodes.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for episode in &summary.episodes {
        rows += &format!(
            "<tr><td class=\"short\">{}</td><td class=\"short\">{}</td><td class=\"short\">{}</td>\
             <td>{}{}</td></tr>\n",
            summary.at(episode.start),
            span(episode.end - episode.start),
            spoken(episode.resource),
            episode.state.word(),
            escaped(&because(&episode.reason))
        );
    }
    let table = table(
        "When it was not ok",
        &["From (UTC)", "For", "Resource", "Verdict, and the host's reason"],
        &rows,
    );
    table + &more(summary.more, "shorter time").map(paragraph).unwrap_or_default()
}

fn told_incidents(recording: &Recording) -> String {
    let incidents = incidents(recording);
    if incidents.is_empty() {
        return String::new();
    }
    let item = |incident: &String| format!("<li>{}</li>\n", escaped(incident));
    let items: String = incidents.iter().map(item).collect();
    format!("<h2>Incidents that the host recorded</h2>\n<ul>\n{items}</ul>\n")
        + &more(recording.incidents.len().saturating_sub(INCIDENTS_MAX), "earlier incident")
            .map(paragraph)
            .unwrap_or_default()
}

/// A paragraph. `text` has no signs that HTML gives a meaning to.
fn paragraph(text: String) -> String {
    format!("<p>{text}</p>\n")
}

fn legend(chart: &Chart) -> String {
    let items = chart.series.iter().map(|series| {
        format!(
            "\n<span class=\"legend\"><svg viewBox=\"0 0 28 8\" aria-hidden=\"true\">\
             <path class=\"{}\" d=\"M0 4H28\"/></svg>{}</span>",
            series.view.class(),
            series.name
        )
    });
    items.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Entry, Field, Heard, Sample, head};
    use crate::verdict::State;
    use proptest::prelude::*;

    fn recording(said: &str) -> Recording {
        let mut text = head();
        let said = said.to_owned();
        for number in 0..100 {
            let time = 1_795_852_940 + number * 10;
            let state = if number < 50 { State::Ok } else { State::Contended };
            let states = [Some(state), Some(State::Ok), Some(State::Unknown), None];
            let mut sample = Sample::at(time, Heard::Verdicts(states));
            sample.set(Field::Waited, Some(if number < 50 { 10.0 } else { 340.0 }));
            sample.set(Field::Steal, Some(if number < 50 { 0.0 } else { 300.0 }));
            text += &Entry::Sample(sample).line();
        }
        let time = 1_795_853_800;
        let (resource, state) = ("cpu".to_owned(), Some(State::Contended));
        for entry in [
            Entry::Incident { time, incident: said.clone() },
            Entry::Guest { time, guest: said.clone() },
            Entry::Host { time, host: said.clone() + "." },
            Entry::Silence { time, why: said.clone() },
            Entry::Verdict { time, resource, state, reason: said },
            Entry::Sample(Sample::at(time + 150, Heard::Silence)),
        ] {
            text += &entry.line();
        }
        Recording::read(text.as_bytes()).unwrap()
    }

    /// How often each tag is opened and closed.
    fn tags(page: &str) -> Vec<(usize, usize)> {
        let count = |text: String| page.matches(&text).count();
        let tags =
            ["table", "figure", "svg", "h2", "li", "desc", "tr", "td", "th", "p", "div", "ul"];
        let opened = |tag| count(format!("<{tag}>")) + count(format!("<{tag} "));
        tags.into_iter().map(|tag| (opened(tag), count(format!("</{tag}>")))).collect()
    }

    #[test]
    fn a_page_needs_nothing_but_itself() {
        let page = page(&recording("x"));
        for outside in ["<script", "http:", "https:", "url(", "@import", "<link", "<img", " src="] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.len() < 200_000, "{}", page.len());
    }

    #[test]
    fn a_page_of_a_day_says_which_of_its_samples_are_drawn() {
        assert_eq!([0, 100, 720, 721, 8640].map(together), [1, 1, 1, 2, 12]);
        assert_eq!(worst(1), "");
        assert_eq!(worst(12), " Each point of a line is the worst of 12 samples.");
    }

    #[test]
    fn a_page_has_the_summary_the_timeline_and_both_views() {
        let page = page(&recording("your vCPUs waited"));
        for part in [
            "<p>The host gave this guest less CPU time than it wanted for 8 min 20 s (",
            "<caption>How long each verdict held</caption>",
            "<h2>Verdicts over time</h2>",
            "<td>contended: your vCPUs waited</td>",
            "<title id=\"CPUtimethatwaslost-t\">",
            "prefers-color-scheme: dark",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(tags(&page).iter().all(|(opened, closed)| opened == closed), "{:?}", tags(&page));
    }

    #[test]
    fn a_text_from_the_host_is_shown_as_text_and_never_part_of_the_pages_html() {
        let page = page(&recording("</p><script>alert('x')</script>&\"\u{1b}\u{202e}"));
        let told =
            "<li>&lt;/p&gt;&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt;&amp;&quot;</li>";
        assert!(page.contains(told), "{page}");
        assert!(!page.contains("<script") && !page.contains('\u{202e}'));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_page_has_the_same_tags_whatever_a_host_says(
            said in "([<>&\"'/=a-z !-]|<script>|</li>|-->|\\PC){1,40}",
        ) {
            // Everything that begins or ends a tag, or the value of an attribute.
            let signs = |said: &str| {
                let page = page(&recording(&format!("x{said}x")));
                ['<', '>', '"', '\''].map(|sign| page.matches(sign).count())
            };
            prop_assert_eq!(signs(&said), signs(""));
        }
    }
}
