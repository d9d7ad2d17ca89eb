//! Logging: structured lines on standard error, so that standard output belongs to what a command produces.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::{PanicHookInfo, set_hook},
};

use tracing_subscriber::EnvFilter;

use crate::{config::LogFormat, observe};

/// Begins to log, panics too.
///
/// # Errors
/// The filter is not one, or logging was begun before.
pub fn init(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        anyhow::anyhow!("VERBATIM_LOG is not a filter such as info or warn,versioning=debug: {error}")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => {
            subscriber.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    }
    .map_err(|error| anyhow::anyhow!("logging could not begin: {error}"))?;
    set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic as a line like any other, with the id of the request that it happened in.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let id = observe::current_id();
    let location = panic.location().map(tracing::field::display);
    let said = panic.payload_as_str().unwrap_or("it did not say why");
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
    tracing::error!(id, location, said, backtrace, "panicked");
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        panic::{catch_unwind, take_hook},
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_a_line_of_the_log() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        let before = take_hook();
        set_hook(Box::new(log_panic));
        let panicked = tracing::subscriber::with_default(subscriber, || {
            catch_unwind(|| observe::with_id::<()>("the-one", || panic!("of {}", "a kind")))
        });
        set_hook(before);
        assert!(panicked.is_err());
        let line: serde_json::Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
        let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        assert_eq!((field("level"), field("message")), ("ERROR".to_owned(), "panicked".to_owned()));
        assert_eq!((field("said"), field("id")), ("of a kind".to_owned(), "the-one".to_owned()));
        assert!(field("location").contains("telemetry.rs:"), "{line}");
    }
}
