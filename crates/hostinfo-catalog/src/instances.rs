//! What a row may have a value for each of.

/// What the instances of a row are. It comes with the row's source, and the row's name has to agree:
/// see [`table`](crate::table). Whoever works out instances matches it without a wildcard.
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

/// Stands for one or more segments, where the others stand for one.
pub(crate) const OPEN: &str = "NAME";

impl Instances {
    /// The segment of a row's name that stands for one: `N` a number, `DEV` a device, `NAME` a name.
    pub const fn placeholder(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Vcpus | Self::Nets | Self::Notices | Self::Incidents => Some("N"),
            Self::Disks => Some("DEV"),
            Self::Labels | Self::Customs => Some(OPEN),
        }
    }

    /// Whether they are names that may hold dots, so that one may be below another.
    pub fn are_open(self) -> bool {
        self.placeholder() == Some(OPEN)
    }

    /// OpenMetrics' label that tells them apart.
    pub(crate) fn label(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Vcpus => Some("vcpu"),
            Self::Disks => Some("device"),
            Self::Nets => Some("interface"),
            Self::Labels | Self::Notices | Self::Incidents | Self::Customs => Some("name"),
        }
    }

    /// Whether a row of that name has such instances: nothing else in it is in capitals.
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
