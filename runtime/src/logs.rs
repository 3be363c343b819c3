//! Structured logs on standard error.

use std::io;

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::args::{LogArgs, LogFormat};

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The level or a directive is not understood.
    #[error(
        "--log-level `{found}` is not understood: use error, warn, info, debug, trace or directives such as info,kube=warn"
    )]
    Level {
        /// As given.
        found: String,
        /// What the parser says.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logging was started before in this process.
    #[error("logging was started twice")]
    Started(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts logging for the whole process.
///
/// # Errors
/// A level that is not understood, or a second call.
pub fn init(args: &LogArgs) -> Result<(), LogsError> {
    let filter = args
        .log_level
        .parse::<EnvFilter>()
        .map_err(|source| LogsError::Level {
            found: args.log_level.clone(),
            source,
        })?;
    let lines = match args.log_format {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(false)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .json()
            .flatten_event(true)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(LogsError::Started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_level_is_not_understood() {
        let error = init(&LogArgs {
            log_level: "sluice=louder=5".into(),
            log_format: LogFormat::Json,
        })
        .unwrap_err();
        assert!(error.to_string().contains("sluice=louder=5"), "{error}");
    }
}
