//! vhostmd's document: the metrics that its clients know, from the same statistics under the same rules.
//!
//! Its clients parse XML, and detect the end by the empty line. Every line begins with `<`, so that a
//! terminal's echo is never mistaken for a request. vhostmd indents but does not escape; this code escapes but
//! does not indent.

use std::borrow::Cow;

use hostinfo_catalog::vhostmd::{Context, Figure, METRICS, Made, Metric, Type, UUID, Unit};
use hostinfo_catalog::{self as catalog, StatId};
use hostinfo_wire::Value;

use crate::markup::push_escaped;

/// The document for a guest that may see nothing in it, or for which there is none yet.
pub const EMPTY: &str = "<metrics>\n</metrics>\n\n";

/// The answer to an invalid request.
pub const INVALID_REQUEST: &str = "INVALID REQUEST\n\n";

/// Values in the document that are not statistics. An unknown value is left out, and so is everything made from
/// it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra<'a> {
    /// Buffers of `/proc/meminfo`, in bytes.
    pub buffers: Option<u64>,
    /// SwapCached of `/proc/meminfo`, in bytes.
    pub swap_cached: Option<u64>,
    /// NAME of the host's os-release(5).
    pub os_name: Option<&'a str>,
    /// The guest's number on this host, which is not a statistic.
    pub id: u32,
}

/// One of the administrator's own statistics that this guest may see.
#[derive(Debug, Clone)]
pub struct Custom<'a> {
    /// Its whole name, such as `custom.rack.temperature`.
    pub name: Cow<'a, str>,
    /// Whether it is about the host or the guest.
    pub context: Context,
    /// Its unit.
    pub unit: catalog::Unit,
    /// In base units.
    pub value: Value<'a>,
}

/// The common part of the documents of guests that may see the same, made from one sample of their host: it
/// contains nothing about any guest.
#[derive(Debug, Clone, Default)]
pub struct Common(Vec<Part>);

/// A metric's part in a document.
#[derive(Debug, Clone)]
enum Part {
    /// The same for all guests.
    Made(String),
    /// Different for each guest.
    Own(&'static Metric),
}

impl Common {
    /// `permits` says what the guests may see. `value` is only called for that, and returns what is available.
    pub fn new<'v>(
        permits: impl Fn(StatId) -> bool,
        mut value: impl FnMut(StatId) -> Option<Value<'v>>,
        extra: &Extra<'_>,
    ) -> Self {
        let mut look = |stat| permits(stat).then(|| value(stat)).flatten();
        let mut parts = Vec::new();
        for metric in METRICS {
            if !metric.made.is_of_host(&permits) {
                parts.push(Part::Own(metric));
                continue;
            }
            let mut document = Document::default();
            document.add_metric(metric, &permits, &mut look, extra);
            match parts.last_mut() {
                Some(Part::Made(text)) => text.push_str(&document.text),
                Some(Part::Own(_)) | None => parts.push(Part::Made(document.text)),
            }
        }
        Self(parts)
    }
}

/// The document, including the empty line at its end.
///
/// `common` was made for a guest that may see the same. `permits` says what the guest may see. `value` is
/// only called for that, and returns what is available.
pub fn document<'v>(
    common: &Common,
    permits: impl Fn(StatId) -> bool,
    mut value: impl FnMut(StatId) -> Option<Value<'v>>,
    extra: &Extra<'_>,
    customs: &[Custom<'_>],
) -> String {
    let mut look = |stat| permits(stat).then(|| value(stat)).flatten();
    let mut document = Document { text: String::with_capacity(USUAL), guest: String::new() };
    document.text.push_str("<metrics>\n");
    if permits(UUID) {
        push_attribute(&mut document.guest, "id", &extra.id.to_string());
        if let Some(uuid) = look(UUID) {
            push_attribute(&mut document.guest, "uuid", &uuid.to_string());
        }
    }
    for part in &common.0 {
        match part {
            Part::Made(text) => document.text.push_str(text),
            Part::Own(metric) => document.add_metric(metric, &permits, &mut look, extra),
        }
    }
    for Custom { name, context, unit, value } in customs {
        let (kind, value) = match value {
            Value::Text(text) => (Type::Text, text.to_string()),
            Value::Whole(number) => (Type::Uint64, number.to_string()),
            Value::Micro(micros) => (Type::Real64, real(i128::from(*micros))),
        };
        document.add(name, *context, kind, symbol(*unit), &value);
    }
    document.text.push_str("</metrics>\n\n");
    document.text
}

/// A document of all metrics has some 1,700 bytes.
const USUAL: usize = 2048;

/// The metric's value as written in the document. `None` if the guest may not see all of it, or not all of it
/// is available.
fn made<'v>(
    metric: &Metric,
    permits: &impl Fn(StatId) -> bool,
    look: &mut impl FnMut(StatId) -> Option<Value<'v>>,
    extra: &Extra<'_>,
) -> Option<String> {
    match metric.made {
        Made::Fixed(text, stat) => permits(stat).then(|| text.to_owned()),
        Made::OsName(stat) => extra.os_name.filter(|_| permits(stat)).map(str::to_owned),
        Made::FirstOf(stats) => {
            let first = stats.iter().find(|stat| permits(**stat))?;
            look(*first).map(|value| value.to_string())
        }
        Made::With(stat, behind) => {
            let value = look(stat)?;
            Some(match look(behind) {
                Some(more) => format!("{value} {more}"),
                None => value.to_string(),
            })
        }
        Made::Sum(plus, minus) => {
            let mut figure = |figure: &Figure| -> Option<i128> {
                let value = match *figure {
                    Figure::Stat(stat) => look(stat)?,
                    Figure::SwapStat(stat) if permits(stat) => {
                        look(stat).unwrap_or(Value::Whole(0))
                    }
                    Figure::SwapStat(_) => return None,
                    Figure::Buffers => Value::Whole(extra.buffers?),
                    Figure::SwapCached => Value::Whole(extra.swap_cached?),
                };
                micros(&value)
            };
            let plus: i128 = plus.iter().map(&mut figure).sum::<Option<i128>>()?;
            let minus: i128 = minus.iter().map(&mut figure).sum::<Option<i128>>()?;
            let sum = match metric.unit {
                Unit::Kib => (plus - minus) / 1024,
                Unit::None | Unit::Seconds => plus - minus,
            };
            Some(match metric.kind {
                Type::Real64 => real(sum),
                Type::Int64 | Type::Text => (sum / MICROS).to_string(),
                Type::Uint64 => (sum / MICROS).max(0).to_string(),
            })
        }
    }
}

const MICROS: i128 = 1_000_000;

/// Millionths; no sum of the catalog's overflows. `None` for text.
fn micros(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Text(_) => None,
        Value::Whole(number) => Some(i128::from(*number) * MICROS),
        Value::Micro(micros) => Some(i128::from(*micros)),
    }
}

/// Formatted like C's `%f`.
fn real(micros: i128) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let one = MICROS.unsigned_abs();
    format!("{sign}{}.{:06}", micros / one, micros % one)
}

const SECONDS: &str = "s";

/// A base unit in vhostmd's style.
fn symbol(unit: catalog::Unit) -> Option<&'static str> {
    match unit {
        catalog::Unit::None | catalog::Unit::Ratio | catalog::Unit::Cpus => None,
        catalog::Unit::Bytes => Some("B"),
        catalog::Unit::Seconds => Some(SECONDS),
        catalog::Unit::Hertz => Some("Hz"),
        catalog::Unit::Joules => Some("J"),
    }
}

#[derive(Default)]
struct Document {
    text: String,
    /// The attributes of the elements about the guest.
    guest: String,
}

impl Document {
    fn add_metric<'v>(
        &mut self,
        metric: &Metric,
        permits: &impl Fn(StatId) -> bool,
        look: &mut impl FnMut(StatId) -> Option<Value<'v>>,
        extra: &Extra<'_>,
    ) {
        let Some(value) = made(metric, permits, look, extra) else { return };
        let unit = match metric.unit {
            Unit::None => None,
            Unit::Seconds => Some(SECONDS),
            Unit::Kib => Some("KiB"),
        };
        self.add(metric.name, metric.context, metric.kind, unit, &value);
    }

    fn add(
        &mut self,
        name: &str,
        context: Context,
        kind: Type,
        unit: Option<&'static str>,
        value: &str,
    ) {
        // libmetrics assumes that a value contains text.
        if value.is_empty() {
            return;
        }
        let kind = match kind {
            Type::Text => "string",
            Type::Int64 => "int64",
            Type::Uint64 => "uint64",
            Type::Real64 => "real64",
        };
        let (context, guest) = match context {
            Context::Host => ("host", ""),
            Context::Vm => ("vm", self.guest.as_str()),
        };
        // Appends pieces: formatting takes several times as long, and guests ask for this by the thousand.
        let text = &mut self.text;
        for piece in ["<metric type='", kind, "' context='", context, "'", guest] {
            text.push_str(piece);
        }
        if let Some(unit) = unit {
            push_attribute(text, "unit", unit);
        }
        text.push_str(">\n<name>");
        push_escaped(text, name);
        text.push_str("</name>\n<value>");
        push_escaped(text, value);
        text.push_str("</value>\n</metric>\n");
    }
}

fn push_attribute(text: &mut String, name: &str, value: &str) {
    for piece in [" ", name, "='"] {
        text.push_str(piece);
    }
    push_escaped(text, value);
    text.push('\'');
}

#[cfg(test)]
mod tests;
