//! Tells whoever waits at the terminal how far a bulk load is. Writes to standard error only, and never a value of a row.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How far a load is, on standard error: a bar on a terminal, else a line every few seconds.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    expected: u64,
    done: u64,
    started: Instant,
    told: Instant,
}

impl Progress {
    const EVERY: Duration = Duration::from_secs(5);

    /// A load of about `expected` rows begins.
    pub(super) fn new(expected: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{bar:40} {human_pos}/{human_len} rows  {per_sec}  {eta} left",
            )
            .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(expected).with_style(style)
        });
        let now = Instant::now();
        Self { bar, expected, done: 0, started: now, told: now }
    }

    /// A load of which nobody waits to hear.
    pub(super) fn silent() -> Self {
        let now = Instant::now();
        Self { bar: Some(ProgressBar::hidden()), expected: 0, done: 0, started: now, told: now }
    }

    /// Counts rows.
    pub(super) fn add(&mut self, rows: u64) {
        self.done += rows;
        match &self.bar {
            Some(bar) => bar.set_position(self.done),
            None if self.told.elapsed() >= Self::EVERY => {
                self.told = Instant::now();
                eprintln!("{}", self.line());
            }
            None => {}
        }
    }

    fn line(&self) -> String {
        let seconds = self.started.elapsed().as_secs().max(1);
        format!(
            "{} of about {} rows, {} rows a second",
            self.done,
            self.expected.max(self.done),
            self.done / seconds
        )
    }

    /// Tells what is being done instead of rows.
    pub(super) fn say(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.println(what),
            None if self.started.elapsed() >= Self::EVERY => eprintln!("{what}"),
            None => {}
        }
    }

    /// Ends the telling.
    pub(super) fn finish(&self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None if self.started.elapsed() >= Self::EVERY => eprintln!("{}", self.line()),
            None => {}
        }
    }
}
