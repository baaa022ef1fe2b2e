//! One sample of both views, and its text form.

use std::fmt;

use crate::verdict::{RESOURCES, State};

/// How many figures a sample has.
const FIELDS: usize = 19;

/// One figure of a sample, as a whole number: shares in thousandths, times in microseconds, memory
/// in MiB, swapping in KiB a second, load and running tasks in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// The share of the time in which vCPUs wanted to run that they spent waiting, as counted by
    /// the host.
    Waited,
    /// The share of the time in which a limit held them back.
    Throttled,
    /// The share of the CPU time of all vCPUs that they ran, as counted by the host.
    Ran,
    /// The host's load average over a minute.
    Load,
    /// The share of the last minute in which something on the host waited.
    HostCpu,
    HostMemory,
    HostIo,
    /// Mean time of an operation on the slowest disk, as the host sees it.
    HostLatency,
    /// How much of this guest the host has swapped out, and taken back with the balloon.
    Swapped,
    Taken,
    /// The shares of its CPU time that the guest's own kernel counts as stolen, and as busy.
    Steal,
    Busy,
    /// Tasks that are running or ready to run.
    Running,
    /// The share of the time in which something in the guest waited.
    Cpu,
    Memory,
    Io,
    /// Mean time of an operation on the slowest disk, as the guest sees it.
    Latency,
    Available,
    Swapping,
}

impl Field {
    const ALL: [(Self, &'static str); FIELDS] = [
        (Self::Waited, "waited"),
        (Self::Throttled, "throttled"),
        (Self::Ran, "ran"),
        (Self::Load, "load"),
        (Self::HostCpu, "host-cpu"),
        (Self::HostMemory, "host-memory"),
        (Self::HostIo, "host-io"),
        (Self::HostLatency, "host-latency"),
        (Self::Swapped, "swapped"),
        (Self::Taken, "taken"),
        (Self::Steal, "steal"),
        (Self::Busy, "busy"),
        (Self::Running, "running"),
        (Self::Cpu, "cpu"),
        (Self::Memory, "memory"),
        (Self::Io, "io"),
        (Self::Latency, "latency"),
        (Self::Available, "available"),
        (Self::Swapping, "swapping"),
    ];

    /// The columns, in their order.
    pub(crate) fn names() -> [&'static str; FIELDS] {
        Self::ALL.map(|(_, name)| name)
    }

    /// The figure in a column of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, own)| *own == name).map(|(field, _)| field)
    }
}

/// The host's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Its verdict on each resource; `None` if it has none.
    Verdicts([Option<State>; RESOURCES.len()]),
    /// It refused, because the guest's interval has not passed.
    TooSoon,
    /// It did not answer.
    Silence,
}

/// One sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Seconds since 1970.
    pub(crate) time: i64,
    pub(crate) heard: Heard,
    figures: [Option<u32>; FIELDS],
}

impl Sample {
    /// A sample without figures.
    pub(crate) fn at(time: i64, heard: Heard) -> Self {
        Self { time, heard, figures: [None; FIELDS] }
    }

    pub(crate) fn figure(&self, field: Field) -> Option<u32> {
        self.figures.get(field as usize).copied().flatten()
    }

    /// Sets a figure, in its unit; one that is not a number, or too large, is left out.
    pub(crate) fn set(&mut self, field: Field, value: Option<f64>) {
        let whole =
            value.map(f64::round).filter(|value| (0.0..=f64::from(u32::MAX)).contains(value));
        // In range, as was checked just above.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = whole.map(|value| value as u32);
        if let Some(place) = self.figures.get_mut(field as usize) {
            *place = whole;
        }
    }

    /// The verdict on one of [`RESOURCES`].
    pub(crate) fn state(&self, resource: usize) -> Option<State> {
        match self.heard {
            Heard::Verdicts(states) => states.get(resource).copied().flatten(),
            Heard::TooSoon | Heard::Silence => None,
        }
    }

    /// Reads the text after the time; `columns` says which figure is where.
    pub(super) fn read(time: i64, text: &str, columns: &[Option<Field>]) -> Option<Self> {
        let mut words = text.split(' ');
        let mut sample = Self::at(time, heard(words.next()?)?);
        for column in columns {
            let figure = match words.next()? {
                "-" => None,
                word => Some(word.parse().ok()?),
            };
            let place = column.and_then(|field| sample.figures.get_mut(field as usize));
            if let Some(place) = place {
                *place = figure;
            }
        }
        words.next().is_none().then_some(sample)
    }
}

impl fmt::Display for Sample {
    /// The text for the recording, without the letter at its beginning.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.time)?;
        match self.heard {
            Heard::TooSoon => out.write_str("later")?,
            Heard::Silence => out.write_str("silent")?,
            Heard::Verdicts(states) => {
                states.iter().try_for_each(|state| write!(out, "{}", letter(*state)))?;
            }
        }
        self.figures.iter().try_for_each(|figure| match figure {
            Some(figure) => write!(out, " {figure}"),
            None => out.write_str(" -"),
        })
    }
}

fn heard(word: &str) -> Option<Heard> {
    let mut states = [None; RESOURCES.len()];
    let mut letters = word.chars();
    match word {
        "later" => return Some(Heard::TooSoon),
        "silent" => return Some(Heard::Silence),
        _ => {}
    }
    for state in &mut states {
        *state = from_letter(letters.next()?)?;
    }
    letters.next().is_none().then_some(Heard::Verdicts(states))
}

fn letter(state: Option<State>) -> char {
    match state {
        None => '-',
        Some(State::Ok) => 'o',
        Some(State::Unknown) => 'u',
        Some(State::SelfLimited) => 's',
        Some(State::Contended) => 'c',
    }
}

fn from_letter(letter: char) -> Option<Option<State>> {
    Some(match letter {
        '-' => None,
        'o' => Some(State::Ok),
        'u' => Some(State::Unknown),
        's' => Some(State::SelfLimited),
        'c' => Some(State::Contended),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_figure_has_its_own_column() {
        for (place, (field, name)) in Field::ALL.into_iter().enumerate() {
            assert_eq!((field as usize, Field::named(name)), (place, Some(field)));
        }
    }

    #[test]
    fn a_figure_that_is_not_known_is_not_zero() {
        let mut sample = Sample::at(5, Heard::Silence);
        for none in [None, Some(f64::NAN), Some(-1.0), Some(5e9)] {
            sample.set(Field::Steal, none);
            assert_eq!(sample.figure(Field::Steal), None, "{none:?}");
        }
        sample.set(Field::Steal, Some(0.4));
        assert_eq!(sample.figure(Field::Steal), Some(0));
    }

    proptest! {
        #[test]
        fn a_sample_is_read_as_it_was_written(
            figures in proptest::collection::vec(proptest::option::of(any::<u32>()), FIELDS),
            letters in "[-ousc]{4}|later|silent",
        ) {
            let mut sample = Sample::at(1, heard(&letters).unwrap());
            sample.figures = figures.try_into().unwrap();
            let text = sample.to_string();
            let columns = Field::ALL.map(|(field, _)| Some(field));
            prop_assert_eq!(Sample::read(1, text.strip_prefix("1 ").unwrap(), &columns), Some(sample));
        }
    }
}
