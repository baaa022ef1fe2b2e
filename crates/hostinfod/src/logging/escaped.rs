//! What others choose, such as the names of domains, as the log shows it: no character of it does anything to the terminal
//! of whoever reads the log.

use std::fmt::Debug;

use hostinfo_wire::text::escaped_lines;
use tracing::field::{Field, Value, Visit, display};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Fields of an event: macros of tracing accept no more.
const FIELDS_MAX: usize = 32;

/// A destination of the log that gets `\u{...}` in place of each character that is not printable, in messages and in other
/// fields. Line ends and tabs stay.
pub(super) struct Escaped<L>(pub(super) L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for Escaped<L> {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut values = Values::default();
        event.record(&mut values);
        let Some((first, _)) = values.0.first() else { return };
        let mut fields = [(first, None); FIELDS_MAX];
        for (to, (field, value)) in fields.iter_mut().zip(&values.0) {
            *to = (field, Some(&**value));
        }
        let metadata = event.metadata();
        let fields = metadata.fields().value_set(&fields);
        self.0.on_event(&Event::new(metadata, &fields), context);
    }
}

/// The values of an event.
#[derive(Default)]
struct Values(Vec<(Field, Box<dyn Value>)>);

/// What is no text, such as a number, is recorded as the text that it is shown as.
impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.clone(), Box::new(escaped_lines(value))));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let shown = display(escaped_lines(&format!("{value:?}")));
        self.0.push((field.clone(), Box::new(shown)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged, with the time left out.
    fn logged(log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let layer = super::super::lines(move || to.clone()).without_time();
        let subscriber = tracing_subscriber::registry().with(Escaped(layer));
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn nothing_in_a_log_line_turns_its_direction_hides_or_controls_a_terminal() {
        let name = "web\u{202e}gpj\u{200b}\u{1b}[31m";
        let shown = "web\\u{202e}gpj\\u{200b}\\u{1b}[31m";
        let line = logged(|| tracing::warn!("guest {name} may not ask:\n\tline 2"));
        let expected = format!(" WARN {}: guest {shown} may not ask:\n\tline 2\n", module_path!());
        assert_eq!(line, expected);
        for line in [
            logged(|| tracing::info!(guest = name, "connected")),
            logged(|| tracing::info!(guest = %name, "connected")),
            logged(|| tracing::info!(guest = ?name, "connected")),
        ] {
            assert!(line.contains("gpj") && line.is_ascii() && !line.contains('\u{1b}'), "{line}");
        }
    }

    #[test]
    fn an_event_keeps_its_fields_and_those_that_it_does_not_have() {
        let none: Option<u32> = None;
        let line = logged(|| {
            tracing::info!(
                guest = "é",
                pid = 7,
                left_out = none,
                ready = true,
                "guest {} asks",
                "é"
            );
        });
        let expected =
            format!(" INFO {}: guest é asks guest=\"é\" pid=7 ready=true\n", module_path!());
        assert_eq!(line, expected);
    }
}
