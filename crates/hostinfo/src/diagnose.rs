//! `diagnose`: observes both views of this guest for a while, and draws a conclusion.

pub(crate) mod conclude;
mod heard;
mod json;
mod plugin;
mod report;
pub(crate) mod sentences;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::args::{Diagnose, Format};
use crate::diagnose::conclude::{Conclusion, Finding};
use crate::diagnose::heard::Heard;
use crate::diagnose::plugin::{Level, plugin_line};
use crate::diagnose::report::Diagnosis;
use crate::exit::{Failure, USAGE};
use crate::host::Host;
use crate::output::Shown;
use crate::progress::{Progress, announce};
use crate::question::Question;
use crate::reply::Line;
use crate::system::{on_end_by_signal, own_roots, page_size};
use crate::verdict::RESOURCES;
use crate::views::dated::DatedReply;
use crate::views::hosts::{HostView, Judged};
use crate::views::own::{Moment, View};
use crate::views::roots::Roots;

/// The default time to observe: as far as a verdict looks back.
const TIME: Duration = Duration::from_secs(60);

/// The same as a plugin, whose caller has other things to do: as long as a verdict needs.
const PLUGIN_TIME: Duration = Duration::from_secs(5);

/// How often to ask the host in the meantime: a verdict looks back that far.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// How often to count the tasks that want to run.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What takes that long.
const OBSERVING: &str = "observing the host and this guest";

/// How long to wait for a verdict that is still missing at the end, without `--wait`.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to wait until a broker asks the host again. Once is not always enough: the host may tell the broker to
/// come back later.
const NEWS_WAITS_MAX: u32 = 4;

/// How soon to ask again at the end where no host is there, until the timeout is over: a daemon that is restarted is
/// back within seconds.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// The exit status of a plugin that knows nothing.
pub(crate) const UNKNOWN_TO_PLUGIN: u8 = Level::Unknown as u8;

/// Observes and concludes; the exit status expresses the conclusion.
///
/// # Errors
/// [`Failure`]. A plugin never fails: it reports that nothing is known.
pub(crate) fn run(
    host: &mut Host<'_>,
    format: Format,
    options: &Diagnose,
) -> Result<Shown, Failure> {
    let render = match format {
        Format::Text => Diagnosis::text,
        Format::Json => Diagnosis::json,
        Format::Nagios => Diagnosis::plugin,
        Format::Openmetrics | Format::Prometheus => {
            return Err(Failure::Usage(
                "diagnose has only the formats text, json and nagios".to_owned(),
            ));
        }
    };
    let is_plugin = format == Format::Nagios;
    let time = options.time.unwrap_or(if is_plugin { PLUGIN_TIME } else { TIME });
    // Programs read the other formats. Where the text goes to a file, cron would mail this line alone.
    let is_announced = format == Format::Text && host.is_awaited();
    let diagnosis = match look(host, &own_roots(), time, options, is_announced) {
        Err(failure) if is_plugin => {
            let text = plugin_line(Level::Unknown, &failure.to_string(), "");
            return Ok(Shown { text, status: Some(UNKNOWN_TO_PLUGIN), ..Shown::default() });
        }
        Err(failure) if format == Format::Json && failure.status() != USAGE => {
            return Ok(without_host(&failure, options));
        }
        looked => looked?,
    };
    let conclusion = diagnosis.conclusion();
    let status = if is_plugin { Level::of(conclusion) as u8 } else { status(conclusion) };
    let is_prose = format == Format::Text;
    Ok(Shown { text: render(&diagnosis), is_prose, status: Some(status), ..Shown::default() })
}

/// The object for a program where no host answered: nothing was observed then.
fn without_host(failure: &Failure, options: &Diagnose) -> Shown {
    let why = failure.to_string().lines().next().unwrap_or_default().to_owned();
    let view = View::default();
    let finding = |resource| Finding::new(resource, Judged::Missing(why.clone()), &view, &[]);
    let wanted = RESOURCES.into_iter().filter(|resource| options.wants(resource));
    let findings = wanted.map(finding).collect();
    let (time, end) = (Duration::ZERO, jiff::Timestamp::now());
    let (host_view, silence) = (HostView::default(), Some(why));
    let diagnosis = Diagnosis { findings, view, host_view, age: None, silence, time, end };
    let refusals = vec![failure.to_string()];
    Shown { text: diagnosis.json(), refusals, status: Some(failure.status()), ..Shown::default() }
}

/// The exit status that expresses it.
pub(crate) fn status(conclusion: Conclusion) -> u8 {
    match conclusion {
        Conclusion::Ok => 0,
        Conclusion::Refused => 3,
        Conclusion::Contended => 10,
        Conclusion::SelfLimited => 11,
        Conclusion::Unknown => 12,
    }
}

/// Observes for `time`, or until Ctrl-C, and says so beforehand if that `is_announced`. The host is asked at the
/// beginning, so that it starts to observe as well.
fn look(
    host: &mut Host<'_>,
    roots: &Roots,
    time: Duration,
    options: &Diagnose,
    is_announced: bool,
) -> Result<Diagnosis, Failure> {
    let question = Question::get(&["verdict", "*"]);
    let start = Instant::now();
    let first = Moment::take(roots, start);
    let mut heard = Heard::new(start);
    let mut running = Mean::default();
    match host.ask(&question) {
        // Nothing has been observed yet.
        Err(failure)
            if failure
                .too_soon()
                .is_none_or(|wait| !host.is_patient() && wait > time + PATIENCE) =>
        {
            return Err(failure);
        }
        answer => heard.add(answer, Instant::now()),
    }

    if is_announced {
        announce(time, OBSERVING);
        // Beyond that time, it may wait for verdicts.
        host.announce_wait();
    }
    let is_interrupted = Arc::new(AtomicBool::new(false));
    if host.is_awaited() {
        let (told, most) = (Arc::clone(&is_interrupted), LOOK_EVERY + 2 * host.timeout());
        conclude_on_end_by_signal(move || {
            told.store(true, Ordering::Relaxed);
            std::thread::sleep(most);
        });
    }
    let is_interrupted = || is_interrupted.load(Ordering::Relaxed);
    let mut progress = Progress::new(time, OBSERVING);
    let mut asked = start;
    while let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        if is_interrupted() {
            break;
        }
        progress.show(left);
        // Meanwhile others may want to use the port.
        host.let_go();
        std::thread::sleep(left.min(LOOK_EVERY));
        // This program itself is running while it counts.
        running.add(roots.stat().map(|stat| stat.running.saturating_sub(1)));
        if asked.elapsed() >= ASK_EVERY && time > start.elapsed() + ASK_EVERY / 2 {
            asked = Instant::now();
            heard.add(host.ask(&question), Instant::now());
        }
    }
    drop(progress);

    let last = Moment::take(roots, Instant::now());
    if !is_interrupted() {
        if host.is_awaited() {
            // From here on, it waits for verdicts: whoever ends that wants no conclusion.
            conclude_on_end_by_signal(|| ());
        }
        heard.add(ask_at_the_end(host, &question, start), Instant::now());
    } else if !host.is_patient() {
        heard.add(host.ask(&question), Instant::now());
    }
    let heard = heard.or_failure()?;
    let end = jiff::Timestamp::now();
    let view = first.until(&last, running.get(), page_size());
    let lacking = roots.lacking();
    let wanted = |resource: &&str| options.wants(resource);
    let findings = RESOURCES
        .into_iter()
        .filter(wanted)
        .map(|resource| Finding::new(resource, heard.judged(resource), &view, &lacking))
        .collect();
    let (silence, age) = (heard.silence(), heard.age(Instant::now()));
    let time = start.elapsed();
    Ok(Diagnosis { findings, view, host_view: heard.view, age, silence, time, end })
}

/// Has that done before a signal ends this program. Where the system cannot, the signal ends it without a conclusion.
fn conclude_on_end_by_signal(act: impl FnOnce() + Send + 'static) {
    let _ = on_end_by_signal(act);
}

/// Waits until the host has its verdicts on the time since `start`, or answers at all.
fn ask_at_the_end(
    host: &mut Host<'_>,
    question: &Question,
    start: Instant,
) -> Result<Vec<Line>, Failure> {
    let patience = (!host.is_patient()).then_some(PATIENCE);
    let (end, mut waits) = (Instant::now(), 0);
    loop {
        let answer = host.ask_for_verdicts(question, patience);
        let wait = match &answer {
            Ok(lines) => {
                let left = PATIENCE.saturating_sub(end.elapsed());
                wait_for_news(lines, start)
                    .filter(|wait| waits < NEWS_WAITS_MAX && (host.is_patient() || *wait <= left))
            }
            Err(failure) if failure.too_soon().is_some() => None,
            Err(_) => Some(RETRY_EVERY).filter(|wait| end.elapsed() + *wait <= host.timeout()),
        };
        let Some(wait) = wait else { return answer };
        waits += 1;
        host.sit_out(wait, "waiting for the host");
    }
}

/// How long until a broker asks the host again that answered with what it was told before `start`.
fn wait_for_news(lines: &[Line], start: Instant) -> Option<Duration> {
    let now = Instant::now();
    let dated = DatedReply::new(lines, now);
    // A broker asks at the first question after that time.
    dated.wait(now).filter(|_| dated.is_from_before(start)).map(|wait| wait.max(RETRY_EVERY))
}

/// The mean of a figure that was sampled repeatedly.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, number: Option<u64>) {
        if let Some(number) = number.and_then(|number| u32::try_from(number).ok()) {
            self.sum += f64::from(number);
            self.count += 1.0;
        }
    }

    fn get(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

#[cfg(test)]
mod tests;
