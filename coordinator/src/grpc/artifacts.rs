//! `Artifacts`: what was delivered, by name.

use std::time::Duration;

use futures::TryStreamExt;
use futures::stream::BoxStream;
use pagemill_backends::store::{DocumentRow, PageCursor, Store};
use pagemill_domain::ids::JobId;
use pagemill_domain::outcome::Artifact;
use pagemill_proto::{PIECE_BYTES, v1};
use tonic::{Request, Response, Status};

use super::paging::{page_after, page_size, page_token};
use super::status::{invalid, of_blobs, of_store};
use super::streams::{Answers, answers, stopping};
use super::{Services, answered, place};

/// Artifacts of one answer: a document may have one for each of its pages.
const ARTIFACTS_PER_ANSWER_MAX: usize = 5_000;

/// Documents that are asked of the store at once.
const DOCUMENTS_AT_ONCE: u32 = 100;

/// How long a caller may read nothing of an artifact.
const FETCH_IDLE: Duration = Duration::from_mins(1);

#[tonic::async_trait]
impl v1::artifacts_server::Artifacts for Services {
    type FetchStream = BoxStream<'static, Result<v1::FetchResponse, Status>>;

    async fn list(
        &self,
        request: Request<v1::ListArtifactsRequest>,
    ) -> Result<Response<v1::ListArtifactsResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let request = request.into_inner();
        let (documents_max, after) = (page_size(request.page_size)?, page_after(&request.page_token)?);
        answered(async {
            let job = self.own_job(request.job, &caller).await?.id;
            let store = self.coordinator.backends.store.as_ref();
            list(store, job, after, documents_max).await.map(Response::new)
        })
        .await
    }

    async fn fetch(&self, request: Request<v1::FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let caller = self.access.caller(&request)?;
        let place = place(&self.fetches, "fetches")?;
        let request = request.into_inner();
        let artifact = answered(async {
            let job = self.own_job(request.job, &caller).await?.id;
            let store = &self.coordinator.backends.store;
            let artifact = store.artifact(job, &request.name).await.map_err(of_store)?;
            artifact.ok_or_else(|| Status::not_found("the job has no artifact of that name"))
        })
        .await?;
        if request.offset > artifact.bytes {
            return Err(invalid(format!("offset must be at most {}, the artifact's bytes", artifact.bytes)));
        }
        let services = self.clone();
        Ok(Response::new(answers(move |pieces| async move {
            let _place = place;
            tokio::select! {
                sent = services.send_artifact(&artifact, request.offset, &pieces) => sent,
                () = services.shutdown.cancelled() => Err(stopping()),
            }
        })))
    }
}

impl Services {
    async fn send_artifact(
        &self,
        artifact: &Artifact,
        offset: u64,
        answers: &Answers<v1::FetchResponse>,
    ) -> Result<(), Status> {
        let blobs = &self.coordinator.backends.blobs;
        let mut pieces = blobs.read_artifact(artifact, offset).await.map_err(of_blobs)?;
        while let Some(mut bytes) = pieces.try_next().await.map_err(of_blobs)? {
            while !bytes.is_empty() {
                let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
                let sent = answers.send(Ok(v1::FetchResponse { piece }));
                match tokio::time::timeout(FETCH_IDLE, sent).await {
                    Ok(Ok(())) => {}
                    // The caller went away, or reads nothing.
                    Ok(Err(_)) | Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

/// Artifacts of documents after `after`: a document's number, and how many of its artifacts were listed before.
async fn list(
    store: &dyn Store,
    job: JobId,
    after: PageCursor,
    documents_max: u32,
) -> Result<v1::ListArtifactsResponse, Status> {
    let mut answer = v1::ListArtifactsResponse::default();
    let (mut last, mut listed, mut left) = (after.source - 1, after.number as usize, documents_max);
    while left > 0 {
        let wanted = left.min(DOCUMENTS_AT_ONCE);
        let documents = store.list_documents(job, last, wanted).await.map_err(of_store)?;
        for document in &documents {
            // A document that changed meanwhile begins anew.
            let skipped = if document.id.0 == after.source { std::mem::take(&mut listed) } else { 0 };
            let room = ARTIFACTS_PER_ANSWER_MAX - answer.artifacts.len();
            let rest = document.artifacts.get(skipped..).unwrap_or(&document.artifacts);
            answer.artifacts.extend(rest.iter().take(room).map(|artifact| shown(document, artifact)));
            if rest.len() > room {
                answer.next_page_token = page_token(document.id.0, (skipped + room) as u32);
                return Ok(answer);
            }
            last = document.id.0;
        }
        if documents.len() < wanted as usize {
            return Ok(answer);
        }
        left -= wanted;
    }
    answer.next_page_token = page_token(last + 1, 0);
    Ok(answer)
}

fn shown(document: &DocumentRow, artifact: &Artifact) -> v1::Artifact {
    let format = serde_json::to_value(artifact.format).unwrap_or_default();
    v1::Artifact {
        name: artifact.name.clone(),
        format: format.as_str().unwrap_or_default().to_owned(),
        bytes: artifact.bytes,
        hash: artifact.hash.to_string(),
        document: document.id.0,
    }
}
