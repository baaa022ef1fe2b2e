//! Stands in for hostinfo-libvirt in the chaos test: tells the daemon of as many domains as a file says, and lies
//! while another file says how. It keeps its process number in a third. All three lie beside the program.

use std::fs;
use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hostinfo_domains::{Ask, Disk, Figures, Io, Message, VERSION, ask, to_line};
use hostinfo_tests::chaos::guest::{self, Number};
use hostinfo_tests::chaos::lie::Lie;

fn main() -> Result<()> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("no folder")?;
    fs::write(folder.join("pid"), std::process::id().to_string())?;
    let guests = fs::read_to_string(folder.join("guests"))?.trim().parse()?;
    Helper { folder: folder.to_owned(), guests }.run()
}

struct Helper {
    folder: PathBuf,
    guests: Number,
}

impl Helper {
    fn run(self) -> Result<()> {
        let version = match Lie::told_in(&self.folder) {
            Some(Lie::OtherVersion) => VERSION + 1,
            _ => VERSION,
        };
        say(&Message::Hello { version })?;
        self.domains()?;
        say(&Message::Done(0))?;
        for line in stdin().lock().lines() {
            let asked = ask(line?.as_bytes())?;
            match Lie::told_in(&self.folder) {
                Some(lie) => self.lie(lie, &asked)?,
                None => self.answer(&asked)?,
            }
        }
        Ok(())
    }

    fn domains(&self) -> Result<()> {
        (0..self.guests).try_for_each(|number| say(&Message::Domain(guest::domain(number))))
    }

    fn answer(&self, asked: &Ask) -> Result<()> {
        if let Ask::Figures { of, .. } = asked {
            for number in 0..self.guests {
                let uuid = guest::uuid(number);
                if of.is_empty() || of.contains(&uuid) {
                    say(&Message::Figures(uuid, figures(number)))?;
                }
            }
        }
        say(&Message::Done(number_of(asked)))
    }

    fn lie(&self, lie: Lie, asked: &Ask) -> Result<()> {
        match lie {
            Lie::Garbage => write(b"{\"domain\":\xff\xfe}\n"),
            Lie::OtherVersion => std::process::exit(1),
            Lie::TooLong => (0..64).try_for_each(|_| write(&[b'x'; 64 * 1024])),
            Lie::WithoutEnd => {
                while self.tells(lie) {
                    say(&Message::Gone(guest::uuid(self.guests)))?;
                }
                self.answer(asked)
            }
            Lie::UnaskedAnswers => (1..500)
                .try_for_each(|more| say(&Message::Done(number_of(asked) + more)))
                .and_then(|()| self.answer(asked)),
            Lie::NobodyIsThere => {
                (0..self.guests).try_for_each(|number| say(&Message::Gone(guest::uuid(number))))?;
                say(&Message::Done(number_of(asked)))?;
                self.correct(lie)
            }
            Lie::TwoHaveOneSocket => {
                say(&Message::Domain(guest::domain_at(1, 0)))?;
                say(&Message::Done(number_of(asked)))?;
                self.correct(lie)
            }
            Lie::FiguresOfNobody => {
                let nobody = guest::uuid(self.guests);
                say(&Message::Figures(nobody, figures(self.guests)))?;
                self.answer(asked)
            }
        }
    }

    /// Whether it is still to tell that lie, after a moment.
    fn tells(&self, lie: Lie) -> bool {
        sleep(Duration::from_millis(50));
        Lie::told_in(&self.folder) == Some(lie)
    }

    /// Takes back what it said of domains when the lie is over, unasked: nobody asks for guests that are gone.
    fn correct(&self, lie: Lie) -> Result<()> {
        while self.tells(lie) {}
        self.domains()?;
        say(&Message::Done(0))
    }
}

fn figures(number: Number) -> Figures {
    let read = Io { bytes: Some(guest::bytes_read(number)), ..Io::default() };
    Figures {
        memory_current: Some(guest::memory(number)),
        disks: vec![Disk { dev: "vda".to_owned(), read, ..Disk::default() }],
        ..Figures::default()
    }
}

fn number_of(asked: &Ask) -> u64 {
    match asked {
        Ask::Look { number } | Ask::Figures { number, .. } | Ask::Tags { number, .. } => *number,
    }
}

fn say(message: &Message) -> Result<()> {
    write(&to_line(message).context("too long a line")?)
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}
