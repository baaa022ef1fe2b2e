//! Changes in watched directories, which are read in pieces and not without end: whoever may write there can change them
//! all the time, as a VMM may that was taken over.

use hostinfo_answer::{Bound, Dialect};

use super::Guests;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::sockets::pattern_dir::PatternDir;
use crate::system::watch::Watcher;

/// Pieces that are read of all directories together. The burst is more than the kernel keeps of one directory, 16,384
/// changes: no host that starts all its guests at once waits for it. After that each waits 10 ms at the least.
const READINGS: Bound = Bound { per_second: 100, burst: 64 };

impl Guests {
    /// Something that is watched has changed.
    pub(crate) fn take_changes(&mut self, watch: Token, ctx: &mut Ctx<'_>) {
        // A place that was removed by an event of the same round has nothing to read, which would count.
        if self.watcher(watch).is_none() {
            return;
        }
        match watch {
            Token::Rules => self.take_rules_changes(ctx.now),
            Token::Sockets(dialect) => self.take_directory_changes(dialect, ctx),
            Token::Pattern(pattern) => self.take_pattern_changes(pattern, ctx),
            Token::Section(section) => self.take_section_changes(section, ctx),
            _ => {}
        }
        self.readings.take(1, READINGS, ctx.now);
        let pause = self.readings.wait(1, READINGS, ctx.now);
        if !pause.is_zero() {
            self.wait_for_changes(watch, Interest::None, ctx);
            ctx.reactor.set_alarm(Alarm::Watches, Some(ctx.now + pause));
        }
    }

    /// Reads on after a pause.
    pub(crate) fn go_on_watching(&self, ctx: &Ctx<'_>) {
        let directories = Dialect::ALL.map(Token::Sockets);
        let patterns = self.patterns.dirs.iter().map(|(id, _)| Token::Pattern(id));
        let sections = self.sections.iter().map(|(id, _)| Token::Section(id));
        for watch in directories.into_iter().chain([Token::Rules]).chain(patterns).chain(sections) {
            self.wait_for_changes(watch, Interest::Read, ctx);
        }
    }

    /// Waits for changes from now on, or for none. A place that is removed is not waited for any more: threads that look at it
    /// may keep its descriptor open.
    pub(super) fn wait_for_changes(&self, watch: Token, interest: Interest, ctx: &Ctx<'_>) {
        let Some(watcher) = self.watcher(watch) else { return };
        if let Err(error) = ctx.reactor.modify(watcher, watch, interest) {
            tracing::error!("cannot wait for changes in watched directories: {error}");
        }
    }

    fn watcher(&self, watch: Token) -> Option<&Watcher> {
        match watch {
            Token::Rules => Some(self.rules.watcher()),
            Token::Sockets(dialect) => Some(self.directories.of(dialect).watcher()),
            Token::Pattern(pattern) => self.patterns.dirs.get(pattern).map(PatternDir::watcher),
            Token::Section(section) => {
                self.sections.get(section).map(|section| section.place.watcher())
            }
            _ => None,
        }
    }
}
