//! vhostmd.conf(5). Pure.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// Most metrics that are read: the distributed file has 20.
const METRICS_MAX: usize = 1000;

/// `update_period`, where the file has none.
pub(super) const PERIOD: u64 = 60;

/// What is needed of a configuration.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// Seconds.
    pub(super) period: Option<u64>,
    /// `<transport>vbd</transport>`
    pub(super) has_disk: bool,
    /// `<transport>virtio</transport>`
    pub(super) has_channel: bool,
    pub(super) metrics: Vec<Metric>,
}

/// `<metric type='int64' context='vm' unit='s'>`
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) name: String,
    /// `string`, `int64`, ...
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) is_of_vm: bool,
    /// Words for a shell, in which `NAME` stands for the guest.
    pub(super) action: String,
}

/// Why a file is no configuration of vhostmd.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    #[error("is not XML: {0}")]
    Xml(#[from] quick_xml::Error),
    #[error("is not vhostmd's: it begins with <{0}>, not <vhostmd>")]
    Other(String),
    #[error("has no metrics: name vhostmd's own file, /etc/vhostmd/vhostmd.conf")]
    Empty,
    #[error("has over {METRICS_MAX} metrics")]
    TooMany,
}

impl Config {
    /// # Errors
    /// [`Wrong`].
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut config = Self::default();
        let mut reader = Reader::from_str(text);
        let (mut root, mut content) = (None, String::new());
        let mut metric: Option<Metric> = None;
        loop {
            match reader.read_event()? {
                Event::Start(tag) | Event::Empty(tag) => {
                    let name = tag.name().into_inner();
                    let root = root.get_or_insert_with(|| name.to_owned());
                    if root != "vhostmd" {
                        return Err(Wrong::Other(root.clone()));
                    }
                    content.clear();
                    if name == "metric" {
                        let of = |name: &str| {
                            let found = tag.try_get_attribute(name).ok().flatten();
                            found.map(|found| found.value.to_string()).unwrap_or_default()
                        };
                        metric = Some(Metric {
                            kind: of("type"),
                            unit: of("unit"),
                            is_of_vm: of("context") == "vm",
                            ..Metric::default()
                        });
                    }
                }
                Event::Text(text) => content.push_str(&text),
                Event::CData(text) => content.push_str(&text),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().ok().flatten();
                    let named = || resolve_predefined_entity(&reference).map(str::to_owned);
                    content.extend(character.map(String::from).or_else(named));
                }
                Event::End(tag) => {
                    let text = content.trim();
                    match (tag.name().into_inner(), &mut metric) {
                        ("name", Some(metric)) => text.clone_into(&mut metric.name),
                        ("action", Some(metric)) => text.clone_into(&mut metric.action),
                        ("update_period", _) => config.period = text.parse().ok(),
                        ("transport", _) => {
                            config.has_disk |= text == "vbd";
                            config.has_channel |= text == "virtio";
                        }
                        ("metric", _) => config.metrics.extend(metric.take()),
                        _ => {}
                    }
                    content.clear();
                }
                Event::Eof => break,
                Event::DocType(_) | Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            }
        }
        match config.metrics.len() {
            0 => Err(Wrong::Empty),
            1..=METRICS_MAX => Ok(config),
            _ => Err(Wrong::TooMany),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_metric_has_its_action_as_a_shell_would_see_it() {
        let text = "<vhostmd><metrics><metric type='uint64' context='host' unit='KiB'><name> A </name>\
                    <action>a &lt; b &#38;&amp; <![CDATA[c > d]]></action></metric></metrics></vhostmd>";
        let config = Config::parse(text).unwrap();
        let [metric] = &config.metrics[..] else { panic!("{config:?}") };
        assert_eq!((&*metric.name, &*metric.action), ("A", "a < b && c > d"));
        assert!(!metric.is_of_vm && metric.unit == "KiB" && config.period.is_none());
    }

    #[test]
    fn another_file_is_refused_with_the_reason() {
        for (text, words) in [
            ("<domain/>", "begins with <domain>"),
            ("<vhostmd></vhostmd>", "has no metrics"),
            ("", "has no metrics"),
            ("<vhostmd></metrics>", "is not XML"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_configuration_or_an_error(text in "(<(/)?(vhostmd|metric|name|action)( type='x')?>|&amp;|&x;|.){0,20}") {
            let _ = Config::parse(&text);
        }
    }
}
