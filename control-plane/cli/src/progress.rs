//! How far long work is: on a terminal alone.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two turns of what shows that something goes on.
const TURN: Duration = Duration::from_millis(120);

/// A line that is drawn over until the work is done.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// A line on a terminal, or nothing at all.
    pub(crate) fn new(terminal: bool) -> Self {
        if !terminal {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TURN);
        Self(Some(bar))
    }

    /// What is done now, of which nobody knows how long it takes.
    pub(crate) fn say(&self, what: &'static str) {
        self.style("  {spinner} {msg}");
        if let Some(bar) = &self.0 {
            bar.set_message(what);
        }
    }

    /// What is done now, so many times.
    pub(crate) fn count(&self, what: &'static str, of: usize) {
        if let Some(bar) = &self.0 {
            bar.set_position(0);
            bar.set_length(of as u64);
            bar.set_message(what);
        }
        self.style("  {spinner} {bar:32} {pos} of {len} {msg}");
    }

    /// So many of them are done.
    pub(crate) fn at(&self, done: usize) {
        if let Some(bar) = &self.0 {
            bar.set_position(done as u64);
        }
    }

    fn style(&self, template: &'static str) {
        if let (Some(bar), Ok(style)) = (&self.0, ProgressStyle::with_template(template)) {
            bar.set_style(style);
        }
    }

    /// Takes the line away.
    pub(crate) fn end(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}
