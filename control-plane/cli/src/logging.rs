//! Logs: to stderr, from a level or a filter on. `docs/logging.md` says what each level holds.

use tracing_subscriber::EnvFilter;

/// Starts logging. Later calls in the same process change nothing.
pub(crate) fn start(verbose: u8, filter: Option<&str>) -> Result<(), String> {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = filter.filter(|text| !text.trim().is_empty());
    let parsed = EnvFilter::try_new(filter.unwrap_or(level)).map_err(|error| {
        let text = filter.unwrap_or_default();
        format!("{text:?} is no log filter ({error}): use error, warn, info, debug or trace, or warn,spothub_hub=debug")
    })?;
    // A simulation's time is virtual, and the wall's would make equal runs differ.
    let _ = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr).without_time().try_init();
    Ok(())
}
