//! Why the daemon refused a call.

use serde::{Deserialize, Serialize};

/// An error of the interface, or of Varlink itself. As text, it is one line with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "parameters")]
#[allow(missing_docs, reason = "the interface's file has them")]
pub enum Refusal {
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.NoSuchGuest")]
    NoSuchGuest { guest: String, message: String },
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.NoSuchStatistic")]
    NoSuchStatistic { name: String, message: String },
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.NoSuchNotice")]
    NoSuchNotice { id: u64, message: String },
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.BadNotice")]
    BadNotice { message: String },
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.BadHostState")]
    BadHostState { message: String },
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.NotPermitted")]
    NotPermitted { message: String },
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.Busy")]
    Busy { message: String },
    #[error("{message}")]
    #[serde(rename = "org.hostinfo.Control.Failed")]
    Failed { message: String },
    #[error(
        "hostinfod has no interface {interface}: check that it has the same version as this program"
    )]
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    InterfaceNotFound { interface: String },
    #[error("hostinfod has no method {method}: check that it has the same version as this program")]
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound { method: String },
    #[error("hostinfod has no method {method} that can be called with `upgrade`")]
    #[serde(rename = "org.varlink.service.MethodNotImplemented")]
    MethodNotImplemented { method: String },
    #[error("invalid parameter {parameter}: see org.hostinfo.Control.varlink")]
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter { parameter: String },
    #[error("this method sends many replies: call it with `more`")]
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    ExpectedMore {},
}
