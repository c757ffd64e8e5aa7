//! How far a rollout is: a bar on a terminal, lines elsewhere; what failed is told at once in both.

use std::collections::BTreeSet;
use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use spothub_aws::stacks::{Progress, Row, Spot};

/// Places of one operation up to which each gets a line of its own; beyond, they are counted.
const PLACES_TOLD: usize = 100;

/// Where progress is shown.
pub(super) struct Shown<'a> {
    err: &'a mut dyn Write,
    terminal: bool,
    bar: Option<ProgressBar>,
    what: String,
    last: String,
    told: BTreeSet<Spot>,
}

impl<'a> Shown<'a> {
    /// Shows on a terminal, or writes lines.
    pub(super) fn new(err: &'a mut dyn Write, terminal: bool) -> Self {
        Self { err, terminal, bar: None, what: String::new(), last: String::new(), told: BTreeSet::new() }
    }

    /// Something is begun, in so many places.
    pub(super) fn begin(&mut self, what: &str, places: usize) {
        self.end();
        what.clone_into(&mut self.what);
        self.last.clear();
        self.told.clear();
        if self.terminal {
            let bar = ProgressBar::with_draw_target(Some(places.max(1) as u64), ProgressDrawTarget::stderr());
            let template = if places > 0 { "  {bar:16} {pos} of {len}  {msg}" } else { "  {spinner} {msg}" };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(what.to_owned());
            self.bar = Some(bar);
        } else {
            self.line(&format!("{what} ..."));
        }
    }

    /// How it stands, in CloudFormation's words.
    pub(super) fn status(&mut self, status: &str) {
        if status == self.last {
            return;
        }
        status.clone_into(&mut self.last);
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("{}: {status}", self.what));
                bar.tick();
            }
            None => self.line(&format!("  {status}")),
        }
    }

    /// What has come of it in each place so far.
    pub(super) fn rows(&mut self, rows: &[Row]) {
        let ended: Vec<&Row> = rows.iter().filter(|row| row.progress != Progress::Running).collect();
        if let Some(bar) = &self.bar {
            bar.set_length(bar.length().unwrap_or(0).max(rows.len() as u64));
            bar.set_position(ended.len() as u64);
        }
        let each = rows.len() <= PLACES_TOLD && self.bar.is_none();
        let fresh: Vec<&&Row> =
            ended.iter().filter(|row| !self.told.contains(&(row.account, row.region.clone()))).collect();
        let mut lines = Vec::new();
        for row in fresh {
            self.told.insert((row.account, row.region.clone()));
            let place = format!("{} {}", row.account, row.region);
            if row.progress == Progress::Failed {
                lines.push(format!("  {place}: failed: {}", row.reason.as_deref().unwrap_or("it is not said why")));
            } else if each {
                lines.push(format!("  {place}: done"));
            }
        }
        if !each && self.bar.is_none() && !lines.is_empty() {
            lines.push(format!("  {} of {} ended", ended.len(), rows.len()));
        }
        for line in lines {
            self.line(&line);
        }
    }

    /// A line of its own.
    pub(super) fn line(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| {
                let _ = writeln!(self.err, "{text}");
            }),
            None => {
                let _ = writeln!(self.err, "{text}");
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(account: &str, progress: Progress) -> Row {
        let (account, region) = (account.parse().unwrap(), "eu-west-1".parse().unwrap());
        Row { account, region, progress, reason: (progress == Progress::Failed).then(|| "full".to_owned()) }
    }

    #[test]
    fn lines_tell_each_place_once() {
        let mut err = Vec::new();
        let mut shown = Shown::new(&mut err, false);
        shown.begin("deploying x", 2);
        shown.status("RUNNING");
        shown.status("RUNNING");
        shown.rows(&[row("000000000001", Progress::Succeeded), row("000000000002", Progress::Running)]);
        shown.rows(&[row("000000000001", Progress::Succeeded), row("000000000002", Progress::Failed)]);
        shown.end();
        let expected = "deploying x ...\n  RUNNING\n  000000000001 eu-west-1: done\n  \
                        000000000002 eu-west-1: failed: full\n";
        assert_eq!(String::from_utf8(err).unwrap(), expected);
    }
}
