//! Recognising: page after page through the box, one result object for the shard.

use pagemill_domain::ids::SourceId;
use pagemill_domain::outcome::{Fault, Loss, PageReport, PageResult};
use pagemill_domain::page::PageSummary;
use pagemill_domain::scan::PageDefect;
use pagemill_domain::shard::{PagesOfSource, SourceLocation, SourceRef};
use pagemill_recognition::boxed::client::BoxError;
use pagemill_recognition::reader::Reading;

use crate::WorkerError;
use crate::error::Halt;
use crate::page_source::{OpenSource, open, open_pages};
use crate::results::{Part, ResultObject};
use crate::slot::Bench;

/// A page's result that may still wait for the name of its result object.
enum Pending {
    Recognised(Part, PageSummary),
    Done(PageResult),
}

/// Reads the pages of a shard; those that a stopping worker does not come to have no entry.
pub(crate) fn recognise(bench: &mut Bench, groups: &[PagesOfSource]) -> Result<Vec<PageReport>, Halt> {
    let mut object = ResultObject::default();
    let mut pending = Vec::new();
    for group in groups {
        let id = group.source.id;
        if must_stop(bench, &pending)? {
            break;
        }
        match open_pages(bench, &group.source, &group.pages)? {
            Ok(mut source) => {
                for &number in &group.pages {
                    if must_stop(bench, &pending)? {
                        break;
                    }
                    let span = tracing::info_span!("page", source = id.0, page = number);
                    let done =
                        span.in_scope(|| read_surely(bench, &mut source, group, number, &mut object))?;
                    if matches!(done, Pending::Recognised(..)) {
                        draw(bench, &source, &debug_name(&group.source, number), number, group.degraded)?;
                    }
                    pending.push((id, number, done));
                }
            }
            // Whoever stops does not wait for a blob store that is away: another will.
            Err(_) if bench.is_stopping() => break,
            Err(unusable) => {
                let result = unusable.into_page_result();
                pending.extend(group.pages.iter().map(|&number| (id, number, Pending::Done(result.clone()))));
            }
        }
    }
    let blob = match object.into_bytes() {
        Some(bytes) => Some(bench.persist(|| bench.blobs().put_result(bytes.clone()))?),
        None => None,
    };
    let reports = pending.into_iter().map(|(source, number, pending)| {
        let result = match (pending, blob) {
            (Pending::Done(result), _) => result,
            (Pending::Recognised(part, summary), Some(blob)) => {
                PageResult::Recognised { result: part.of(blob), summary }
            }
            // A part was added, so the object is not empty.
            (Pending::Recognised(..), None) => return Err(WorkerError::SlotStopped.into()),
        };
        Ok(PageReport { source, number, result })
    });
    reports.collect()
}

/// Whether the rest of the shard is handed back: the worker stops, or the shard takes too long. It makes some way in
/// any case.
fn must_stop(bench: &Bench, pending: &[(SourceId, u32, Pending)]) -> Result<bool, Halt> {
    bench.check_wanted()?;
    Ok(bench.is_stopping() || (bench.is_out_of_time() && !pending.is_empty()))
}

/// The reports of pages that nothing could be done for.
pub(crate) fn lost(groups: &[PagesOfSource], loss: &Loss) -> Vec<PageReport> {
    let pages = groups.iter().flat_map(|group| group.pages.iter().map(|&number| (group.source.id, number)));
    let report = |(source, number)| PageReport { source, number, result: PageResult::Lost(loss.clone()) };
    pages.map(report).collect()
}

/// Reads a page; where a source of which only pages are here does not do, the whole is fetched and opened for good: that
/// something is missing is never the page's fault.
fn read_surely(
    bench: &mut Bench,
    source: &mut OpenSource,
    group: &PagesOfSource,
    number: u32,
    object: &mut ResultObject,
) -> Result<Pending, Halt> {
    let done = read(bench, source, number, group.degraded, object)?;
    let has_failed = matches!(done, Pending::Done(PageResult::Defect(_) | PageResult::Fault(_)));
    if source.boxed.is_whole() || !has_failed {
        return Ok(done);
    }
    tracing::info!(page = number, "a page can't be read from a part of its source; the whole is fetched");
    match open(bench, &group.source)? {
        Ok(whole) => *source = whole,
        Err(unusable) => return Ok(Pending::Done(unusable.into_page_result())),
    }
    Ok(read(bench, source, number, group.degraded, object)?)
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
    bench.metrics().observe_page_cpu(answered.cost.cpu);
    tracing::debug!(cpu_ms = answered.cost.cpu.as_millis() as u64, "looked at");
    let done = match answered.result {
        Ok(reading) if reading.blank => PageResult::Blank { summary: summary(&reading, degraded) },
        Ok(reading) => {
            bench.metrics().observe_words(&reading.text);
            let part = object.add(&reading.text).map_err(WorkerError::Encode)?;
            return Ok(Pending::Recognised(part, summary(&reading, degraded)));
        }
        Err(BoxError::Rejected(rejection)) => PageResult::Defect(PageDefect::Damaged(rejection.to_string())),
        Err(BoxError::Defect(defect)) => PageResult::Defect(defect),
        Err(BoxError::Fault(fault)) => {
            log_fault(source, &fault);
            PageResult::Fault(fault)
        }
        Err(BoxError::Loss(loss)) => PageResult::Lost(loss),
    };
    Ok(Pending::Done(done))
}

/// The name of a page's debug picture: the source's number and, where it is a file, its name, then the page's number.
fn debug_name(source: &SourceRef, number: u32) -> String {
    let stem = match &source.location {
        SourceLocation::File(path) => path.file_stem().map(|stem| format!("-{}", stem.to_string_lossy())),
        SourceLocation::Blob { .. } | SourceLocation::Object(_) => None,
    };
    format!("{}{}-{number}.png", source.id, stem.unwrap_or_default())
}

/// Draws what was seen on a page, where somebody wants to look at it. What becomes of the picture changes nothing else.
fn draw(
    bench: &mut Bench,
    source: &OpenSource,
    name: &str,
    number: u32,
    degraded: bool,
) -> Result<(), WorkerError> {
    let Some(folder) = bench.config().debug.clone() else { return Ok(()) };
    let drawn = bench.client()?.draw(&source.boxed, number, degraded);
    bench.spend(drawn.cost);
    match drawn.result.map(|picture| std::fs::write(folder.join(name), picture)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(page = number, %error, "a debug picture could not be written"),
        Err(_) => tracing::warn!(page = number, "a debug picture could not be drawn"),
    }
    Ok(())
}

fn log_fault(source: &OpenSource, fault: &Fault) {
    tracing::warn!(source_bytes = source.boxed.bytes(), code = fault.code(), "a page failed");
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
