//! `pagemill pages`, `dead` and `redrive`.

use pagemill_proto::v1::{
    DeadLetter, ListDeadLettersRequest, ListPagesRequest, Page, PageId, PageState, RedriveRequest,
};
use serde_json::{Value, json};

use super::PAGE_SIZE;
use super::connection::{Cluster, jobs};
use super::table::{Align, Table, shown};
use crate::arguments::{DeadArguments, PagesArguments, RedriveArguments};
use crate::failure::{Exit, Failure};
use crate::progress::{print_json, print_result};
use crate::settings::Settings;

/// Pages that one request re-drives.
const REDRIVE_PAGES_MAX: usize = 10_000;

/// Lists a job's pages.
pub(crate) async fn list(arguments: &PagesArguments, settings: &Settings) -> Result<Exit, Failure> {
    let cluster = Cluster::new(settings)?;
    let mut table = Table::new(&[
        ("PAGE", Align::Right),
        ("STATE", Align::Left),
        ("CONFIDENCE", Align::Right),
        ("WORDS", Align::Right),
        ("FAULTS", Align::Right),
        ("LOSSES", Align::Right),
        ("REASON", Align::Left),
        ("PATH", Align::Left),
    ]);
    let mut request = ListPagesRequest {
        job: arguments.job,
        page_size: PAGE_SIZE,
        page_token: String::new(),
        state: arguments.state.map_or(PageState::Unspecified, StateName::on_the_wire).into(),
    };
    loop {
        let listed =
            cluster.ask(request.clone(), |line, request| async move { jobs(line).list_pages(request).await });
        let answer = listed.await?;
        if arguments.json {
            answer.pages.iter().for_each(|page| print_json(&page_json(page)));
        } else {
            table.print(&answer.pages.iter().map(page_row).collect::<Vec<_>>());
        }
        if answer.next_page_token.is_empty() {
            return Ok(Exit::Complete);
        }
        request.page_token = answer.next_page_token;
    }
}

fn page_row(page: &Page) -> Vec<String> {
    let id = page.id.unwrap_or_default();
    let percent = |confidence: Option<u32>| confidence.map_or("-".into(), |percent| format!("{percent}%"));
    vec![
        format!("{}:{}", id.source, id.number),
        state_name(page.state()).into(),
        percent(page.confidence),
        page.words.to_string(),
        page.faults.to_string(),
        page.losses.to_string(),
        if page.reason.is_empty() { "-".into() } else { shown(&page.reason) },
        shown(&page.path),
    ]
}

fn page_json(page: &Page) -> Value {
    let id = page.id.unwrap_or_default();
    json!({
        "job": page.job, "source": id.source, "page": id.number, "path": page.path, "document": page.document,
        "state": state_name(page.state()), "width": page.width, "height": page.height, "faults": page.faults,
        "losses": page.losses, "reason": page.reason, "detail": page.detail, "confidence": page.confidence,
        "worst_confidence": page.worst_confidence, "words": page.words, "degraded": page.degraded,
    })
}

/// The states of pages by which a list can be narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StateName {
    /// Not final yet.
    Pending,
    /// Read.
    Recognised,
    /// Empty.
    Blank,
    /// Left as it was.
    Kept,
    /// Given up.
    Dead,
    /// Not read: the job was cancelled.
    Cancelled,
}

impl StateName {
    const fn on_the_wire(self) -> PageState {
        match self {
            Self::Pending => PageState::Pending,
            Self::Recognised => PageState::Recognised,
            Self::Blank => PageState::Blank,
            Self::Kept => PageState::Kept,
            Self::Dead => PageState::Dead,
            Self::Cancelled => PageState::Cancelled,
        }
    }
}

const fn state_name(state: PageState) -> &'static str {
    match state {
        PageState::Unspecified => "unknown",
        PageState::Pending => "pending",
        PageState::Recognised => "recognised",
        PageState::Blank => "blank",
        PageState::Kept => "kept",
        PageState::Dead => "dead",
        PageState::Cancelled => "cancelled",
    }
}

/// Lists dead pages and rejected sources.
pub(crate) async fn dead(arguments: &DeadArguments, settings: &Settings) -> Result<Exit, Failure> {
    let cluster = Cluster::new(settings)?;
    let mut table = Table::new(&[
        ("JOB", Align::Right),
        ("PAGE", Align::Right),
        ("FAULTS", Align::Right),
        ("LOSSES", Align::Right),
        ("REASON", Align::Left),
        ("PATH", Align::Left),
    ]);
    let mut request = ListDeadLettersRequest {
        job: arguments.job.unwrap_or_default(),
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    loop {
        let listed = cluster
            .ask(request.clone(), |line, request| async move { jobs(line).list_dead_letters(request).await });
        let answer = listed.await?;
        if arguments.json {
            answer.dead_letters.iter().for_each(|letter| print_json(&letter_json(letter)));
        } else {
            table.print(&answer.dead_letters.iter().map(letter_row).collect::<Vec<_>>());
        }
        if answer.next_page_token.is_empty() {
            return Ok(Exit::Complete);
        }
        request.page_token = answer.next_page_token;
    }
}

fn letter_row(letter: &DeadLetter) -> Vec<String> {
    vec![
        letter.job.to_string(),
        format!("{}:{}", letter.source, letter.number),
        letter.faults.to_string(),
        letter.losses.to_string(),
        shown(&letter.reason),
        format!("{} ({})", shown(&letter.path), shown(&letter.detail)),
    ]
}

fn letter_json(letter: &DeadLetter) -> Value {
    json!({
        "job": letter.job, "source": letter.source, "page": letter.number, "path": letter.path,
        "faults": letter.faults, "losses": letter.losses, "reason": letter.reason, "detail": letter.detail,
    })
}

/// Has dead pages and rejected sources worked on again.
pub(crate) async fn redrive(arguments: &RedriveArguments, settings: &Settings) -> Result<Exit, Failure> {
    let cluster = Cluster::new(settings)?;
    let (mut pages, mut sources) = (0, 0);
    let chunks: Vec<&[PageId]> = if arguments.pages.is_empty() {
        // None named: all of them.
        vec![&[]]
    } else {
        arguments.pages.chunks(REDRIVE_PAGES_MAX).collect()
    };
    for chunk in chunks {
        let request = RedriveRequest { job: arguments.job, pages: chunk.to_vec() };
        let asked = cluster.ask(request, |line, request| async move { jobs(line).redrive(request).await });
        let redriven = asked.await?;
        pages += redriven.pages;
        sources += redriven.sources;
    }
    if arguments.json {
        print_json(&json!({"event": "redriven", "job": arguments.job, "pages": pages, "sources": sources}));
    } else {
        print_result(&format!(
            "{pages} pages and {sources} sources of job {} are worked on again",
            arguments.job
        ));
    }
    Ok(Exit::Complete)
}

/// `SRC:N`: page N of source SRC, as `pagemill dead` and `pagemill pages` list it; N 0 is the source itself.
pub(crate) fn page_id(text: &str) -> Result<PageId, String> {
    let parsed = text.split_once(':').and_then(|(source, number)| {
        Some(PageId {
            source: source.parse().ok().filter(|&source| source > 0)?,
            number: number.parse().ok()?,
        })
    });
    parsed.ok_or_else(|| "write a page as SOURCE:NUMBER, such as 12:3; `pagemill dead` lists them".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_named_by_source_and_number() {
        assert_eq!(page_id("12:3"), Ok(PageId { source: 12, number: 3 }));
        assert_eq!(page_id("12:0"), Ok(PageId { source: 12, number: 0 }));
        for wrong in ["12", "a:1", "12:-1", "0:1", "12:3:4", ""] {
            assert!(page_id(wrong).unwrap_err().contains("SOURCE:NUMBER"), "{wrong}");
        }
    }

    #[test]
    fn a_row_names_the_page_as_redrive_takes_it() {
        let page = Page {
            id: Some(PageId { source: 12, number: 3 }),
            path: "a.pdf".into(),
            state: PageState::Dead.into(),
            reason: "page_crashed".into(),
            ..Default::default()
        };
        let row = page_row(&page);
        assert_eq!(page_id(&row[0]), Ok(PageId { source: 12, number: 3 }));
        assert_eq!((row[1].as_str(), row[2].as_str(), row[7].as_str()), ("dead", "-", "a.pdf"));
    }
}
