//! OpenMetrics text, made of values rather than taken from whoever answers: a malformed line, or a second family of the
//! same name, would have Prometheus drop all of it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::{About, Kind, Named, StatId, resolve};
use hostinfo_render::{Answer, Row};
use hostinfo_wire::Value;

use crate::listed::Listed;

/// For each statistic that has metrics here, its value. One that only a newer host knows has none, and neither has a
/// number that is none. `rows` describes those of the administrator's own.
pub(crate) fn answers<'v, N: AsRef<str>>(
    values: impl Iterator<Item = (N, Cow<'v, str>)>,
    rows: &[Listed<'_>],
) -> Vec<Answer<'v>> {
    let mut taken = HashSet::new();
    let answer = |(name, value): (N, Cow<'v, str>)| {
        let row = row(name.as_ref(), rows)?;
        let value = match row.kind() {
            Kind::Info => Value::text(value.into_owned()),
            Kind::Gauge | Kind::Counter => number(&value)?,
        };
        let own = row.about.as_ref().and_then(|about| about.metric.as_ref());
        let names = own.map_or_else(|| vec![row.name().into_owned()], Metric::names);
        names.into_iter().all(|name| taken.insert(name)).then_some(Answer::Value { row, value })
    };
    values.filter_map(answer).collect()
}

/// The catalog's row of that name, or the description in `list` for one of the administrator's own.
fn row(name: &str, rows: &[Listed<'_>]) -> Option<Row> {
    const CUSTOM: StatId = StatId::named("custom.NAME");
    let Some(Named::Stat(stat, instance)) = resolve(name) else { return None };
    if stat != CUSTOM {
        return Some(Row { stat, instance, about: None });
    }
    let listed = rows.iter().find(|row| row.name == name)?;
    let (kind, unit) = (listed.kind.parse().ok()?, listed.unit.parse().ok()?);
    let metric = instance.as_deref().map(|own| Metric::of_custom(own, kind, unit));
    let about = About { kind, unit, help: listed.description.to_owned(), metric };
    Some(Row { stat, instance, about: Some(Arc::new(about)) })
}

/// A number in its wire form: whole, or with up to six decimals.
pub(crate) fn number(text: &str) -> Option<Value<'static>> {
    if let Ok(whole) = text.parse::<u64>() {
        return Some(Value::Whole(whole)).filter(|value| value.to_string() == text);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let micros: i64 = format!("{whole}{part:0<6}").parse().ok()?;
    Some(Value::Micro(micros)).filter(|value| value.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_render::openmetrics;
    use hostinfo_wire::Reply;
    use hostinfo_wire::reply::ReplyLine;
    use proptest::prelude::*;

    /// The samples that are made of those values.
    fn samples(values: &[(&str, &'static str)], listed: &[&str]) -> Vec<String> {
        let rows: Vec<Listed<'_>> = listed.iter().map(|line| Listed::parse(line)).collect();
        let values = values.iter().map(|(name, value)| (*name, Cow::from(*value)));
        let mut reply = Reply::new();
        openmetrics(&answers(values, &rows), &mut reply);
        let lines = reply.end().split(|byte| *byte == b'\n').filter_map(ReplyLine::parse);
        lines.map(|line| line.text.to_owned()).filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn what_is_no_statistic_or_no_number_has_no_metric() {
        let values = [
            ("loadavg.1", "1e999"),
            ("loadavg.5", "NaN"),
            ("loadavg.15", "0.42} 1"),
            ("newer.thing", "1"),
            ("loadavg.1{job=\"node\"}", "1"),
            ("custom.unlisted", "1"),
            ("physcpus", "4"),
        ];
        assert_eq!(samples(&values, &[]), ["hostinfo_physcpus_cpus 4"]);
    }

    #[test]
    fn no_name_is_there_twice() {
        let values = [
            ("loadavg.1", "1"),
            ("loadavg.1", "2"),
            ("custom.a-b", "1"),
            ("custom.c", "3"),
            ("custom.a_b", "2"),
            ("custom.c_total", "4"),
        ];
        let listed = [
            "custom.a-b gauge - x",
            "custom.a_b gauge - y",
            "custom.c counter - z",
            "custom.c_total gauge - z",
        ];
        assert_eq!(
            samples(&values, &listed),
            ["hostinfo_loadavg_1 1", "hostinfo_custom_a_b 1", "hostinfo_custom_c_total 3"]
        );
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_is_written(text in "-?[0-9]{1,20}(\\.[0-9]{0,7})?|\\PC{0,10}") {
            if let Some(value) = number(&text) {
                prop_assert_eq!(value.to_string(), text);
            }
        }

        #[test]
        fn any_number_that_the_wire_writes_is_recognized(micros in any::<i64>()) {
            let text = Value::Micro(micros).to_string();
            prop_assert!(number(&text).is_some(), "{}", text);
        }
    }
}
