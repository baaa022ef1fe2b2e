//! `top`: both views of this guest as they change, on a terminal.

mod backend;
mod rows;
mod screen;
mod spark;
mod state;

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui_core::terminal::Terminal;
use ratatui_core::text::Text;

use crate::args::{Format, Options};
use crate::exit::{Failure, Outcome};
use crate::host::Host;
use crate::recorder::Recorder;
use crate::recording::Entry;
use crate::system::{RawTty, own_roots};
use crate::top::backend::{Tty, size};
use crate::top::screen::{HEIGHT_LEAST, WIDTH_LEAST, screen};
use crate::top::spark::Glyphs;
use crate::top::state::State;

/// The default time between samples.
const EVERY: Duration = Duration::from_secs(2);

/// The longest delay before the program reacts to a sample, a change of the terminal's size or a signal, and
/// how often it wakes up.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The most samples waiting to be shown: while the terminal accepts no output, none are taken.
const WAITING_MAX: usize = 4;

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Quit,
    Redraw,
    Other,
}

/// Switches to the alternate screen, and back (xterm's private modes 1049 and 25; terminals that do not know
/// them ignore them).
pub(crate) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
pub(crate) const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// Shows both views until the user quits.
///
/// # Errors
/// [`Failure`]: this is not a terminal, or it is too small; or it accepts no more output.
pub(crate) fn run(options: &Options) -> Result<Outcome, Failure> {
    if options.format() != Format::Text || options.output.is_some() {
        let why = "top is for a terminal: leave out --output, --json and --format";
        return Err(Failure::Usage(why.to_owned()));
    }
    let (width, height) = size();
    if width < WIDTH_LEAST || height < HEIGHT_LEAST {
        return Err(Failure::Usage(format!(
            "top needs a terminal of {WIDTH_LEAST} columns and {HEIGHT_LEAST} lines, and this one has {width} and \
             {height}: make it larger, or run plain hostinfo"
        )));
    }
    let variable = |name: &str| std::env::var(name).ok();
    let glyphs = Glyphs::of_terminal(variable);
    let tty = RawTty::enter()?;
    let every = options.every.unwrap_or(EVERY);
    // A sample does not wait for a host that may not be asked yet.
    let samples = start(options.impatient(), every);
    let shown = show(&tty, &samples, glyphs, every);
    // Restore the terminal before printing any message.
    drop(tty);
    shown.map(|()| Outcome::Complete)
}

/// What there is after one look: news and a sample, how long the host may not be asked yet, and of which
/// resources this guest has no device.
struct Turn {
    entries: Vec<Entry>,
    wait: Option<Duration>,
    lacking: Vec<&'static str>,
}

/// Takes samples in a thread of its own: a host may take seconds to answer, and keys must not wait.
fn start(options: Options, every: Duration) -> Receiver<Turn> {
    let (samples, taken) = sync_channel(WAITING_MAX);
    thread::spawn(move || {
        let mut host = Host::new(&options);
        let mut recorder = Recorder::live(own_roots());
        loop {
            let start = Instant::now();
            let entries = recorder.turn(&mut host, jiff::Timestamp::now().as_second());
            // Meanwhile others may want to use the port.
            host.let_go();
            let (wait, lacking) = (recorder.wait(), own_roots().lacking());
            if samples.send(Turn { entries, wait, lacking }).is_err() {
                return;
            }
            thread::sleep(every.saturating_sub(start.elapsed()));
        }
    });
    taken
}

fn show(
    tty: &RawTty,
    samples: &Receiver<Turn>,
    glyphs: Glyphs,
    every: Duration,
) -> Result<(), Failure> {
    let mut terminal = Terminal::new(Tty::new(std::env::var_os("NO_COLOR")))?;
    let mut state = State::new(every);
    loop {
        while let Ok(Turn { entries, wait, lacking }) = samples.try_recv() {
            (state.wait, state.lacking) = (wait, lacking);
            entries.into_iter().for_each(|entry| state.add(entry));
        }
        terminal.draw(|frame| {
            let area = frame.area();
            let lines = screen(&state, area.width.into(), area.height.into(), glyphs);
            frame.render_widget(Text::from(lines), area);
        })?;
        match tty.key(LOOK_EVERY)? {
            Some(Key::Quit) => return Ok(()),
            Some(Key::Redraw) => terminal.clear()?,
            Some(Key::Other) | None => {}
        }
    }
}
