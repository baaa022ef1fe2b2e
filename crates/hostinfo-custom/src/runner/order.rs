//! What a packet asks for, if the definitions permit it.

use std::time::Duration;

use crate::account::{Account, Accounts};
use crate::directory::Found;
use crate::message::Request;

/// What to run.
#[derive(Debug)]
pub(super) struct Order {
    /// The statistic.
    pub(super) name: Box<str>,
    pub(super) words: Vec<String>,
    /// `None`: this process's own user.
    pub(super) account: Option<Account>,
    pub(super) timeout: Duration,
}

impl Order {
    /// What a packet of user `caller` asks for. The definitions are read only if it is a request.
    ///
    /// # Errors
    /// Why that is not run.
    pub(super) fn of(
        packet: &[u8],
        read: impl Fn() -> (Found, Accounts),
        caller: u32,
    ) -> Result<Self, String> {
        let asked = Request::parse(packet).map_err(|why| why.to_string())?;
        let (Found { definitions, problems, .. }, accounts) = read();
        let (definition, words) = asked.command(&definitions).map_err(|why| {
            // The definition may be missing because of one of them.
            let problem = problems.first().map(|problem| format!(" ({problem})"));
            format!("{why}{}", problem.unwrap_or_default())
        })?;
        let account = accounts.find(definition.user.as_deref())?;
        if account.is_some_and(|account| account.uid == caller) {
            let why = "its user is hostinfod's own, which no command may be: name another";
            return Err(why.to_owned());
        }
        Ok(Self { name: asked.name.into(), words, account, timeout: definition.timeout })
    }
}
