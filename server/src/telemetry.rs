//! Logging: structured lines on standard error, so that standard output belongs to what a command produces.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Begins to log.
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
    .map_err(|error| anyhow::anyhow!("logging could not begin: {error}"))
}
