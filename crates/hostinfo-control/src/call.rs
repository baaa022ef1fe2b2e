//! The methods that can be called, with their parameters.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DESCRIPTION, HostState, INTERFACE, NoticeKind};

/// A call of one of the interface's methods. The interface's file says what each does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "parameters", deny_unknown_fields)]
#[allow(missing_docs, reason = "the interface's file has them")]
pub enum Call {
    #[serde(rename = "org.hostinfo.Control.Status")]
    Status {},
    #[serde(rename = "org.hostinfo.Control.List")]
    List { after: Option<String> },
    #[serde(rename = "org.hostinfo.Control.Watch")]
    Watch { guest: Option<String> },
    #[serde(rename = "org.hostinfo.Control.Stats")]
    Stats {},
    #[serde(rename = "org.hostinfo.Control.Metrics")]
    Metrics {},
    #[serde(rename = "org.hostinfo.Control.Explain")]
    Explain { guest: String, names: Option<Vec<String>> },
    #[serde(rename = "org.hostinfo.Control.Preview")]
    Preview { guest: String, line: String },
    #[serde(rename = "org.hostinfo.Control.Rules")]
    Rules {},
    #[serde(rename = "org.hostinfo.Control.NoticeSet")]
    NoticeSet {
        pattern: String,
        kind: NoticeKind,
        text: String,
        at: Option<Timestamp>,
        until: Option<Timestamp>,
    },
    #[serde(rename = "org.hostinfo.Control.NoticeList")]
    NoticeList {},
    #[serde(rename = "org.hostinfo.Control.NoticeClear")]
    NoticeClear { ids: Option<Vec<u64>> },
    #[serde(rename = "org.hostinfo.Control.HostStateGet")]
    HostStateGet {},
    #[serde(rename = "org.hostinfo.Control.HostStateSet")]
    HostStateSet { state: HostState, text: Option<String> },
    #[serde(rename = "org.hostinfo.Control.Upgrade")]
    Upgrade {},
}

impl Call {
    /// Whether the interface has a method of that full name, such as `org.hostinfo.Control.Status`.
    pub fn is_method(name: &str) -> bool {
        let name = name.strip_prefix(INTERFACE).and_then(|name| name.strip_prefix('.'));
        let is = |line: &str| {
            let rest = line.strip_prefix("method ").zip(name);
            let rest = rest.and_then(|(rest, name)| rest.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with('('))
        };
        DESCRIPTION.lines().any(is)
    }

    /// Whether the call changes something. Not every client may make such a call.
    pub fn changes(&self) -> bool {
        match self {
            Self::NoticeSet { .. }
            | Self::NoticeClear { .. }
            | Self::HostStateSet { .. }
            | Self::Upgrade {} => true,
            Self::Status {}
            | Self::List { .. }
            | Self::Watch { .. }
            | Self::Stats {}
            | Self::Metrics {}
            | Self::Explain { .. }
            | Self::Preview { .. }
            | Self::Rules {}
            | Self::NoticeList {}
            | Self::HostStateGet {} => false,
        }
    }
}
