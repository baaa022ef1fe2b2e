//! The kinds of instances that a row may have a value for.

/// The kind of a row's instances. It is derived from the row's source, and must agree with the
/// row's name: see [`table`](crate::table). Code that lists instances matches this without a
/// wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// The row is one statistic.
    None,
    /// The guest's vCPUs, by number.
    Vcpus,
    /// The guest's disks, by name.
    Disks,
    /// The guest's interfaces, by number.
    Nets,
    /// Labels of the daemon's settings, by name.
    Labels,
    /// The guest's notices, from 1.
    Notices,
    /// The guest's incidents, from 1.
    Incidents,
    /// The administrator's own statistics, by name.
    Customs,
}

/// Stands for one or more segments; the other placeholders stand for exactly one.
pub(crate) const OPEN: &str = "NAME";

impl Instances {
    /// The placeholder in a row's name: `N` for a number, `DEV` for a device, `NAME` for a name.
    pub const fn placeholder(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Vcpus | Self::Nets | Self::Notices | Self::Incidents => Some("N"),
            Self::Disks => Some("DEV"),
            Self::Labels | Self::Customs => Some(OPEN),
        }
    }

    /// Whether the instances are names that may contain dots, so that one may be below another.
    pub fn are_open(self) -> bool {
        self.placeholder() == Some(OPEN)
    }

    /// The OpenMetrics label that distinguishes them.
    pub(crate) fn label(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Vcpus => Some("vcpu"),
            Self::Disks => Some("device"),
            Self::Nets => Some("interface"),
            Self::Labels | Self::Notices | Self::Incidents | Self::Customs => Some("name"),
        }
    }

    /// Whether a row of that name has such instances; nothing else in a name is in capitals.
    pub(crate) const fn are_in(self, name: &str) -> bool {
        let mut wanted = match self.placeholder() {
            Some(placeholder) => placeholder.as_bytes(),
            None => &[],
        };
        let mut rest = name.as_bytes();
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            if first.is_ascii_uppercase() {
                match wanted.split_first() {
                    Some((next, others)) if *next == *first => wanted = others,
                    _ => return false,
                }
            }
        }
        wanted.is_empty()
    }
}
