//! A row of the table.

use std::borrow::Cow;

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{Instances, Source};

/// The kind of a statistic, in the sense of OpenMetrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Text.
    Info,
    /// A figure that goes up and down.
    Gauge,
    /// A figure that never falls during one `session`.
    Counter,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Info, Self::Gauge, Self::Counter];

    /// The kind's word in `list`.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The base unit of a statistic.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum Unit {
    /// A plain number, or text.
    #[strum(serialize = "-")]
    None,
    /// Bytes.
    Bytes,
    /// Seconds; for a point in time, since 1970-01-01 00:00:00 UTC.
    Seconds,
    /// 0 to 1, except for `vcpu.overcommit`, which has no upper end.
    Ratio,
    /// Cycles a second.
    Hertz,
    /// Joules.
    Joules,
    /// Logical CPUs.
    Cpus,
}

impl Unit {
    /// Every unit.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The unit's word in `list`.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// One statistic, or one for each instance of something: a segment of its name in capitals
/// (`N` a number, `NAME` a name, `DEV` a device) stands for the instance.
#[derive(Debug)]
pub struct Stat {
    /// Its name in requests and rules.
    pub name: &'static str,
    /// What kind of figure it is.
    pub kind: Kind,
    /// Its base unit.
    pub unit: Unit,
    /// Whether a guest sees it if no rule says otherwise. What names the host, shows what neighbours do, or changes fast
    /// and exactly with what they do is seen only where a rule turns it on. `SECURITY.md` says what the others reveal.
    pub default: bool,
    /// One line for the guest's owner.
    pub help: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// The kind of its instances, taken from its source.
    pub instances: Instances,
}

impl Stat {
    /// Whether it has a value for each instance of something.
    pub fn has_instances(&self) -> bool {
        self.instances != Instances::None
    }

    /// Whether its instances are names that may contain dots, so that one may be below another.
    pub fn is_open(&self) -> bool {
        self.instances.are_open()
    }

    /// The name of one instance, or of a row without instances.
    pub fn name_of(&self, instance: Option<&str>) -> Cow<'static, str> {
        let Some(instance) = instance else { return Cow::Borrowed(self.name) };
        let is_placeholders = |letter: char| letter.is_ascii_uppercase();
        let parts = self.name.split_once(is_placeholders);
        let Some((before, rest)) = parts else { return Cow::Borrowed(self.name) };
        let after = rest.trim_start_matches(is_placeholders);
        Cow::Owned([before, instance, after].concat())
    }
}

/// Whether a segment of a row's name stands for an instance.
pub fn is_placeholder(segment: &str) -> bool {
    segment.starts_with(|first: char| first.is_ascii_uppercase())
}

/// Whether `segment` can be an instance of `placeholder`: `N` is a number without leading
/// zeros, anything else any segment.
pub fn fits(placeholder: &str, segment: &str) -> bool {
    if placeholder == "N" {
        segment.bytes().all(|byte| byte.is_ascii_digit())
            && (segment == "0" || !segment.starts_with('0'))
    } else {
        hostinfo_wire::name::is_segment(segment)
    }
}
