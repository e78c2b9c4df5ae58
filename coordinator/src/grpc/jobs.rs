//! `Jobs`: submit, follow, change.

use futures::stream::BoxStream;
use pagemill_backends::store::{DeadLetterFilter, JobFilter, JobRow, JobState, NewSource};
use pagemill_domain::hash::ContentHash;
use pagemill_domain::ids::{JobId, PageId, SourceId};
use pagemill_domain::job::{NewJob, PRIORITY_DEFAULT, PRIORITY_MAX, Urgency};
use pagemill_domain::page_text::PageText;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::shard::SourceLocation;
use pagemill_proto::{MESSAGE_BYTES_MAX, v1};
use tonic::{Request, Response, Status};

use super::new_source::new_source;
use super::paging::{next_token, page_after, page_size, page_token, row_after, row_token};
use super::status::{invalid, of_blobs, of_coordinator, of_store};
use super::{Services, answered, convert};
use crate::access::Caller;
use crate::now_unix_seconds;

/// Bytes of a job's key.
const KEY_BYTES_MAX: usize = 200;

/// Bytes of a recipe.
const RECIPE_BYTES_MAX: usize = 64 << 10;

/// Sources of a chunk.
const SOURCES_PER_CHUNK_MAX: usize = 10_000;

/// Pages that one re-drive names.
const REDRIVE_PAGES_MAX: usize = 10_000;

/// Bytes of a page's text, unpacked. Its JSON and its plain text travel in one message.
const PAGE_TEXT_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;

#[tonic::async_trait]
impl v1::jobs_server::Jobs for Services {
    type WatchStream = BoxStream<'static, Result<v1::Job, Status>>;
    type GetReportStream = BoxStream<'static, Result<v1::ReportPart, Status>>;

    async fn open(&self, request: Request<v1::OpenRequest>) -> Result<Response<v1::Job>, Status> {
        let caller = self.access.caller(&request)?;
        let job = new_job(request.into_inner(), &caller)?;
        answered(self.open_once(&job)).await
    }

    async fn add_sources(
        &self,
        request: Request<v1::AddSourcesRequest>,
    ) -> Result<Response<v1::AddSourcesResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let request = request.into_inner();
        if request.sources.len() > SOURCES_PER_CHUNK_MAX {
            let why = format!("sources must be at most {SOURCES_PER_CHUNK_MAX} a chunk: send several chunks");
            return Err(Status::resource_exhausted(why));
        }
        let limits = &self.coordinator.config.limits;
        let sources = request.sources.into_iter().map(|source| new_source(source, &caller.tenant, limits));
        let sources = sources.collect::<Result<Vec<NewSource>, Status>>()?;
        answered(async {
            let job = self.own_job(request.job, &caller).await?.id;
            self.refuse_missing(&sources, &caller).await?;
            self.coordinator.add_sources(job, &sources).await.map_err(of_coordinator)?;
            let status = self.coordinator.status(job).await.map_err(of_coordinator)?;
            let sources_submitted = status.ledger.sources.submitted;
            Ok(Response::new(v1::AddSourcesResponse { sources_submitted }))
        })
        .await
    }

    async fn seal(&self, request: Request<v1::SealRequest>) -> Result<Response<v1::Job>, Status> {
        let caller = self.access.caller(&request)?;
        answered(async {
            let job = self.own_job(request.get_ref().job, &caller).await?;
            // Sealing twice is what a client does that missed the first answer.
            if job.status.state == JobState::Draft {
                self.coordinator.seal(job.id).await.map_err(of_coordinator)?;
            }
            self.shown(job.id, &caller).await
        })
        .await
    }

    async fn get(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::Job>, Status> {
        let caller = self.access.caller(&request)?;
        answered(async {
            let row = self.own_job(request.get_ref().job, &caller).await?;
            let recipe_json = serde_json::to_string(&row.recipe)
                .map_err(|error| Status::internal(format!("write down the recipe: {error}")))?;
            let fingerprints =
                self.coordinator.backends.store.fingerprints(row.id).await.map_err(of_store)?;
            let fingerprints = fingerprints.into_iter().map(|fingerprint| fingerprint.0).collect();
            Ok(Response::new(v1::Job { recipe_json, fingerprints, ..self.job(row) }))
        })
        .await
    }

    async fn list(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let request = request.into_inner();
        let (rows_max, after) = (page_size(request.page_size)?, row_after(&request.page_token)?);
        let filter = JobFilter { tenant: Some(caller.tenant), open_only: request.open_only };
        answered(async {
            let rows = self.coordinator.backends.store.list_jobs(&filter, JobId(after), rows_max).await;
            let rows = rows.map_err(of_store)?;
            let next_page_token = next_token(&rows, rows_max, |row| row_token(row.id.0));
            let jobs = rows.into_iter().map(|row| self.job(row)).collect();
            Ok(Response::new(v1::ListJobsResponse { jobs, next_page_token }))
        })
        .await
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = self.access.caller(&request)?;
        let row = answered(self.own_job(request.get_ref().job, &caller)).await?;
        self.watch_job(row, caller).map(Response::new)
    }

    async fn cancel(&self, request: Request<v1::CancelRequest>) -> Result<Response<v1::Job>, Status> {
        let caller = self.access.caller(&request)?;
        answered(async {
            let job = self.own_job(request.get_ref().job, &caller).await?;
            // So does cancelling twice.
            if job.status.state != JobState::Cancelled {
                self.coordinator.cancel(job.id).await.map_err(of_coordinator)?;
            }
            self.shown(job.id, &caller).await
        })
        .await
    }

    async fn list_pages(
        &self,
        request: Request<v1::ListPagesRequest>,
    ) -> Result<Response<v1::ListPagesResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let request = request.into_inner();
        let (rows_max, after) = (page_size(request.page_size)?, page_after(&request.page_token)?);
        let state =
            v1::PageState::try_from(request.state).map_err(|_| invalid("state is no state of a page"))?;
        answered(async {
            let job = self.own_job(request.job, &caller).await?.id;
            let state = convert::wanted_state(state);
            let rows = self.coordinator.backends.store.list_pages(job, state, after, rows_max).await;
            let rows = rows.map_err(of_store)?;
            let next_page_token = next_token(&rows, rows_max, |row| page_token(row.source, row.number));
            let pages = rows.into_iter().map(|row| convert::page(job.0, row)).collect();
            Ok(Response::new(v1::ListPagesResponse { pages, next_page_token }))
        })
        .await
    }

    async fn get_page_text(
        &self,
        request: Request<v1::GetPageTextRequest>,
    ) -> Result<Response<v1::GetPageTextResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let request = request.into_inner();
        let page = page_id(request.page.ok_or_else(|| invalid("page is needed"))?);
        answered(async {
            let job = self.own_job(request.job, &caller).await?.id;
            let backends = &self.coordinator.backends;
            let result = backends.store.page_result(job, page).await.map_err(of_store)?;
            let result = result.ok_or_else(|| Status::not_found("this page has no text"))?;
            let packed = backends.blobs.get_result(&result).await.map_err(of_blobs)?;
            page_text(&packed).map(Response::new)
        })
        .await
    }

    async fn list_dead_letters(
        &self,
        request: Request<v1::ListDeadLettersRequest>,
    ) -> Result<Response<v1::ListDeadLettersResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let request = request.into_inner();
        let (rows_max, after) = (page_size(request.page_size)?, page_after(&request.page_token)?);
        answered(async {
            let job = match request.job {
                0 => None,
                job => Some(self.own_job(job, &caller).await?.id),
            };
            let filter = DeadLetterFilter { tenant: Some(caller.tenant.clone()), job };
            let rows = self.coordinator.backends.store.list_dead_letters(&filter, after, rows_max).await;
            let rows = rows.map_err(of_store)?;
            let next_page_token = next_token(&rows, rows_max, |row| page_token(row.source, row.number));
            let dead_letters = rows.into_iter().map(convert::dead_letter).collect();
            Ok(Response::new(v1::ListDeadLettersResponse { dead_letters, next_page_token }))
        })
        .await
    }

    async fn redrive(
        &self,
        request: Request<v1::RedriveRequest>,
    ) -> Result<Response<v1::RedriveResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let request = request.into_inner();
        if request.pages.len() > REDRIVE_PAGES_MAX {
            let why = format!("pages must be at most {REDRIVE_PAGES_MAX}; none at all means every one");
            return Err(Status::resource_exhausted(why));
        }
        let pages: Vec<PageId> = request.pages.into_iter().map(page_id).collect();
        answered(async {
            let job = self.own_job(request.job, &caller).await?.id;
            let redriven = self.coordinator.redrive(job, &pages).await.map_err(of_coordinator)?;
            let (pages, sources) = (redriven.pages, redriven.sources);
            Ok(Response::new(v1::RedriveResponse { pages, sources }))
        })
        .await
    }

    async fn get_report(
        &self,
        request: Request<v1::GetReportRequest>,
    ) -> Result<Response<Self::GetReportStream>, Status> {
        let caller = self.access.caller(&request)?;
        let row = answered(self.own_job(request.get_ref().job, &caller)).await?;
        answered(self.report_job(row)).await.map(Response::new)
    }
}

impl Services {
    /// The caller's job of that number. Another tenant's is not told from one that isn't there.
    pub(crate) async fn own_job(&self, job: i64, caller: &Caller) -> Result<JobRow, Status> {
        let unknown = || Status::not_found(format!("there is no job {job}"));
        let row = self.coordinator.backends.store.job(JobId(job));
        let row = self.coordinator.timed("job", row).await.map_err(of_store)?;
        if row.tenant == caller.tenant { Ok(row) } else { Err(unknown()) }
    }

    /// A job's message.
    pub(super) fn job(&self, row: JobRow) -> v1::Job {
        let eta_seconds = self.coordinator.eta_seconds(row.id, &row.status);
        convert::job(row, eta_seconds)
    }

    /// An uploaded source is here before its job names it: a worker could only reject it.
    async fn refuse_missing(&self, sources: &[NewSource], caller: &Caller) -> Result<(), Status> {
        let hashes: Vec<ContentHash> = sources
            .iter()
            .filter_map(|source| match &source.location {
                SourceLocation::Blob { hash, .. } => Some(*hash),
                SourceLocation::File(_) | SourceLocation::Object(_) => None,
            })
            .collect();
        if hashes.is_empty() {
            return Ok(());
        }
        let missing = self.coordinator.backends.blobs.missing_sources(&caller.tenant, &hashes).await;
        let missing = missing.map_err(of_blobs)?;
        let Some(first) = missing.first() else { return Ok(()) };
        let why =
            format!("{} of these sources are not uploaded ({first}, …): upload them first", missing.len());
        Err(Status::failed_precondition(why))
    }

    async fn shown(&self, job: JobId, caller: &Caller) -> Result<Response<v1::Job>, Status> {
        Ok(Response::new(self.job(self.own_job(job.0, caller).await?)))
    }

    /// Opens the job, or finds the one of that key as it stands.
    async fn open_once(&self, job: &NewJob) -> Result<Response<v1::Job>, Status> {
        let id = self.coordinator.open(job).await.map_err(of_coordinator)?;
        let row = self.coordinator.backends.store.job(id).await.map_err(of_store)?;
        if row.recipe.key() != job.recipe.key() {
            let why = format!("job {id} has this key and another recipe: choose another key");
            return Err(Status::failed_precondition(why));
        }
        Ok(Response::new(self.job(row)))
    }
}

fn new_job(request: v1::OpenRequest, caller: &Caller) -> Result<NewJob, Status> {
    if request.key.is_empty() || request.key.len() > KEY_BYTES_MAX {
        return Err(invalid(format!("key must have 1 to {KEY_BYTES_MAX} bytes")));
    }
    if request.key.chars().any(char::is_control) {
        return Err(invalid("key must not contain control characters"));
    }
    let priority = match request.priority {
        None => PRIORITY_DEFAULT,
        Some(priority) => u8::try_from(priority)
            .ok()
            .filter(|&priority| priority <= PRIORITY_MAX)
            .ok_or_else(|| invalid(format!("priority must be 0 to {PRIORITY_MAX}")))?,
    };
    if request.deadline_unix_seconds < 0 {
        return Err(invalid("deadline_unix_seconds must not be negative"));
    }
    let deadline = Some(request.deadline_unix_seconds).filter(|&deadline| deadline > 0);
    Ok(NewJob {
        tenant: caller.tenant.clone(),
        key: request.key,
        recipe: recipe(&request.recipe_json)?,
        urgency: Urgency { priority, deadline_unix_seconds: deadline },
        now_unix_seconds: now_unix_seconds(),
        reopen: false,
    })
}

fn recipe(json: &str) -> Result<Recipe, Status> {
    if json.len() > RECIPE_BYTES_MAX {
        return Err(invalid(format!("recipe_json must have at most {RECIPE_BYTES_MAX} bytes")));
    }
    let json = if json.trim().is_empty() { "{}" } else { json };
    // Without the map, a list would do for a recipe: its parts in their order.
    let keys: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|error| invalid(format!("recipe_json: {error}")))?;
    let recipe: Recipe =
        serde_json::from_value(keys.into()).map_err(|error| invalid(format!("recipe_json: {error}")))?;
    recipe.check().map_err(|error| invalid(format!("recipe_json: {error}")))?;
    Ok(recipe.canonical())
}

fn page_id(page: v1::PageId) -> PageId {
    PageId { source: SourceId(page.source), number: page.number }
}

/// A page's text from its part of a result object.
fn page_text(packed: &[u8]) -> Result<v1::GetPageTextResponse, Status> {
    let json = zstd::bulk::decompress(packed, PAGE_TEXT_BYTES_MAX).map_err(|_| {
        Status::resource_exhausted("this page's text is too large for a message: fetch the document's json")
    })?;
    let unreadable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a page's text can't be read");
        Status::data_loss("this page's text can't be read; the coordinator's log says more")
    };
    let page: PageText = serde_json::from_slice(&json).map_err(|error| unreadable(&error))?;
    let page_json = String::from_utf8(json).map_err(|error| unreadable(&error))?;
    let text = page.lines().map(|line| line.text() + "\n").collect();
    Ok(v1::GetPageTextResponse { page_json, text })
}
