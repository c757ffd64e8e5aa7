//! Logs: to stderr, from a level or a filter on. `docs/logging.md` says what each level holds.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// How often `-v` was given.
    pub(crate) verbose: u8,
    /// Which messages, by module.
    pub(crate) filter: Option<&'a str>,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lines {
    /// For people, without the time: a simulation's time is virtual, and the wall's would make equal runs differ.
    Timeless,
    /// For people, with the time in UTC.
    #[cfg(feature = "aws")]
    Text,
    /// One object with the time in UTC, and every field beside the message.
    #[cfg(feature = "aws")]
    Json,
}

/// Starts logging. Later calls in the same process change nothing.
pub(crate) fn start(wanted: &Wanted<'_>, lines: Lines) -> Result<(), String> {
    let level = match wanted.verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = wanted.filter.filter(|text| !text.trim().is_empty());
    // -v is about spothub: what libraries say at these levels may hold requests in full, user data included.
    let ours = format!("warn,spothub={level}");
    let parsed = EnvFilter::try_new(filter.unwrap_or(&ours)).map_err(|error| {
        let text = filter.unwrap_or_default();
        format!("{text:?} is no log filter ({error}): use error, warn, info, debug or trace, or warn,spothub_hub=debug")
    })?;
    // Colors are for terminals; what collects logs would keep their codes.
    let logs = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let _ = match lines {
        Lines::Timeless => logs.without_time().try_init(),
        #[cfg(feature = "aws")]
        Lines::Text => logs.try_init(),
        #[cfg(feature = "aws")]
        Lines::Json => logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    Ok(())
}
