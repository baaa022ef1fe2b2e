//! Who reads the metrics over HTTP, in the loop: who is let in, and whose turn it is.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hostinfo_wire::http::REQUEST_MAX;
use hostinfo_wire::limits::READ_CHUNK;
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::{Alarm, SCRAPE, Server, scraper_token};
use crate::port::connection::{Closed, Connection};
use crate::scrape::{self, Scraper};
use crate::system::poll::Interest;

/// Those who are answered at once: a Prometheus or two, and a person. With
/// [`REQUEST_MAX`] and some 20 KiB of metrics they hold 200 KiB.
const SCRAPERS_MAX: usize = 8;

/// The time from a connection to its end. Prometheus needs 10 ms, and gives up after 10 s.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long nobody is let in where there are no descriptors left.
const PAUSE: Duration = Duration::from_secs(1);

impl Server {
    /// Somebody has come to read the metrics. Where too many are there, the one that has been there
    /// for longest has to go: whoever asks at once is answered, whatever the others do.
    pub(crate) fn let_scraper_in(&mut self, now: Instant) {
        let Some(place) = self.scrape.place() else { return };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd: OwnedFd = match rustix::net::accept_with(place, flags) {
            Ok(fd) => fd,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.alarms.set(Alarm::Scrape, Some(now + PAUSE));
                return self.await_scrapers(Interest::Rest);
            }
            Err(_) => return,
        };
        if self.scrape.scrapers.len() >= SCRAPERS_MAX
            && let Some(oldest) = self.scrape.oldest()
        {
            self.drop_scraper(oldest);
        }
        let scraper = Scraper { connection: Connection::new(fd, now), request: Vec::new() };
        let number = self.scrape.scrapers.insert(scraper);
        self.alarms.set(Alarm::Scraper(number), Some(now + DEADLINE));
        let Some(scraper) = self.scrape.scrapers.get(number) else { return };
        if let Err(error) =
            self.poll.add(&scraper.connection, scraper_token(number), Interest::Read)
        {
            tracing::error!("who reads the metrics cannot be waited for: {error}");
            self.drop_scraper(number);
        }
    }

    /// Waits for somebody to come, or does not.
    pub(crate) fn await_scrapers(&self, interest: Interest) {
        let Some(place) = self.scrape.place() else { return };
        if let Err(error) = self.poll.modify(place, SCRAPE, interest) {
            tracing::error!("who reads the metrics cannot be waited for: {error}");
        }
    }

    /// Something has come about on a connection.
    pub(crate) fn scraper_is_ready(&mut self, number: usize, now: Instant) {
        match self.scraper_turn(number, now) {
            Ok(Some(interest)) => self.await_scraper(number, interest),
            Ok(None) | Err(Closed) => self.drop_scraper(number),
        }
    }

    /// What the connection waits for from now on; nothing where all is said.
    fn scraper_turn(&mut self, number: usize, now: Instant) -> Result<Option<Interest>, Closed> {
        let Some(scraper) = self.scrape.scrapers.get_mut(number) else { return Ok(None) };
        if scraper.connection.interest == Interest::Write {
            return Ok(scraper.connection.flush()?.map(|_| Interest::Write));
        }
        let mut buffer = [0; READ_CHUNK];
        let room = REQUEST_MAX.saturating_sub(scraper.request.len());
        let read = scraper.connection.read(buffer.get_mut(..room).unwrap_or_default())?;
        scraper.request.extend_from_slice(read);
        let request = std::mem::take(&mut scraper.request);
        let answer = scrape::answer(&request, || self.metrics().to_string());
        let Some(scraper) = self.scrape.scrapers.get_mut(number) else { return Ok(None) };
        match answer {
            None => {
                scraper.request = request;
                Ok(Some(Interest::Read))
            }
            Some(answer) => Ok(scraper.connection.send(&answer, now)?.map(|_| Interest::Write)),
        }
    }

    fn await_scraper(&mut self, number: usize, interest: Interest) {
        let Some(scraper) = self.scrape.scrapers.get_mut(number) else { return };
        if scraper.connection.interest != interest {
            scraper.connection.interest = interest;
            let token = scraper_token(number);
            if let Err(error) = self.poll.modify(&scraper.connection, token, interest) {
                tracing::error!("who reads the metrics cannot be waited for: {error}");
            }
        }
    }

    /// Ends a connection: all is said, or its time is over.
    pub(crate) fn drop_scraper(&mut self, number: usize) {
        self.scrape.scrapers.try_remove(number);
        self.alarms.set(Alarm::Scraper(number), None);
    }
}
