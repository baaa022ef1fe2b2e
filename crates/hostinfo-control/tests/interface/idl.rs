//! A parser for as much of Varlink's interface language as the interface's file uses.

use std::collections::BTreeMap;

use serde_json::Value;

/// A type, or the fields of a method's parameters or reply.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    Named(String),
    Option(Box<Type>),
    List(Box<Type>),
    Map(Box<Type>),
    Fields(Vec<(String, Type)>),
    Choice(Vec<String>),
}

/// What the file defines.
#[derive(Default)]
pub(crate) struct Interface {
    pub(crate) types: BTreeMap<String, Type>,
    /// Parameters and reply.
    pub(crate) methods: BTreeMap<String, (Type, Type)>,
    pub(crate) errors: BTreeMap<String, Type>,
}

impl Type {
    pub(crate) fn field(&self, name: &str) -> &Self {
        let Self::Fields(fields) = self else { panic!("no fields: {self:?}") };
        &fields.iter().find(|(field, _)| field == name).unwrap().1
    }
}

/// Words and single punctuation characters, without comments.
struct Tokens<'a>(std::iter::Peekable<std::vec::IntoIter<&'a str>>);

impl<'a> Tokens<'a> {
    fn of(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        for line in text.lines() {
            let mut rest = line.split('#').next().unwrap().trim_start();
            while let Some(first) = rest.chars().next() {
                let is_in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
                let end = rest.find(|c| !is_in_word(c)).unwrap_or(rest.len());
                let (token, after) = rest.split_at(end.max(first.len_utf8()));
                tokens.push(token);
                rest = after.trim_start();
            }
        }
        Self(tokens.into_iter().peekable())
    }

    fn next(&mut self) -> &'a str {
        self.0.next().expect("more")
    }

    fn take(&mut self, token: &str) -> bool {
        self.0.next_if_eq(&token).is_some()
    }

    fn expect(&mut self, token: &str) {
        assert_eq!(self.next(), token);
    }

    fn shape(&mut self) -> Type {
        if self.take("?") {
            return Type::Option(self.shape().into());
        }
        if self.take("[") {
            let is_map = self.take("string");
            self.expect("]");
            let of = self.shape().into();
            return if is_map { Type::Map(of) } else { Type::List(of) };
        }
        if self.take("(") {
            return self.fields();
        }
        Type::Named(self.next().to_owned())
    }

    fn fields(&mut self) -> Type {
        let (mut fields, mut words) = (Vec::new(), Vec::new());
        while !self.take(")") {
            let name = self.next().to_owned();
            if self.take(":") {
                fields.push((name, self.shape()));
            } else {
                words.push(name);
            }
            let _ = self.take(",");
        }
        if words.is_empty() { Type::Fields(fields) } else { Type::Choice(words) }
    }
}

impl Interface {
    pub(crate) fn parse(text: &str) -> Self {
        let mut tokens = Tokens::of(text);
        tokens.expect("interface");
        tokens.expect(hostinfo_control::INTERFACE);
        let mut interface = Self::default();
        while let Some(keyword) = tokens.0.next() {
            let name = tokens.next().to_owned();
            let shape = tokens.shape();
            match keyword {
                "type" => drop(interface.types.insert(name, shape)),
                "error" => drop(interface.errors.insert(name, shape)),
                "method" => {
                    tokens.expect("-");
                    tokens.expect(">");
                    let reply = tokens.shape();
                    interface.methods.insert(name, (shape, reply));
                }
                other => panic!("{other}"),
            }
        }
        interface
    }

    /// Whether `value` is of that type, with every optional field present and no others.
    pub(crate) fn check(&self, shape: &Type, value: &Value) -> Result<(), String> {
        let is = match shape {
            Type::Named(name) => match name.as_str() {
                "string" => value.is_string(),
                "int" => value.as_i64().is_some(),
                "float" => value.is_number(),
                "bool" => value.is_boolean(),
                other => return self.check(&self.types[other], value),
            },
            Type::Option(shape) => return self.check(shape, value),
            Type::List(shape) => {
                let list = value.as_array().ok_or(format!("no list: {value}"))?;
                assert!(!list.is_empty(), "tells nothing: {shape:?}");
                return list.iter().try_for_each(|one| self.check(shape, one));
            }
            Type::Map(shape) => {
                let map = value.as_object().ok_or(format!("no map: {value}"))?;
                return map.values().try_for_each(|one| self.check(shape, one));
            }
            Type::Choice(words) => {
                value.as_str().is_some_and(|word| words.iter().any(|w| w == word))
            }
            Type::Fields(fields) => {
                let map = value.as_object().ok_or(format!("no object: {value}"))?;
                for (name, shape) in fields {
                    let one = map.get(name).ok_or(format!("no {name}: {value}"))?;
                    self.check(shape, one).map_err(|error| format!("{name}: {error}"))?;
                }
                map.len() == fields.len()
            }
        };
        is.then_some(()).ok_or(format!("not {shape:?}: {value}"))
    }

    /// `value` with null for every optional field.
    pub(crate) fn without_options(&self, shape: &Type, value: Value) -> Value {
        match (shape, value) {
            (Type::Named(name), value) if self.types.contains_key(name) => {
                self.without_options(&self.types[name], value)
            }
            (Type::Fields(fields), Value::Object(mut map)) => {
                for (name, shape) in fields {
                    let one = map.remove(name).unwrap();
                    if !matches!(shape, Type::Option(_)) {
                        map.insert(name.clone(), self.without_options(shape, one));
                    }
                }
                Value::Object(map)
            }
            (Type::List(shape), Value::Array(list)) => {
                list.into_iter().map(|one| self.without_options(shape, one)).collect()
            }
            (_, value) => value,
        }
    }
}
