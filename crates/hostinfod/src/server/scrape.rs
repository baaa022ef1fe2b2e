//! Who reads the metrics over HTTP, in the loop: who is let in, and whose turn it is.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hostinfo_wire::http::REQUEST_MAX;
use hostinfo_wire::limits::READ_CHUNK;
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::Server;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::ScraperId;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::scrape::{self, Scraper};
use crate::stream::{Closed, Stream};

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
                self.reactor.set_alarm(Alarm::Scrape, Some(now + PAUSE));
                return self.await_scrapers(Interest::Rest);
            }
            Err(_) => return,
        };
        if self.scrape.scrapers.len() >= SCRAPERS_MAX
            && let Some(oldest) = self.scrape.oldest()
        {
            self.drop_scraper(oldest);
        }
        let scraper = Scraper::new(Stream::new(fd), now);
        let number = self.scrape.scrapers.insert(scraper);
        self.reactor.set_alarm(Alarm::Scraper(number), Some(now + DEADLINE));
        let Some(scraper) = self.scrape.scrapers.get(number) else { return };
        if let Err(error) =
            self.reactor.add(&scraper.stream, Token::Scraper(number), Interest::Read)
        {
            tracing::error!("cannot wait for clients that read the metrics: {error}");
            self.drop_scraper(number);
        }
    }

    /// Waits for somebody to come, or does not.
    pub(crate) fn await_scrapers(&self, interest: Interest) {
        let Some(place) = self.scrape.place() else { return };
        if let Err(error) = self.reactor.modify(place, Token::Scrape, interest) {
            tracing::error!("cannot wait for clients that read the metrics: {error}");
        }
    }

    /// Something has come about on a connection.
    pub(crate) fn scraper_is_ready(&mut self, number: ScraperId, now: Instant) {
        match self.scraper_turn(number, now) {
            Ok(Some(interest)) => self.await_scraper(number, interest),
            Ok(None) | Err(Closed) => self.drop_scraper(number),
        }
    }

    /// What the connection waits for from now on; nothing where all is said.
    fn scraper_turn(
        &mut self,
        number: ScraperId,
        now: Instant,
    ) -> Result<Option<Interest>, Closed> {
        let Some(scraper) = self.scrape.scrapers.get_mut(number) else { return Ok(None) };
        if scraper.interest == Interest::Write {
            return Ok(scraper.stream.flush()?.map(|_| Interest::Write));
        }
        let mut buffer = [0; READ_CHUNK];
        let room = REQUEST_MAX.saturating_sub(scraper.request.len());
        let read = scraper.stream.read(buffer.get_mut(..room).unwrap_or_default())?;
        scraper.request.extend_from_slice(read);
        let request = std::mem::take(&mut scraper.request);
        let answer = scrape::answer(&request, || self.metrics().to_string());
        let Some(scraper) = self.scrape.scrapers.get_mut(number) else { return Ok(None) };
        match answer {
            None => {
                scraper.request = request;
                Ok(Some(Interest::Read))
            }
            Some(answer) => Ok(scraper.stream.send(&answer, now)?.map(|_| Interest::Write)),
        }
    }

    fn await_scraper(&mut self, number: ScraperId, interest: Interest) {
        let Some(scraper) = self.scrape.scrapers.get_mut(number) else { return };
        if scraper.interest != interest {
            scraper.interest = interest;
            let token = Token::Scraper(number);
            if let Err(error) = self.reactor.modify(&scraper.stream, token, interest) {
                tracing::error!("cannot wait for clients that read the metrics: {error}");
            }
        }
    }

    /// Ends a connection: all is said, or its time is over.
    pub(crate) fn drop_scraper(&mut self, number: ScraperId) {
        self.scrape.scrapers.remove(number);
        self.reactor.set_alarm(Alarm::Scraper(number), None);
    }
}
