//! Writes what ratatui draws to a terminal (ECMA-48). Its own backends bring an event library with them, but
//! all that is needed here is a key to quit.

use std::ffi::OsString;
use std::io::{self, BufWriter, Stdout, Write as _};

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::Style;

/// Standard output.
pub(super) struct Tty {
    out: BufWriter<Stdout>,
    is_colored: bool,
}

impl Tty {
    /// Without colours where `NO_COLOR` is set, and not empty: <https://no-color.org>.
    pub(super) fn new(no_color: Option<OsString>) -> Self {
        let is_colored = no_color.is_none_or(|value| value.is_empty());
        Self { out: BufWriter::new(io::stdout()), is_colored }
    }

    fn move_to(&mut self, x: u16, y: u16) -> io::Result<()> {
        write!(self.out, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1)
    }

    fn style(&mut self, style: Style) -> io::Result<()> {
        let mut style = anstyle::Style::from(style);
        if !self.is_colored {
            style = style.fg_color(None).bg_color(None);
        }
        write!(self.out, "\x1b[0m{style}")
    }
}

/// The style of a cell. The terminal's default colours count as none.
fn style_of(cell: &Cell) -> Style {
    use ratatui_core::style::Color;
    let mut style = Style { fg: None, bg: None, ..cell.style() };
    if cell.fg != Color::Reset {
        style.fg = Some(cell.fg);
    }
    if cell.bg != Color::Reset {
        style.bg = Some(cell.bg);
    }
    style
}

/// Columns and lines. A serial console does not report its size, so the most common one is assumed.
pub(super) fn size() -> (u16, u16) {
    const USUAL: (u16, u16) = (80, 24);
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or(USUAL, |(width, height)| (width.0, height.0))
}

impl Backend for Tty {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let (mut next, mut style) = (None, None);
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                self.move_to(x, y)?;
            }
            let own = style_of(cell);
            if style.replace(own) != Some(own) {
                self.style(own)?;
            }
            write!(self.out, "{}", cell.symbol())?;
            // After a wide character, the cursor's position is not certain.
            let is_narrow = unicode_width::UnicodeWidthStr::width(cell.symbol()) == 1;
            next = is_narrow.then(|| (x.saturating_add(1), y));
        }
        write!(self.out, "\x1b[0m")
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        write!(self.out, "\x1b[?25l")
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        write!(self.out, "\x1b[?25h")
    }

    /// The terminal is not queried, since this would wait for a terminal that does not answer.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.move_to(x, y)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        let code = match region {
            ClearType::All => "2J",
            ClearType::AfterCursor => "0J",
            ClearType::BeforeCursor => "1J",
            ClearType::CurrentLine => "2K",
            ClearType::UntilNewLine => "0K",
        };
        write!(self.out, "\x1b[0m\x1b[{code}")
    }

    fn size(&self) -> io::Result<Size> {
        let (width, height) = size();
        Ok(Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
