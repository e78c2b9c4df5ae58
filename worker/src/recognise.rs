//! Recognising: page after page through the box, one result object for the shard.

use pagemill_domain::outcome::{Fault, PageReport, PageResult};
use pagemill_domain::page::PageSummary;
use pagemill_domain::scan::PageDefect;
use pagemill_domain::shard::PagesOfSource;
use pagemill_recognition::boxed::client::BoxError;
use pagemill_recognition::reader::Reading;

use crate::WorkerError;
use crate::page_source::{OpenSource, open};
use crate::results::{Part, ResultObject};
use crate::slot::Bench;

/// A page's result that may still wait for the name of its result object.
enum Pending {
    Recognised(Part, PageSummary),
    Done(PageResult),
}

/// Reads the pages of a shard; those that a stopping worker does not come to have no entry.
pub(crate) fn recognise(bench: &mut Bench, groups: &[PagesOfSource]) -> Result<Vec<PageReport>, WorkerError> {
    let mut object = ResultObject::default();
    let mut pending = Vec::new();
    for group in groups {
        let id = group.source.id;
        match open(bench, &group.source) {
            Ok(source) => {
                for &number in &group.pages {
                    if bench.is_stopping() {
                        break;
                    }
                    pending.push((id, number, read(bench, &source, number, group.degraded, &mut object)?));
                }
            }
            Err(unusable) => {
                let result = unusable.into_page_result();
                pending.extend(group.pages.iter().map(|&number| (id, number, Pending::Done(result.clone()))));
            }
        }
    }
    let blob = match object.into_bytes() {
        Some(bytes) => Some(bench.wait(bench.blobs.put_result(bytes))?),
        None => None,
    };
    let reports = pending.into_iter().map(|(source, number, pending)| {
        let result = match (pending, blob) {
            (Pending::Done(result), _) => result,
            (Pending::Recognised(part, summary), Some(blob)) => {
                PageResult::Recognised { result: part.of(blob), summary }
            }
            // A part was added, so the object is not empty.
            (Pending::Recognised(..), None) => return Err(WorkerError::SlotStopped),
        };
        Ok(PageReport { source, number, result })
    });
    reports.collect()
}

fn read(
    bench: &mut Bench,
    source: &OpenSource,
    number: u32,
    degraded: bool,
    object: &mut ResultObject,
) -> Result<Pending, WorkerError> {
    let answered = bench.client()?.read(&source.boxed, number, degraded);
    bench.spend(answered.cost);
    let done = match answered.result {
        Ok(reading) if reading.blank => PageResult::Blank { summary: summary(&reading, degraded) },
        Ok(reading) => {
            let part = object.add(&reading.text).map_err(WorkerError::Encode)?;
            return Ok(Pending::Recognised(part, summary(&reading, degraded)));
        }
        Err(BoxError::Rejected(rejection)) => PageResult::Defect(PageDefect::Damaged(rejection.to_string())),
        Err(BoxError::Defect(defect)) => PageResult::Defect(defect),
        Err(BoxError::Fault(fault)) => {
            log_fault(source, number, &fault);
            PageResult::Fault(fault)
        }
        Err(BoxError::Loss(loss)) => PageResult::Lost(loss),
    };
    Ok(Pending::Done(done))
}

fn log_fault(source: &OpenSource, number: u32, fault: &Fault) {
    tracing::warn!(page = number, source_bytes = source.boxed.bytes(), code = fault.code(), "a page failed");
}

fn summary(reading: &Reading, degraded: bool) -> PageSummary {
    let text = &reading.text;
    let stages = &reading.stages;
    PageSummary {
        confidence: text.mean_confidence(),
        worst_confidence: text.worst_region_confidence(),
        words: text.words().count() as u32,
        suspect_words: text.words().filter(|word| word.suspect).count() as u32,
        turn: text.turn,
        skew_millidegrees: text.skew_millidegrees,
        degraded,
        cpu_ms: vec![
            ("prepare".into(), stages.prepare_ms),
            ("orientation".into(), stages.orientation_ms),
            ("layout".into(), stages.layout_ms),
            ("recognise".into(), stages.recognise_ms),
        ],
    }
}
