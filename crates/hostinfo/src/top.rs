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
use crate::recorder::Recorder;
use crate::recording::Entry;
use crate::sampler::Sampler;
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

/// The most looks waiting to be shown: while the terminal accepts no output, none are taken.
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
    let looks = start(options.clone(), every);
    let shown = show(&tty, &looks, glyphs, every);
    // Restore the terminal before printing any message.
    drop(tty);
    shown.map(|()| Outcome::Complete)
}

/// What there is after one look.
struct Look {
    /// News and a sample.
    entries: Vec<Entry>,
    /// When the host was asked, if it has not answered yet.
    asked: Option<Instant>,
    /// When the host gave its newest answer.
    taken: Option<Instant>,
    /// How long the host may not be asked yet.
    wait: Option<Duration>,
    /// The resources of which this guest has no device.
    lacking: Vec<&'static str>,
}

/// Takes samples in a thread of its own: keys do not wait for them.
fn start(options: Options, every: Duration) -> Receiver<Look> {
    let (looks, taken) = sync_channel(WAITING_MAX);
    thread::spawn(move || {
        let mut sampler = Sampler::start(Recorder::live(own_roots()), &options);
        let look = |sampler: &Sampler, entries| {
            let (asked, recorder) = (sampler.asked(), &sampler.recorder);
            let (taken, wait) = (recorder.taken(), recorder.wait());
            Look { entries, asked, taken, wait, lacking: own_roots().lacking() }
        };
        loop {
            let start = Instant::now();
            sampler.ask();
            // The screen says that the host is being waited for.
            if looks.send(look(&sampler, Vec::new())).is_err() {
                return;
            }
            let entries = sampler.turn(start + every);
            if looks.send(look(&sampler, entries)).is_err() {
                return;
            }
            thread::sleep(every.saturating_sub(start.elapsed()));
        }
    });
    taken
}

fn show(
    tty: &RawTty,
    looks: &Receiver<Look>,
    glyphs: Glyphs,
    every: Duration,
) -> Result<(), Failure> {
    let mut terminal = Terminal::new(Tty::new(std::env::var_os("NO_COLOR")))?;
    let (mut state, mut asked, mut taken) = (State::new(every), None, None);
    loop {
        while let Ok(look) = looks.try_recv() {
            (asked, taken, state.wait, state.lacking) =
                (look.asked, look.taken, look.wait, look.lacking);
            look.entries.into_iter().for_each(|entry| state.add(entry));
        }
        state.waited = asked.map(|asked: Instant| asked.elapsed());
        state.age = taken.map(|taken: Instant| taken.elapsed());
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
