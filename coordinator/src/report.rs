//! The report of a job: its ledger, what was rejected, what has gaps, what was exceptional, and every page.
//!
//! What is here depends on the sources, the recipe and what happened to them, not on when or where: two runs of the
//! same job can be compared. `docs/formats.md` describes the files.

use std::io::Write;
use std::sync::Arc;

use pagemill_backends::store::{DocumentRow, PageCursor, PageRow, SourceRow, Store};
use pagemill_domain::ids::JobId;
use pagemill_domain::ledger::Ledger;
use pagemill_domain::page::PageState;
use pagemill_domain::page_text::Confidence;
use pagemill_domain::paper::PaperSize;
use pagemill_domain::scan::DpiRule;
use serde::Serialize;

use crate::{Coordinator, CoordinatorError};

/// Entries of each list in the report; what is beyond is counted in `…_omitted` and found in the list of pages.
const LIST_ENTRIES_MAX: usize = 10_000;

/// Rows that are read from the store at once.
const ROWS_PER_READ: u32 = 1_000;

/// The part of a report that two runs of the same job share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LedgerReport {
    /// The counts.
    #[serde(flatten)]
    pub counts: Ledger,
    /// Whether both equations hold.
    pub balanced: bool,
    /// A4 equivalents of all pages.
    pub a4_equivalents: u64,
    /// Pages of a coarser resolution than the recipe's `dpi_min`.
    pub pages_below_dpi_min: u64,
    /// Pages whose resolution was missing or absurd and was found by a rule.
    pub pages_dpi_assumed: u64,
    /// Sources that were refused, and why.
    pub rejected: Vec<RejectedSource>,
    /// Rejected sources that the list leaves out.
    pub rejected_omitted: u64,
    /// Pages without text or image in their document, and why.
    pub gaps: Vec<PageGap>,
    /// Gaps that the list leaves out.
    pub gaps_omitted: u64,
    /// What a person should know of though it was delivered.
    pub exceptions: Vec<Exception>,
    /// Exceptions that the list leaves out.
    pub exceptions_omitted: u64,
}

/// A source that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedSource {
    /// Its path.
    pub path: String,
    /// The stable code that `docs/errors.md` explains.
    pub code: &'static str,
    /// The reason in words.
    pub reason: String,
}

/// A page without text or image in its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageGap {
    /// Its document.
    pub document: Option<String>,
    /// Its source's path.
    pub path: String,
    /// Its number there, from 1.
    pub page: u32,
    /// The stable code that `docs/errors.md` explains.
    pub code: String,
    /// The reason in words.
    pub reason: String,
}

/// Something that was delivered, but not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// The document or source.
    pub path: String,
    /// The page, where it concerns one.
    pub page: Option<u32>,
    /// What is exceptional.
    pub what: String,
}

/// One line of the list of pages.
#[derive(Debug, Clone, Serialize)]
struct PageLine<'a> {
    path: &'a str,
    page: u32,
    document: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    width: u32,
    height: u32,
    dpi: (f64, f64),
    dpi_rule: DpiRule,
    below_dpi_min: bool,
    paper: PaperSize,
    a4_equivalents: u64,
    faults: u32,
    losses: u32,
    confidence: Option<u8>,
    worst_confidence: Option<u8>,
    words: Option<u32>,
    suspect_words: Option<u32>,
    turn_degrees: Option<u32>,
    skew_degrees: Option<f64>,
    degraded: bool,
    cpu_ms: std::collections::BTreeMap<&'a str, u32>,
}

impl Coordinator {
    /// Builds the report of a job and writes a line of JSON for each of its pages to `pages`.
    pub async fn report(
        &self,
        job: JobId,
        dpi_min: u32,
        pages: &mut (dyn Write + Send),
    ) -> Result<LedgerReport, CoordinatorError> {
        let mut report = self.begin_report(job, dpi_min).await?;
        while let Some(lines) = report.next_pages().await? {
            pages.write_all(&lines)?;
        }
        report.finish().await
    }

    /// A report that is built piece by piece, however many pages there are.
    pub(crate) async fn begin_report(
        &self,
        job: JobId,
        dpi_min: u32,
    ) -> Result<ReportBuilder, CoordinatorError> {
        let store = self.backends.store.clone();
        let ledger = store.status(job).await?.ledger;
        let balanced = ledger.balance().is_ok();
        let report = LedgerReport { counts: ledger, balanced, ..LedgerReport::default() };
        Ok(ReportBuilder { store, job, dpi_min, report, cursor: PageCursor::default() })
    }
}

/// A report on its way.
pub(crate) struct ReportBuilder {
    store: Arc<dyn Store>,
    job: JobId,
    dpi_min: u32,
    report: LedgerReport,
    cursor: PageCursor,
}

impl ReportBuilder {
    /// The lines of the next pages; `None` after the last.
    pub(crate) async fn next_pages(&mut self) -> Result<Option<Vec<u8>>, CoordinatorError> {
        let rows = self.store.list_pages(self.job, None, self.cursor, ROWS_PER_READ).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.cursor = PageCursor { source: last.source, number: last.number };
        let mut lines = Vec::new();
        for row in &rows {
            self.report.add_page(row, self.dpi_min);
            serde_json::to_writer(&mut lines, &page_line(row, self.dpi_min)).map_err(std::io::Error::from)?;
            lines.push(b'\n');
        }
        Ok(Some(lines))
    }

    /// The ledger, once all pages were taken.
    pub(crate) async fn finish(mut self) -> Result<LedgerReport, CoordinatorError> {
        add_sources(&*self.store, self.job, &mut self.report).await?;
        add_documents(&*self.store, self.job, &mut self.report).await?;
        Ok(self.report)
    }
}

async fn add_sources(
    store: &dyn Store,
    job: JobId,
    report: &mut LedgerReport,
) -> Result<(), CoordinatorError> {
    let mut after = 0;
    loop {
        let rows = store.list_sources(job, after, ROWS_PER_READ).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        for row in &rows {
            report.add_source(row);
        }
    }
}

async fn add_documents(
    store: &dyn Store,
    job: JobId,
    report: &mut LedgerReport,
) -> Result<(), CoordinatorError> {
    let mut after = 0;
    loop {
        let rows = store.list_documents(job, after, ROWS_PER_READ).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id.0;
        for row in &rows {
            report.add_document(row);
        }
    }
}

impl LedgerReport {
    /// The report as JSON of at most `bytes_max`: the longest list is cut and counted in its `…_omitted` until it fits.
    pub(crate) fn shortened(mut self, bytes_max: usize) -> Result<String, serde_json::Error> {
        loop {
            let json = serde_json::to_string(&self)?;
            let longest = self.rejected.len().max(self.gaps.len()).max(self.exceptions.len());
            if json.len() <= bytes_max || longest == 0 {
                return Ok(json);
            }
            let kept_max = longest / 2;
            cut(&mut self.rejected, &mut self.rejected_omitted, kept_max);
            cut(&mut self.gaps, &mut self.gaps_omitted, kept_max);
            cut(&mut self.exceptions, &mut self.exceptions_omitted, kept_max);
        }
    }

    fn add_page(&mut self, row: &PageRow, dpi_min: u32) {
        self.a4_equivalents += PaperSize::of_page(row.width, row.height, row.dpi).a4_equivalents();
        self.pages_below_dpi_min += u64::from(row.dpi.coarser() < dpi_min);
        self.pages_dpi_assumed += u64::from(row.dpi_rule != DpiRule::Declared);
        if row.state == PageState::Dead {
            let gap = PageGap {
                document: row.document.clone(),
                path: row.path.clone(),
                page: row.number,
                code: row.reason.clone().unwrap_or_default(),
                reason: row.detail.clone().unwrap_or_default(),
            };
            push_bounded(&mut self.gaps, &mut self.gaps_omitted, gap);
        }
        if row.summary.as_ref().is_some_and(|summary| summary.degraded) {
            self.add_exception(
                &row.path,
                Some(row.number),
                "read with the degraded recipe after repeated faults",
            );
        }
    }

    fn add_source(&mut self, row: &SourceRow) {
        if row.signed {
            self.add_exception(&row.path, None, "signed: delivered as it was");
        }
        if let Some(rejection) = &row.rejection {
            let rejected = RejectedSource {
                path: row.path.clone(),
                code: rejection.code(),
                reason: rejection.to_string(),
            };
            push_bounded(&mut self.rejected, &mut self.rejected_omitted, rejected);
        }
    }

    fn add_document(&mut self, row: &DocumentRow) {
        if row.failed {
            self.add_exception(
                &row.name,
                None,
                "could not be assembled: its source is gone or changed, or it was tried losses_max times",
            );
        }
        for gap in &row.gaps {
            let what = format!("a placeholder stands for the image: {}", gap.reason);
            self.add_exception(&row.name, Some(gap.number), &what);
        }
    }

    fn add_exception(&mut self, path: &str, page: Option<u32>, what: &str) {
        let exception = Exception { path: path.into(), page, what: what.into() };
        push_bounded(&mut self.exceptions, &mut self.exceptions_omitted, exception);
    }
}

fn cut<T>(list: &mut Vec<T>, omitted: &mut u64, kept_max: usize) {
    *omitted += list.len().saturating_sub(kept_max) as u64;
    list.truncate(kept_max);
}

fn push_bounded<T>(list: &mut Vec<T>, omitted: &mut u64, entry: T) {
    if list.len() < LIST_ENTRIES_MAX {
        list.push(entry);
    } else {
        *omitted += 1;
    }
}

fn page_line(row: &PageRow, dpi_min: u32) -> PageLine<'_> {
    let summary = row.summary.as_ref();
    let paper = PaperSize::of_page(row.width, row.height, row.dpi);
    PageLine {
        path: &row.path,
        page: row.number,
        document: row.document.as_deref(),
        outcome: row.state.name(),
        code: row.reason.as_deref(),
        reason: row.detail.as_deref(),
        width: row.width,
        height: row.height,
        dpi: (row.dpi.x(), row.dpi.y()),
        dpi_rule: row.dpi_rule,
        below_dpi_min: row.dpi.coarser() < dpi_min,
        paper,
        a4_equivalents: paper.a4_equivalents(),
        faults: row.faults,
        losses: row.losses,
        confidence: summary.and_then(|summary| summary.confidence).map(Confidence::percent),
        worst_confidence: summary.and_then(|summary| summary.worst_confidence).map(Confidence::percent),
        words: summary.map(|summary| summary.words),
        suspect_words: summary.map(|summary| summary.suspect_words),
        turn_degrees: summary.map(|summary| summary.turn.degrees()),
        skew_degrees: summary.map(|summary| f64::from(summary.skew_millidegrees) / 1000.0),
        degraded: summary.is_some_and(|summary| summary.degraded),
        cpu_ms: summary.map_or_else(Default::default, |summary| {
            summary.cpu_ms.iter().map(|(step, ms)| (step.as_str(), *ms)).collect()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_report_is_cut_and_says_so() {
        let mut report = LedgerReport::default();
        for page in 0..100 {
            report.add_exception("a.tif", Some(page), "degraded");
        }
        let whole = report.clone().shortened(1 << 20).unwrap();
        assert_eq!(whole, serde_json::to_string(&report).unwrap());
        let short = report.shortened(2_000).unwrap();
        assert!(short.len() <= 2_000);
        let short: serde_json::Value = serde_json::from_str(&short).unwrap();
        let kept = short["exceptions"].as_array().unwrap().len() as u64;
        assert_eq!(kept + short["exceptions_omitted"].as_u64().unwrap(), 100);
    }
}
