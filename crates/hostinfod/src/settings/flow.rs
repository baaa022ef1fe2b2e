//! `[flow]` of the settings.

use hostinfo_answer::Bound;
use hostinfo_wire::limits;
use serde::Deserialize;

/// What one guest may send and receive, over all its connections; 0 for no bound.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Flow {
    lines_per_second: u32,
    line_burst: u32,
    bytes_per_second: u32,
    byte_burst: u32,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            lines_per_second: limits::LINES_PER_SECOND,
            line_burst: limits::LINE_BURST,
            bytes_per_second: limits::BYTES_PER_SECOND,
            byte_burst: limits::BYTE_BURST,
        }
    }
}

impl Flow {
    /// The settings as bounds.
    pub(crate) fn bounds(&self) -> hostinfo_answer::Flow {
        hostinfo_answer::Flow {
            lines: bound(self.lines_per_second, self.line_burst),
            bytes: bound(self.bytes_per_second, self.byte_burst),
        }
    }
}

/// A burst of 0 also means no bound, since otherwise nothing could pass.
fn bound(per_second: u32, burst: u32) -> Bound {
    Bound { per_second: if burst == 0 { 0 } else { per_second }, burst }
}
