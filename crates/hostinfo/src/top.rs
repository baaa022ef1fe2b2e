//! `top`: both views of this guest as they change, on a terminal.

mod backend;
mod rows;
mod screen;
mod spark;
mod state;
mod tty;

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
use crate::top::backend::Tty;
use crate::top::screen::{HEIGHT_LEAST, WIDTH_LEAST, screen};
use crate::top::spark::Glyphs;
use crate::top::state::State;
use crate::top::tty::{Key, RawTty, size};
use crate::views::own::Roots;

/// How often a sample is taken where nothing else is said.
const EVERY: Duration = Duration::from_secs(2);

/// How soon a sample, a change of the terminal's size or a signal is acted upon at the latest, and how often this
/// program wakes up.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Samples that wait to be shown: while the terminal takes no output, none are taken.
const WAITING_MAX: usize = 4;

/// Shows both views until somebody has seen enough.
///
/// # Errors
/// [`Failure`]: this is no terminal, or one that is too small; it takes no more output.
pub(crate) fn run(options: &Options) -> Result<Outcome, Failure> {
    if options.format() != Format::Text || options.output.is_some() {
        let why = "top is for a terminal: leave out --output, --json and --format";
        return Err(Failure::Usage(why.to_owned()));
    }
    let (width, height) = size();
    if width < WIDTH_LEAST || height < HEIGHT_LEAST {
        return Err(Failure::Usage(format!(
            "top needs a terminal of {WIDTH_LEAST} columns and {HEIGHT_LEAST} lines, and this one has {width} and \
             {height}: make it larger, or use hostinfo alone"
        )));
    }
    let variable = |name: &str| std::env::var(name).ok();
    let glyphs = Glyphs::of_terminal(variable);
    let tty = RawTty::enter()?;
    let every = options.every.unwrap_or(EVERY);
    // A sample does not wait for a host that is not to be asked yet.
    let samples = start(options.impatient(), every);
    let shown = show(&tty, &samples, glyphs, every);
    // The terminal is as it was before anything is said of what has come about.
    drop(tty);
    shown.map(|()| Outcome::Complete)
}

/// Takes samples in a thread of its own: a host may take seconds to answer, and keys do not wait.
fn start(options: Options, every: Duration) -> Receiver<Vec<Entry>> {
    let (samples, taken) = sync_channel(WAITING_MAX);
    thread::spawn(move || {
        let mut host = Host::new(&options);
        let mut recorder = Recorder::live(Roots::own());
        loop {
            let start = Instant::now();
            let entries = recorder.turn(&mut host, jiff::Timestamp::now().as_second());
            // Meanwhile others may have something to ask.
            host.let_go();
            if samples.send(entries).is_err() {
                return;
            }
            thread::sleep(every.saturating_sub(start.elapsed()));
        }
    });
    taken
}

fn show(
    tty: &RawTty,
    samples: &Receiver<Vec<Entry>>,
    glyphs: Glyphs,
    every: Duration,
) -> Result<(), Failure> {
    let mut terminal = Terminal::new(Tty::new(std::env::var_os("NO_COLOR")))?;
    let mut state = State::new(every);
    loop {
        while let Ok(entries) = samples.try_recv() {
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
