//! Renders values for a reply: as text, JSON, OpenMetrics, and vhostmd's document and disk.
//!
//! By the time values get here, they have been read, and the guest's grant has been checked.

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

/// The result for one name of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// A statistic and its value.
    Value {
        /// Which one.
        row: Row,
        /// In base units.
        value: Value<'a>,
    },
    /// A statistic or a group without a value.
    Refused {
        /// Its name in the reply.
        name: Cow<'a, str>,
        /// Why.
        refusal: Refusal,
    },
}

/// The answers that have a value.
fn values<'a, 'v>(answers: &'a [Answer<'v>]) -> impl Iterator<Item = (&'a Row, &'a Value<'v>)> {
    answers.iter().filter_map(|answer| match answer {
        Answer::Value { row, value } => Some((row, value)),
        Answer::Refused { .. } => None,
    })
}

/// The answers that have none.
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
