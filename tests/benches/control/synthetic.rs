//! What an engine would answer that needs no time.

use pagemill_domain::geometry::Orientation;
use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::{
    Artifact, DocumentReport, DocumentResult, Fingerprint, Outcome, PageReport, PageResult, Report,
    SourceReport, SourceResult,
};
use pagemill_domain::page::PageSummary;
use pagemill_domain::recipe::Format;
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText, PageFacts, SourceFacts, SourceKind};
use pagemill_domain::shard::{DocumentPlan, PagesOfSource, ResultRef, Shard, SourceRef, Work};

/// Pages of each source.
pub(crate) const PAGES_PER_SOURCE: u64 = 100;

/// The version that all synthetic workers have.
pub(crate) const FINGERPRINT: &str = "synthetic";

/// The outcome of a shard.
pub(crate) fn answer(shard: &Shard) -> Outcome {
    let report = match &shard.work {
        Work::Inspect(sources) => Report::Inspected(sources.iter().map(inspected).collect()),
        Work::Recognise(sources) => Report::Recognised(sources.iter().flat_map(recognised).collect()),
        Work::Assemble(plan) => Report::Assembled(assembled(plan)),
        Work::AssembleStored(_) => panic!("no document of a synthetic source is that large"),
    };
    let fingerprint = Fingerprint(FINGERPRINT.to_owned());
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

fn inspected(source: &SourceRef) -> SourceReport {
    let page = PageFacts {
        width: 2_480,
        height: 3_508,
        dpi: Dpi::square(300),
        dpi_rule: DpiRule::Declared,
        orientation: Orientation::default(),
        existing_text: ExistingText::None,
        defect: None,
    };
    let pages = vec![page; PAGES_PER_SOURCE as usize];
    SourceReport {
        source: source.id,
        hash: Some(ContentHash::of(&source.id.0.to_le_bytes())),
        map: None,
        result: SourceResult::Inspected(SourceFacts { kind: SourceKind::Pdf, pages, signed: false }),
    }
}

fn recognised(source: &PagesOfSource) -> impl Iterator<Item = PageReport> + '_ {
    let blob = ContentHash::of(&source.source.id.0.to_le_bytes());
    source.pages.iter().map(move |&number| {
        let result = ResultRef { blob, offset: u64::from(number) * 4_000, length: 4_000, hash: blob };
        let summary = PageSummary { words: 300, ..PageSummary::default() };
        let result = PageResult::Recognised { result, summary };
        PageReport { source: source.source.id, number, result }
    })
}

fn assembled(plan: &DocumentPlan) -> DocumentReport {
    let artifact = Artifact {
        format: Format::Pdf,
        name: format!("{}.pdf", plan.name),
        bytes: 1 << 20,
        hash: ContentHash::of(plan.name.as_bytes()),
    };
    DocumentReport {
        document: plan.id,
        result: DocumentResult::Delivered { artifacts: vec![artifact], gaps: Vec::new() },
    }
}
