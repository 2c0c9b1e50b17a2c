//! Logs, on standard error: standard output belongs to the answers of the command line.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("log.level is `{filter}`, which is neither a level (error, warn, info, debug, trace) nor a list of directives: {source}")]
    Filter {
        filter: String,
        #[source]
        source: ParseError,
    },
    #[error("logging was set up before")]
    AlreadySetUp(#[source] TryInitError),
}

/// Starts logging for the whole process: one JSON object a line, or text that is coloured on a terminal alone.
///
/// # Errors
/// When `filter` is not understood, or when it is called twice.
pub fn init(json: bool, filter: &str) -> Result<(), LoggingError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    let builder = tracing_subscriber::fmt().with_env_filter(parse(filter)?).with_writer(std::io::stderr);
    let done = if json {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish().try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).finish().try_init()
    };
    done.map_err(LoggingError::AlreadySetUp)
}

fn parse(filter: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::builder().parse(filter).map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_understood() {
        for filter in ["info", "WARN", "info,posthaste=debug"] {
            assert!(parse(filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn a_filter_that_is_not_understood_is_named() {
        let text = parse("posthaste=loud").expect_err("not a level").to_string();
        assert!(text.contains("`posthaste=loud`") && text.contains("log.level"), "{text}");
    }
}
