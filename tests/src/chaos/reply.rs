//! What a guest of the chaos test asks, and what a whole reply to that is.

use std::collections::BTreeMap;

use hostinfo_wire::reply::{Code, ReplyLine};

use super::guest::Number;

/// The statistics that every guest asks for: its own figures, the two labels of which its rule permits one at the
/// most, and one of the host's.
pub const ASKED: [&str; 7] = [
    "vm.name",
    "vm.uuid",
    "vm.memory.current",
    "vm.disk.vda.read.bytes",
    "label.left",
    "label.right",
    "loadavg.1",
];

/// Both forms of that query; guests use them in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line for each statistic.
    Get,
    /// One line for all.
    Json,
}

/// A query between two tokens, as a guest sends it.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    guest: Number,
    /// Its number among the guest's queries.
    count: u64,
}

/// A reply between the answers to both tokens.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// One line for the whole request: its code and its text.
    Refused(Code, String),
    /// A value, or the code of a refusal, for each of [`ASKED`].
    Values(BTreeMap<String, Result<String, Code>>),
}

impl Query {
    /// The one with that number.
    pub fn new(guest: Number, count: u64) -> Self {
        Self { guest, count }
    }

    fn form(self) -> Form {
        if self.count.is_multiple_of(2) { Form::Get } else { Form::Json }
    }

    /// No other guest has these tokens, and no other query.
    fn tokens(self) -> [String; 2] {
        ["begin", "end"].map(|part| format!("{part}-{}-{}", self.guest, self.count))
    }

    /// The bytes to send.
    pub fn bytes(self) -> String {
        let [begin, end] = self.tokens();
        let verb = match self.form() {
            Form::Get => "get",
            Form::Json => "json",
        };
        format!("ping {begin}\n{verb} {}\nping {end}\n", ASKED.join(" "))
    }

    /// Whether these lines can be all that comes: the last one answers the second token.
    pub fn is_complete(self, lines: &[String]) -> bool {
        let [_, end] = self.tokens();
        lines.last().is_some_and(|line| *line == pong(&end))
    }

    /// The reply in these lines.
    ///
    /// # Errors
    /// It is not one whole reply between the answers to the tokens; why not.
    pub fn reply(self, lines: &[String]) -> Result<Reply, String> {
        let [begin, end] = self.tokens();
        let [first, reply @ .., last] = lines else { return Err("too few lines".to_owned()) };
        if *first != pong(&begin) || *last != pong(&end) {
            return Err(format!("it is not between the answers to {begin} and {end}"));
        }
        let parsed: Option<Vec<ReplyLine<'_>>> =
            reply.iter().map(|line| ReplyLine::parse(line.as_bytes())).collect();
        let parsed = parsed.ok_or("a line has no code")?;
        match parsed.iter().position(|line| line.last) {
            Some(at) if at + 1 == parsed.len() => {}
            Some(_) => return Err("it goes on behind its last line".to_owned()),
            None => return Err("it has no last line".to_owned()),
        }
        match (parsed.as_slice(), self.form()) {
            ([only], _) if only.code != Code::Done => {
                Ok(Reply::Refused(only.code, only.text.to_owned()))
            }
            ([only], Form::Json) => json(only.text),
            (lines, _) => values(lines),
        }
        .and_then(whole)
    }
}

fn pong(token: &str) -> String {
    format!("200 pong {token}")
}

fn values(lines: &[ReplyLine<'_>]) -> Result<Reply, String> {
    let mut values = BTreeMap::new();
    for line in lines {
        let parted = match line.code {
            Code::Done => line.text.split_once('=').map(|(name, text)| (name, Ok(text.to_owned()))),
            code => line.text.split_once(": ").map(|(name, _)| (name, Err(code))),
        };
        let (name, value) = parted.ok_or_else(|| format!("no name in {:?}", line.text))?;
        if values.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} is in it twice"));
        }
    }
    Ok(Reply::Values(values))
}

fn json(text: &str) -> Result<Reply, String> {
    let mut all: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let errors = all.remove("errors").unwrap_or_default();
    let mut values: BTreeMap<String, Result<String, Code>> = BTreeMap::new();
    for (name, value) in all {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        values.insert(name, Ok(text));
    }
    for (name, code) in errors.as_object().into_iter().flatten() {
        let code = code.as_u64().and_then(|code| Code::from_number(u16::try_from(code).ok()?));
        let code = code.ok_or_else(|| format!("no code for {name}"))?;
        if values.insert(name.clone(), Err(code)).is_some() {
            return Err(format!("{name} is in it twice"));
        }
    }
    Ok(Reply::Values(values))
}

fn whole(reply: Reply) -> Result<Reply, String> {
    if let Reply::Values(values) = &reply {
        if let Some(missing) = ASKED.iter().find(|name| !values.contains_key(**name)) {
            return Err(format!("{missing} is missing"));
        }
        if values.len() != ASKED.len() {
            return Err("it has more than was asked for".to_owned());
        }
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u64, reply: &[&str]) -> Vec<String> {
        let [begin, end] = Query::new(7, count).tokens().map(|token| pong(&token));
        let reply = reply.iter().map(|line| (*line).to_owned());
        [begin].into_iter().chain(reply).chain([end]).collect()
    }

    const GET: [&str; 7] = [
        "200-vm.name=g007",
        "503-vm.uuid: libvirt does not answer on this host",
        "503-vm.memory.current: ask again in 1 s",
        "200-vm.disk.vda.read.bytes=7",
        "200-label.left=a=b: c",
        "403-label.right: not permitted",
        "200 loadavg.1=0.5",
    ];

    #[test]
    fn both_forms_of_a_reply_say_the_same() {
        let json = r#"200 {"vm.name":"g007","vm.disk.vda.read.bytes":7,"label.left":"a=b: c","loadavg.1":0.5,"errors":{"vm.uuid":503,"vm.memory.current":503,"label.right":403}}"#;
        let get = Query::new(7, 2).reply(&lines(2, &GET)).unwrap();
        assert_eq!(Query::new(7, 3).reply(&lines(3, &[json])).unwrap(), get);
        let Reply::Values(values) = get else { panic!("{get:?}") };
        assert_eq!(values["label.left"], Ok("a=b: c".to_owned()));
        assert_eq!(values["label.right"], Err(Code::NotPermitted));
    }

    #[test]
    fn a_refusal_of_all_is_one_line() {
        for count in [2, 3] {
            let refused = lines(count, &["403 this guest may not ask"]);
            let expected = Reply::Refused(Code::NotPermitted, "this guest may not ask".to_owned());
            assert_eq!(Query::new(7, count).reply(&refused).unwrap(), expected);
        }
    }

    #[test]
    fn anything_but_one_whole_reply_is_found() {
        let query = Query::new(7, 2);
        let [rest @ .., last] = GET;
        let twice = [&GET[..], &GET].concat();
        let double = [&GET[..1], &GET].concat();
        for reply in [&rest[..], &rest[1..], &[last], &twice, &double, &[]] {
            assert!(query.reply(&lines(2, reply)).is_err(), "{reply:?}");
        }
        assert!(query.reply(&lines(4, &GET)).is_err(), "tokens of another query");
        assert!(!query.is_complete(&lines(4, &GET)) && query.is_complete(&lines(2, &[])));
    }
}
