//! The age of a broker's values. `get` asks for it together with the values, and shows it.

use std::time::Duration;

use hostinfo_wire::limits::LINE_MAX;

use crate::exit::Failure;
use crate::host::Host;
use crate::question::covers;
use crate::reply::Line;
use crate::units;
use crate::views::dated::PRESENT;
use crate::views::reply::Reply;
use crate::way::Way;

const AGE: &str = "sample.age";

/// The names to ask for, and whether the age is one of them that the user did not ask for.
pub(super) struct Asked {
    pub(super) names: Vec<String>,
    is_added: bool,
}

impl Asked {
    /// Those that the user wants, and the age if they are asked of a broker: a host gives values of now.
    ///
    /// # Errors
    /// [`Failure`]: no host answers.
    pub(super) fn of(host: &mut Host<'_>, names: &[String]) -> Result<Self, Failure> {
        /// What else a request has, such as `json`.
        const VERB_MAX: usize = 16;
        let length: usize = names.iter().map(|name| name.len() + 1).sum();
        let has_room = length + AGE.len() + VERB_MAX <= LINE_MAX;
        let is_added = has_room
            && !names.iter().any(|name| covers(name, AGE))
            && matches!(host.way()?, Way::Unix(_));
        let added = is_added.then(|| AGE.to_owned());
        Ok(Self { names: names.iter().cloned().chain(added).collect(), is_added })
    }

    /// Takes the age that the user did not ask for out of a reply to `get`: what to tell of it, where the values are
    /// not of the present.
    pub(super) fn take(&self, lines: &mut Vec<Line>) -> Option<String> {
        if !self.is_added {
            return None;
        }
        let age = Reply::of(lines).age();
        lines.retain(|line| line.subject() != Some(AGE));
        let age = age.filter(|age| *age > PRESENT)?;
        let age = units::duration(Duration::from_secs(age.as_secs()));
        Some(format!("these figures are {age} old"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_wire::Code;

    fn taken(is_added: bool, age: &str) -> (Option<String>, usize) {
        let done = |text: &str| Line { code: Code::Done, text: text.to_owned() };
        let mut lines = vec![done("loadavg.1=0.42"), done(&format!("sample.age={age}"))];
        let told = Asked { names: Vec::new(), is_added }.take(&mut lines);
        (told, lines.len())
    }

    #[test]
    fn values_that_are_not_of_the_present_are_said_to_be_old() {
        let told = "these figures are 33 s old".to_owned();
        assert_eq!(taken(true, "33.4"), (Some(told), 1));
        assert_eq!(taken(true, "5"), (None, 1));
        assert_eq!(taken(false, "33.4"), (None, 2), "the user asked for it");
    }
}
