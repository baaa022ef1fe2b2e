//! Lines over time, as SVG: without scripts or network, readable in black and white, and described in words.

use std::fmt::Write as _;

use crate::recording::Field;
use crate::report::bar::{LEFT, RIGHT, WIDTH, x};
use crate::report::timeline::Span;
use crate::report::words::moment;

/// The height of the area for lines, and the space above and below it, in SVG units.
const HEIGHT: f64 = 120.0;
const ABOVE: f64 = 6.0;
const BELOW: f64 = 22.0;

/// The most points of a line: as many as the area is wide.
const POINTS_MAX: usize = 720;

/// One line.
pub(crate) struct Series {
    pub(crate) field: Field,
    /// Its name in the legend and for screen readers.
    pub(crate) name: &'static str,
    pub(crate) view: View,
    /// Which of many samples counts if they are drawn as one point.
    pub(crate) worst: Worst,
}

/// Whose view it is: the host's first line is solid, its second one dotted, and the guest's is dashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Host,
    HostToo,
    Guest,
}

impl View {
    /// The class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::HostToo => "host too",
            Self::Guest => "guest",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worst {
    Greatest,
    Least,
}

/// A figure over time.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// The factor for the field's unit, and the text after the number.
    pub(crate) scale: f64,
    pub(crate) unit: &'static str,
    pub(crate) series: Vec<Series>,
}

/// How many of that many samples are drawn as one point.
pub(crate) fn together(samples: usize) -> usize {
    samples.div_ceil(POINTS_MAX).max(1)
}

/// A point of a line: its time, its part of the recording, and its value.
#[derive(Debug, Clone, Copy)]
struct Point {
    time: i64,
    part: usize,
    value: f64,
}

impl Chart {
    /// The chart between two points in time. `None` if there are no figures.
    pub(crate) fn svg(&self, spans: &[Span<'_>], start: i64, end: i64) -> Option<String> {
        let lines: Vec<Vec<Point>> =
            self.series.iter().map(|series| self.points(series, spans)).collect();
        if lines.iter().all(Vec::is_empty) {
            return None;
        }
        let most = lines.iter().flatten().map(|point| point.value).fold(0.0, f64::max);
        let top = round_up(most);
        let id: String = self.title.chars().filter(char::is_ascii_alphanumeric).collect();
        let (width, height) = (RIGHT + 8, ABOVE + HEIGHT + BELOW);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n",
            self.title,
            self.described(spans)
        );
        svg += &axes(top, self.unit, start, end);
        for (series, points) in self.series.iter().zip(&lines) {
            let path = path(points, start, end, top);
            let _ = writeln!(svg, "<path class=\"{}\" d=\"{path}\"/>", series.view.class());
        }
        Some(svg + "</svg>\n")
    }

    /// The points of a line, no more than are visible.
    fn points(&self, series: &Series, spans: &[Span<'_>]) -> Vec<Point> {
        let together = together(spans.len());
        let point = |some: &[Span<'_>]| {
            let known = some.iter().filter_map(|span| {
                let value = f64::from(span.sample.figure(series.field)?) * self.scale;
                Some(Point { time: span.to, part: span.part, value })
            });
            let by_value = |one: &Point, other: &Point| one.value.total_cmp(&other.value);
            match series.worst {
                Worst::Greatest => known.max_by(by_value),
                Worst::Least => known.min_by(by_value),
            }
        };
        spans.chunks(together).filter_map(point).collect()
    }

    /// In words: the mean and the worst value of each line.
    fn described(&self, spans: &[Span<'_>]) -> String {
        let described = self.series.iter().filter_map(|series| {
            let figure = |span: &Span<'_>| span.sample.figure(series.field);
            let known =
                || spans.iter().filter_map(figure).map(|figure| f64::from(figure) * self.scale);
            let (sum, count) = known().fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
            let (word, worst) = match series.worst {
                Worst::Greatest => ("at most", known().reduce(f64::max)?),
                Worst::Least => ("at least", known().reduce(f64::min)?),
            };
            let (unit, mean) = (self.unit, sum / count);
            Some(format!("{}: on average {mean:.1}{unit}, {word} {worst:.1}{unit}", series.name))
        });
        described.collect::<Vec<_>>().join("; ")
    }
}

/// The frame, with labels for its top, bottom and ends.
fn axes(top: f64, unit: &str, start: i64, end: i64) -> String {
    let (bottom, middle) = (ABOVE + HEIGHT, ABOVE + HEIGHT / 2.0);
    let (label, below) = (LEFT - 6, bottom + 16.0);
    let decimals = usize::from(top < 4.0);
    let half = LEFT + WIDTH / 2;
    format!(
        "<path class=\"axis\" d=\"M{LEFT} {ABOVE}H{RIGHT}M{LEFT} {middle}H{RIGHT}M{LEFT} {ABOVE}V{bottom}H{RIGHT}\
         M{half} {bottom}v4\"/>\n\
         <text x=\"{label}\" y=\"{}\" text-anchor=\"end\">{top:.decimals$}{unit}</text>\n\
         <text x=\"{label}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n\
         <text x=\"{LEFT}\" y=\"{below}\">{}</text>\n\
         <text x=\"{half}\" y=\"{below}\" text-anchor=\"middle\">{}</text>\n\
         <text x=\"{RIGHT}\" y=\"{below}\" text-anchor=\"end\">{} UTC</text>\n",
        ABOVE + 8.0,
        moment(start, end - start),
        moment(start + (end - start) / 2, end - start),
        moment(end, end - start),
    )
}

/// A line with a gap wherever nothing was recorded, and a dot where there is only one point.
fn path(points: &[Point], start: i64, end: i64, top: f64) -> String {
    let mut path = String::new();
    for part in points.chunk_by(|one, other| one.part == other.part) {
        for (number, point) in part.iter().enumerate() {
            let y = ABOVE + HEIGHT - (point.value / top).clamp(0.0, 1.0) * HEIGHT;
            let command = if number == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{} {y:.1}", x(point.time, start, end));
        }
        if part.len() == 1 {
            path.push_str("h1");
        }
    }
    path
}

/// The smallest of 0.1, 0.2, 0.5, 1, 2, 5, ... that is at least `most`.
fn round_up(most: f64) -> f64 {
    let mut top = 0.1;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(60) {
        if top >= most {
            break;
        }
        top *= factor;
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Heard, Sample};
    use proptest::prelude::*;

    fn chart() -> Chart {
        let series = |field, name, view, worst| Series { field, name, view, worst };
        Chart {
            title: "CPU",
            scale: 0.1,
            unit: "%",
            series: vec![
                series(Field::Waited, "host: waited", View::Host, Worst::Greatest),
                series(Field::Available, "guest: left", View::Guest, Worst::Least),
            ],
        }
    }

    fn sample(time: i64, waited: f64) -> Sample {
        let mut sample = Sample::at(time, Heard::Silence);
        sample.set(Field::Waited, Some(waited));
        sample
    }

    fn spans(samples: &[Sample]) -> Vec<Span<'_>> {
        let span = |sample: &Sample| (sample.time - 1, sample.time);
        samples
            .iter()
            .map(|sample| Span { from: span(sample).0, to: span(sample).1, part: 0, sample })
            .collect()
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let mut samples = [sample(0, 100.0), sample(10, 300.0)];
        samples[1].set(Field::Available, Some(50.0));
        let svg = chart().svg(&spans(&samples), 0, 20).unwrap();
        assert!(svg.contains("role=\"img\"") && svg.contains("<title id=\"CPU-t\">CPU</title>"));
        let told = ">host: waited: on average 20.0%, at most 30.0%; \
                    guest: left: on average 5.0%, at least 5.0%</desc>";
        assert!(svg.contains(told), "{svg}");
        assert!(svg.contains(">50%</text>"), "{svg}");
        let nothing = [Sample::at(0, Heard::TooSoon)];
        assert!(chart().svg(&spans(&nothing), 0, 10).is_none(), "there is nothing to show");
    }

    #[test]
    fn a_line_breaks_where_nothing_was_recorded() {
        let point = |(time, part)| Point { time, part, value: 1.0 };
        let points = [(0, 0), (10, 0), (5000, 1), (5010, 1), (9000, 2)].map(point);
        let path = path(&points, 0, 10_000, 1.0);
        assert_eq!((path.matches('M').count(), path.matches('h').count()), (3, 1));
    }

    #[test]
    fn the_chart_draws_the_worst_of_many_samples() {
        let samples: Vec<Sample> = (0..7200u32)
            .map(|number| sample(number.into(), if number == 1234 { 900.0 } else { 1.0 }))
            .collect();
        let chart = chart();
        let spans = spans(&samples);
        let points = chart.points(&chart.series[0], &spans);
        assert_eq!(points.len(), 720);
        assert!(points.iter().any(|point| point.value > 80.0 && point.time == 1234));
    }

    #[test]
    fn the_top_is_a_round_number_above_everything() {
        for (most, top) in [(0.0, 0.1), (0.3, 0.5), (7.0, 10.0), (10.0, 10.0), (34.0, 50.0)] {
            assert!((round_up(most) - top).abs() < 1e-9, "{most}");
        }
    }

    proptest! {
        #[test]
        fn any_samples_have_a_chart(
            samples in proptest::collection::vec((0i64..253_402_300_799, 0f64..4e9), 1..50),
        ) {
            let mut samples: Vec<Sample> =
                samples.into_iter().map(|(time, value)| sample(time, value)).collect();
            samples.sort_by_key(|sample| sample.time);
            let (start, end) = (samples[0].time, samples[samples.len() - 1].time);
            prop_assert!(chart().svg(&spans(&samples), start, end).is_some());
        }
    }
}
