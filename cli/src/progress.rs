//! What a run shows while it works: bars on a terminal, plain lines elsewhere, JSON lines for machines.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use pagemill_domain::ledger::Ledger;
use serde_json::json;

/// How often the figures are looked up.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// Seconds between plain lines: a log of a ten-hour run stays readable.
const LINE_SECONDS: u64 = 10;

/// Shows how far a run is.
pub(crate) struct Progress {
    display: Display,
    pace: Pace,
    shown: Option<(u64, Ledger)>,
}

enum Display {
    Bars { sources: ProgressBar, pages: ProgressBar, documents: ProgressBar },
    Lines,
    Json,
}

impl Progress {
    /// The display that fits: JSON lines where they are asked for, bars where standard error is a terminal.
    pub(crate) fn new(json: bool) -> Self {
        let display = if json {
            Display::Json
        } else if std::io::stderr().is_terminal() {
            bars()
        } else {
            Display::Lines
        };
        Self { display, pace: Pace::default(), shown: None }
    }

    /// Shows the counts of a run that has worked for `elapsed`.
    pub(crate) fn update(&mut self, ledger: &Ledger, elapsed: Duration) {
        self.pace.observe(elapsed, ledger.pages.terminal());
        let rate = self.pace.pages_per_second();
        let eta = self.pace.eta_seconds(ledger);
        match &self.display {
            Display::Bars { sources, pages, documents } => {
                set(sources, ledger.sources.terminal(), ledger.sources.submitted);
                set(pages, ledger.pages.terminal(), ledger.pages.declared);
                set(documents, ledger.documents.terminal(), ledger.documents.arranged);
                pages.set_message(pages_message(ledger, rate, eta));
            }
            Display::Lines => {
                if self.is_due(ledger, elapsed, LINE_SECONDS) {
                    print_line(&line(ledger, rate, eta));
                }
            }
            Display::Json => {
                if self.is_due(ledger, elapsed, 1) {
                    print_json(&json!({
                        "event": "progress", "sources": ledger.sources, "pages": ledger.pages,
                        "documents": ledger.documents, "pages_per_second": rate, "eta_seconds": eta,
                        "elapsed_seconds": elapsed.as_secs(),
                    }));
                }
            }
        }
    }

    /// Shows the last counts, however short ago the line before was, and takes the bars away.
    pub(crate) fn finish(&mut self, ledger: &Ledger, elapsed: Duration) {
        self.shown = None;
        self.update(ledger, elapsed);
        if let Display::Bars { sources, pages, documents } = &self.display {
            [sources, pages, documents].into_iter().for_each(ProgressBar::finish_and_clear);
        }
    }

    /// Whether something new is to be said, and the last word is old enough.
    fn is_due(&mut self, ledger: &Ledger, elapsed: Duration, seconds: u64) -> bool {
        let now = elapsed.as_secs();
        let due = match &self.shown {
            None => ledger.sources.submitted > 0,
            Some((when, before)) => now >= when + seconds && before != ledger,
        };
        if due {
            self.shown = Some((now, *ledger));
        }
        due
    }

    /// Says something beside the figures: a note for people, or an event of its own.
    pub(crate) fn note(&self, text: &str) {
        match &self.display {
            Display::Bars { pages, .. } => pages.suspend(|| print_line(text)),
            Display::Lines => print_line(text),
            Display::Json => print_json(&json!({"event": "note", "message": text})),
        }
    }
}

fn bars() -> Display {
    let bars = MultiProgress::new();
    let bar = |name: &'static str, template: &str| {
        // The template is a constant that the tests parse.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bars.add(ProgressBar::new(0).with_style(style).with_prefix(name))
    };
    Display::Bars {
        sources: bar("sources", BAR),
        pages: bar("pages", BAR_WITH_MESSAGE),
        documents: bar("documents", BAR),
    }
}

const BAR: &str = "{prefix:>9} {bar:30} {pos}/{len}";
const BAR_WITH_MESSAGE: &str = "{prefix:>9} {bar:30} {pos}/{len}  {msg}";

fn set(bar: &ProgressBar, position: u64, length: u64) {
    bar.set_length(length);
    bar.set_position(position);
}

fn line(ledger: &Ledger, rate: f64, eta: Option<u64>) -> String {
    let (sources, pages, documents) = (&ledger.sources, &ledger.pages, &ledger.documents);
    format!(
        "sources {}/{}  pages {}/{}  documents {}/{}  {}",
        sources.terminal(),
        sources.submitted,
        pages.terminal(),
        pages.declared,
        documents.terminal(),
        documents.arranged,
        pages_message(ledger, rate, eta)
    )
}

fn pages_message(ledger: &Ledger, rate: f64, eta: Option<u64>) -> String {
    let mut parts = Vec::new();
    if rate > 0.0 {
        parts.push(format!("{rate:.2} pages/s"));
    }
    match eta {
        Some(0) => {}
        Some(seconds) => parts.push(format!("ETA {}", HumanDuration(Duration::from_secs(seconds)))),
        None => parts.push("ETA unknown".into()),
    }
    parts.push(format!("dead {}", ledger.pages.dead));
    if ledger.sources.rejected > 0 {
        parts.push(format!("rejected {}", ledger.sources.rejected));
    }
    parts.join("  ")
}

/// Pages per second over the last minute: a change of pages shows, a single slow one doesn't.
#[derive(Debug, Default)]
struct Pace {
    /// Elapsed seconds and pages done, oldest first.
    samples: VecDeque<(f64, u64)>,
}

impl Pace {
    const WINDOW_SECONDS: f64 = 60.0;

    fn observe(&mut self, elapsed: Duration, pages: u64) {
        let now = elapsed.as_secs_f64();
        self.samples.push_back((now, pages));
        while self.samples.front().is_some_and(|(when, _)| now - when > Self::WINDOW_SECONDS) {
            self.samples.pop_front();
        }
    }

    fn pages_per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return 0.0;
        };
        let seconds = last.0 - first.0;
        if seconds > 0.0 { last.1.saturating_sub(first.1) as f64 / seconds } else { 0.0 }
    }

    /// Seconds to the last page; unknown while nothing is measured, or while sources may still declare more pages.
    fn eta_seconds(&self, ledger: &Ledger) -> Option<u64> {
        let pages = ledger.pages.declared.saturating_sub(ledger.pages.terminal());
        let rate = self.pages_per_second();
        let all_declared = ledger.sources.terminal() == ledger.sources.submitted;
        (all_declared && (rate > 0.0 || pages == 0))
            .then(|| if pages == 0 { 0 } else { (pages as f64 / rate).ceil() as u64 })
    }
}

/// Writes a line of a command's result, for people, to standard output. A reader that went away stops no run.
pub(crate) fn print_result(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

/// Writes a line for people to standard error. A reader that went away stops no run.
pub(crate) fn print_line(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// Writes a line for machines to standard output. A reader that went away stops no run.
pub(crate) fn print_json(line: &serde_json::Value) {
    writeln!(std::io::stdout(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use pagemill_domain::ledger::{PageCounts, SourceCounts};

    use super::*;

    fn ledger(inspected: u64, recognised: u64) -> Ledger {
        Ledger {
            sources: SourceCounts { submitted: 10, inspected, ..SourceCounts::default() },
            pages: PageCounts { declared: 100, recognised, dead: 1, ..PageCounts::default() },
            ..Ledger::default()
        }
    }

    #[test]
    fn the_templates_of_the_bars_are_valid() {
        for template in [BAR, BAR_WITH_MESSAGE] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn the_end_is_told_once_all_pages_are_known() {
        let mut pace = Pace::default();
        pace.observe(Duration::from_secs(0), 1);
        assert_eq!(pace.eta_seconds(&ledger(10, 0)), None);
        pace.observe(Duration::from_secs(10), 21);
        assert!((pace.pages_per_second() - 2.0).abs() < 1e-9);
        assert_eq!(pace.eta_seconds(&ledger(9, 20)), None);
        assert_eq!(pace.eta_seconds(&ledger(10, 20)), Some(40));
        assert_eq!(pace.eta_seconds(&ledger(10, 99)), Some(0));
    }

    #[test]
    fn only_the_last_minute_counts() {
        let mut pace = Pace::default();
        for (second, pages) in [(0, 0), (30, 300), (100, 310), (130, 340)] {
            pace.observe(Duration::from_secs(second), pages);
        }
        assert!((pace.pages_per_second() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_line_comes_at_the_start_and_then_only_with_news() {
        let mut progress = Progress { display: Display::Lines, pace: Pace::default(), shown: None };
        let mut due = |second, ledger| progress.is_due(&ledger, Duration::from_secs(second), LINE_SECONDS);
        assert!(!due(0, Ledger::default()));
        assert!(due(0, ledger(1, 0)));
        assert!(!due(5, ledger(2, 1)));
        assert!(due(10, ledger(2, 1)));
        assert!(!due(30, ledger(2, 1)));
    }

    #[test]
    fn a_line_says_how_far_the_run_is() {
        assert_eq!(
            line(&ledger(10, 49), 2.0, Some(25)),
            "sources 10/10  pages 50/100  documents 0/0  2.00 pages/s  ETA 25 seconds  dead 1"
        );
    }
}
