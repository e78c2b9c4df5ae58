//! `Workers`: their sessions, and what an admin sees and tells them.

use futures::stream::BoxStream;
use pagemill_backends::store::{Directive, WorkerRow};
use pagemill_domain::ids::WorkerId;
use pagemill_domain::shard::Stage;
use pagemill_proto::v1;
use tonic::{Request, Response, Status, Streaming};

use super::paging::{PAGE_SIZE_MAX, next_token, page_size};
use super::session::WORKER_TEXT_BYTES_MAX;
use super::status::{invalid, of_store};
use super::{Services, answered, convert};
use crate::now_unix_seconds;

#[tonic::async_trait]
impl v1::workers_server::Workers for Services {
    type SessionStream = BoxStream<'static, Result<v1::SessionResponse, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        self.access.caller(&request)?;
        self.begin_session(request.into_inner()).await.map(Response::new)
    }

    async fn list(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        self.access.caller(&request)?;
        let request = request.into_inner();
        let rows_max = page_size(request.page_size)?;
        check_name("page_token", &request.page_token)?;
        answered(async {
            let store = &self.coordinator.backends.store;
            let rows = store.list_workers(&request.page_token, rows_max).await.map_err(of_store)?;
            let next_page_token = next_token(&rows, rows_max, |row| row.worker.0.clone());
            let now = now_unix_seconds();
            let workers = rows.into_iter().map(|row| self.shown_worker(row, now)).collect();
            Ok(Response::new(v1::ListWorkersResponse { workers, next_page_token }))
        })
        .await
    }

    async fn cordon(&self, request: Request<v1::CordonRequest>) -> Result<Response<v1::Worker>, Status> {
        self.access.caller(&request)?;
        let request = request.into_inner();
        let directive = if request.undo { Directive::Serve } else { Directive::Cordon };
        answered(self.direct(request.worker, directive)).await
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Result<Response<v1::Worker>, Status> {
        self.access.caller(&request)?;
        answered(self.direct(request.into_inner().worker, Directive::Drain)).await
    }

    async fn queue(&self, request: Request<v1::QueueRequest>) -> Result<Response<v1::QueueResponse>, Status> {
        self.access.caller(&request)?;
        answered(async {
            let backends = &self.coordinator.backends;
            let figures = backends.store.figures().await.map_err(of_store)?;
            let open = backends.store.open_shards().await.map_err(of_store)?;
            let leader = backends.store.leader_lease().await.map_err(of_store)?.holder;
            let stages = Stage::ALL.map(|stage| v1::StageQueue {
                stage: convert::stage(stage).into(),
                pending: match stage {
                    Stage::Inspect => figures.sources_pending,
                    Stage::Recognise => figures.pages_pending,
                    Stage::Assemble => figures.documents_pending,
                },
                shards_in_flight: open.iter().filter(|shard| shard.stage == stage).count() as u64,
            });
            let broker_up = backends.queue.is_up();
            Ok(Response::new(v1::QueueResponse { stages: stages.to_vec(), broker_up, leader }))
        })
        .await
    }
}

impl Services {
    async fn direct(&self, worker: String, directive: Directive) -> Result<Response<v1::Worker>, Status> {
        check_name("worker", &worker)?;
        let worker = WorkerId(worker);
        let unknown = || Status::not_found(format!("there is no worker {worker}"));
        if !self.coordinator.backends.store.direct(&worker, directive).await.map_err(of_store)? {
            return Err(unknown());
        }
        tracing::info!(%worker, directive = directive.name(), "a worker was told what to do");
        let row = self.find_worker(&worker).await?.ok_or_else(unknown)?;
        Ok(Response::new(self.shown_worker(row, now_unix_seconds())))
    }

    fn shown_worker(&self, row: WorkerRow, now_unix_seconds: i64) -> v1::Worker {
        let gone = !self.coordinator.is_live(&row, now_unix_seconds);
        convert::worker(row, gone, now_unix_seconds)
    }

    async fn find_worker(&self, worker: &WorkerId) -> Result<Option<WorkerRow>, Status> {
        let mut after = String::new();
        loop {
            let rows = self.coordinator.backends.store.list_workers(&after, PAGE_SIZE_MAX).await;
            let rows = rows.map_err(of_store)?;
            let Some(last) = rows.last() else { return Ok(None) };
            after.clone_from(&last.worker.0);
            if let Some(row) = rows.into_iter().find(|row| row.worker == *worker) {
                return Ok(Some(row));
            }
        }
    }
}

/// No worker has a name that long, or with control characters: a hello with such a name is refused.
fn check_name(field: &str, name: &str) -> Result<(), Status> {
    if name.len() > WORKER_TEXT_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(invalid(format!("{field} is no worker's name")));
    }
    Ok(())
}
