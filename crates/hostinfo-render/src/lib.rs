//! Values to what stands in a reply: text, JSON, OpenMetrics, vhostmd's document and its disk.
//!
//! What a guest may see, and what was read, is settled before it comes here.

pub mod disk;
mod json;
mod list;
mod markup;
mod openmetrics;
mod row;
mod text;
pub mod vhostmd;

use std::borrow::Cow;

use hostinfo_wire::{Refusal, Value};

pub use json::json;
pub use list::{help, list};
pub use markup::escaped;
pub use openmetrics::openmetrics;
pub use row::Row;
pub use text::text;

/// What became of one name of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// A statistic and its value.
    Value {
        /// Which one.
        row: Row,
        /// In base units.
        value: Value<'a>,
    },
    /// A statistic or a group that got none.
    Refused {
        /// As the reply names it.
        name: Cow<'a, str>,
        /// Why.
        refusal: Refusal,
    },
}

/// The answers that are values.
fn values<'a, 'v>(answers: &'a [Answer<'v>]) -> impl Iterator<Item = (&'a Row, &'a Value<'v>)> {
    answers.iter().filter_map(|answer| match answer {
        Answer::Value { row, value } => Some((row, value)),
        Answer::Refused { .. } => None,
    })
}

/// The answers that are none.
fn refused<'a>(answers: &'a [Answer<'_>]) -> impl Iterator<Item = (&'a str, &'a Refusal)> {
    answers.iter().filter_map(|answer| match answer {
        Answer::Refused { name, refusal } => Some((&**name, refusal)),
        Answer::Value { .. } => None,
    })
}

#[cfg(test)]
mod examples {
    use super::*;
    use hostinfo_catalog::{Named, resolve};
    use hostinfo_wire::Reply;

    pub(crate) fn value(name: &str, value: Value<'static>) -> Answer<'static> {
        let Some(Named::Stat(stat, instance)) = resolve(name) else { panic!("{name} is none") };
        Answer::Value { row: Row { stat, instance, about: None }, value }
    }

    pub(crate) fn refused(name: &'static str, refusal: Refusal) -> Answer<'static> {
        Answer::Refused { name: name.into(), refusal }
    }

    pub(crate) fn none_here() -> Refusal {
        Refusal::Unavailable("this host has none".into())
    }

    pub(crate) fn shown(render: fn(&[Answer<'_>], &mut Reply), answers: &[Answer<'_>]) -> String {
        let mut reply = Reply::new();
        render(answers, &mut reply);
        String::from_utf8(reply.end().to_vec()).unwrap()
    }
}
