//! The form of the log: one JSON object a line, or lines for people.
//!
//! What is logged is decided where it is logged; nothing personal may be a field of any event.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::settings::LogFormat;

/// Starts logging to the standard error stream. The error is a sentence about the filter, or about a second start.
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), String> {
    // Statements are quoted with their values by the database libraries, frames with theirs by the one for
    // websockets, so these speak up for warnings only.
    let quiet =
        ["sqlx=warn", "sea_orm=warn", "hyper=warn", "tokio_tungstenite=warn", "tungstenite=warn"];
    let mut parsed = EnvFilter::try_new(filter)
        .map_err(|error| format!("The log filter {filter:?} cannot be read: {error}."))?;
    for directive in quiet {
        let target = directive.split('=').next().unwrap_or(directive);
        if !filter.contains(target) {
            parsed = parsed
                .add_directive(directive.parse().map_err(|error| format!("{directive}: {error}"))?);
        }
    }
    let registry = tracing_subscriber::registry().with(parsed);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init()
        }
        LogFormat::Text => registry.with(lines).try_init(),
    };
    started.map_err(|error| format!("Logging cannot be started: {error}."))
}
