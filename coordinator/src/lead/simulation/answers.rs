//! What a worker answers, as the dice say.

use pagemill_domain::geometry::Orientation;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::{
    DocumentReport, DocumentResult, Fault, Fingerprint, Loss, Outcome, PageReport, PageResult, Report,
    SourceReport, SourceResult,
};
use pagemill_domain::page::PageSummary;
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText, PageFacts, Rejection, SourceFacts, SourceKind};
use pagemill_domain::shard::{ResultRef, Shard, SourceLocation, SourceRef, Work};

use super::dice::Dice;
use super::world::REJECTED;

/// An outcome of a worker to whom every source has `pages_per_source` pages.
pub(super) fn answer(shard: &Shard, pages_per_source: usize, dice: &mut Dice) -> Outcome {
    let report = match &shard.work {
        Work::Inspect(sources) => Report::Inspected(
            sources.iter().map(|source| inspected(source, pages_per_source, dice)).collect(),
        ),
        Work::Recognise(groups) => {
            let pages = groups.iter().flat_map(|group| {
                let source = group.source.id;
                group.pages.iter().map(move |&number| (source, number))
            });
            // Some pages are not reached: they come again.
            let reports = pages.filter_map(|(source, number)| {
                let is_reached = !dice.percent(10);
                is_reached.then(|| PageReport { source, number, result: read(dice) })
            });
            Report::Recognised(reports.collect())
        }
        Work::Assemble(plan) => {
            let result = if dice.percent(20) {
                DocumentResult::Lost(Loss::Interrupted)
            } else {
                DocumentResult::Delivered { artifacts: Vec::new(), gaps: Vec::new() }
            };
            Report::Assembled(DocumentReport { document: plan.id, result })
        }
        Work::AssembleStored(_) => unreachable!("these documents are small"),
    };
    let fingerprint = Fingerprint("simulated".into());
    Outcome {
        shard: shard.id,
        attempt: shard.attempt,
        job: Some(shard.job),
        fingerprint,
        cpu_ms: 1,
        wall_ms: 1,
        report,
    }
}

fn inspected(source: &SourceRef, pages_per_source: usize, dice: &mut Dice) -> SourceReport {
    let page = PageFacts {
        width: 10,
        height: 10,
        dpi: Dpi::square(300),
        dpi_rule: DpiRule::Declared,
        orientation: Orientation::default(),
        existing_text: ExistingText::None,
        defect: None,
    };
    let is_rejected = matches!(&source.location, SourceLocation::Object(key) if key.ends_with(REJECTED));
    let result = if is_rejected {
        SourceResult::Rejected(Rejection::UnknownKind)
    } else if dice.percent(15) {
        SourceResult::Lost(Loss::Interrupted)
    } else {
        let pages = vec![page; pages_per_source];
        SourceResult::Inspected(SourceFacts { kind: SourceKind::Tiff, pages, signed: false })
    };
    SourceReport { source: source.id, hash: Some(ContentHash::of(b"x")), map: None, result }
}

fn read(dice: &mut Dice) -> PageResult {
    let hash = ContentHash::of(b"text");
    match dice.roll(8) {
        0 => PageResult::Fault(Fault::Crashed { how: "signal 11".into() }),
        1 => PageResult::Lost(Loss::Interrupted),
        2 => PageResult::Blank { summary: PageSummary::default() },
        _ => PageResult::Recognised {
            result: ResultRef { blob: hash, offset: 0, length: 4, hash },
            summary: PageSummary::default(),
        },
    }
}
