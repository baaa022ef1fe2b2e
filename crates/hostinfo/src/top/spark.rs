//! Figures of the last minutes as a line of characters, each as high as its figure.

/// The characters that lines are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glyphs {
    /// Blocks of eight heights.
    Blocks,
    /// For terminals that only show ASCII, for instance behind `virsh console`.
    Ascii,
}

impl Glyphs {
    /// What the terminal can show according to the locale (locale(7)). The Linux console, and the terminals
    /// after which serial lines are named, have no block characters, whatever the locale says.
    pub(super) fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default();
        let locale = locale.to_ascii_lowercase().replace('-', "");
        let term = variable("TERM").unwrap_or_default();
        let has_no_blocks = ["linux", "vt", "dumb"].iter().any(|begin| term.starts_with(begin));
        if locale.contains("utf8") && !has_no_blocks { Self::Blocks } else { Self::Ascii }
    }

    /// From nothing to full height.
    fn ramp(self) -> [char; 8] {
        match self {
            Self::Blocks => ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Self::Ascii => ['_', '.', ':', '-', '=', '+', '*', '#'],
        }
    }

    /// What stands for that character of a text.
    pub(super) fn shown(self, sign: char) -> char {
        match (self, sign) {
            // Of microseconds.
            (Self::Ascii, 'µ') => 'u',
            (Self::Ascii | Self::Blocks, _) => sign,
        }
    }

    /// Marks the end of a text that was cut.
    pub(super) fn rest(self) -> char {
        match self {
            Self::Blocks => '…',
            Self::Ascii => '~',
        }
    }
}

/// The figures, which are passed with the newest first, as a line with the newest on the right. What is as great as
/// `full` or greater has the full height. An unknown value is blank, but zero is not.
pub(super) fn spark(
    newest_first: impl DoubleEndedIterator<Item = Option<f64>>,
    full: f64,
    glyphs: Glyphs,
) -> String {
    let ramp = glyphs.ramp();
    let glyph = |figure: Option<f64>| {
        let Some(figure) = figure else { return ' ' };
        // From 0 to 7.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let height = (figure / full * 7.0).ceil().clamp(0.0, 7.0) as usize;
        ramp.get(height).copied().unwrap_or(' ')
    };
    newest_first.rev().map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_drawn_only_where_the_terminal_shows_them() {
        let of = |set: &'static [(&str, &str)]| {
            Glyphs::of_terminal(|name| {
                set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("LANG", "en_US.UTF-8")]), Glyphs::Blocks);
        assert_eq!(of(&[("LANG", "C.utf8"), ("TERM", "tmux-256color")]), Glyphs::Blocks);
        assert_eq!(of(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]), Glyphs::Ascii);
        assert_eq!(of(&[("LANG", "en_US.UTF-8"), ("TERM", "vt220")]), Glyphs::Ascii);
        assert_eq!(of(&[("LANG", "en_US.UTF-8"), ("TERM", "linux")]), Glyphs::Ascii);
        assert_eq!(of(&[]), Glyphs::Ascii);
    }

    #[test]
    fn an_unknown_figure_is_blank_and_zero_is_not() {
        let newest_first = [Some(100.0), None, Some(0.0), Some(0.1), Some(50.0)];
        let drawn = |full| spark(newest_first.into_iter(), full, Glyphs::Ascii);
        assert_eq!(drawn(100.0), "=._ #");
        assert_eq!(drawn(1000.0), ".._ .", "little is little");
        assert_eq!(drawn(10.0), "#._ #", "nothing is higher than all of it");
    }
}
