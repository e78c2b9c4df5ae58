//! The scaler: tells KEDA how many workers the work in hand asks for ([`pagemill_domain::scaling`]).
//!
//! Every coordinator can answer: what it needs stands in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pagemill_backends::store::{JobFilter, JobRow, JobState};
use pagemill_domain::ids::JobId;
use pagemill_domain::scaling::{Due, Load, Scaler, ScalingPolicy};
use pagemill_proto::externalscaler::external_scaler_server::ExternalScaler;
use pagemill_proto::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::access::Access;
use crate::grpc::status::of_store;
use crate::lead::figures::live_workers;
use crate::{Coordinator, now_unix_seconds};

/// What KEDA knows the figure by.
const METRIC: &str = "workers";

/// Jobs that are looked at; the store bounds what is open, and more would ask for the most workers anyway.
const JOBS_MAX: usize = 10_000;

/// Jobs that are read at once.
const JOBS_PER_READ_MAX: u32 = 1_000;

/// Scaled objects that are remembered: one for each kind of worker.
const SCALED_OBJECTS_MAX: usize = 64;

/// Seconds a page, before any was measured.
const PAGE_SECONDS_UNMEASURED: f64 = 1.0;

/// Pages that have to be read before their time counts.
const PAGES_MEASURED_MIN: u64 = 20;

/// How often a stream looks whether there is anything to do.
const STREAM_PERIOD: Duration = Duration::from_secs(3);

/// Answers KEDA.
#[derive(Clone)]
pub(crate) struct ScalerService {
    coordinator: Coordinator,
    access: Access,
    shutdown: CancellationToken,
    started: Instant,
    scalers: Arc<Mutex<HashMap<(String, String), Scaler>>>,
}

impl ScalerService {
    /// Answers until `shutdown`.
    pub(crate) fn new(coordinator: Coordinator, access: Access, shutdown: CancellationToken) -> Self {
        Self { coordinator, access, shutdown, started: Instant::now(), scalers: Arc::default() }
    }

    /// The work in hand of all tenants.
    async fn load(&self, policy: &ScalingPolicy) -> Result<Load, Status> {
        let (mut dues, mut cpu_ms, mut pages_read) = (Vec::new(), 0, 0);
        let (mut after, now) = (JobId(0), now_unix_seconds());
        let filter = JobFilter { tenant: None, open_only: true };
        loop {
            let store = &self.coordinator.backends.store;
            let rows = store.list_jobs(&filter, after, JOBS_PER_READ_MAX).await.map_err(of_store)?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in rows.iter().filter(|row| row.status.state == JobState::Sealed) {
                dues.push(due(row, now, policy));
                cpu_ms += row.status.cpu_ms;
                pages_read += row.status.pages_read;
            }
            if rows.len() < JOBS_PER_READ_MAX as usize || dues.len() >= JOBS_MAX {
                break;
            }
        }
        let measured = pages_read >= PAGES_MEASURED_MIN;
        let page_seconds =
            if measured { cpu_ms as f64 / 1_000.0 / pages_read as f64 } else { PAGE_SECONDS_UNMEASURED };
        Ok(Load { dues, page_seconds })
    }

    /// How many workers are wanted for that scaled object.
    async fn wanted(&self, object: &ScaledObjectRef) -> Result<u32, Status> {
        let policy = policy(&object.scaler_metadata)?;
        let load = self.load(&policy).await?;
        let live = live_workers(&self.coordinator).await.map_err(of_store)?.len() as u32;
        let now = self.started.elapsed().as_secs_f64();
        let mut scalers = self.scalers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (object.namespace.clone(), object.name.clone());
        if scalers.len() >= SCALED_OBJECTS_MAX && !scalers.contains_key(&key) {
            return Err(Status::resource_exhausted(format!("more than {SCALED_OBJECTS_MAX} scaled objects")));
        }
        let scaler = scalers.entry(key).or_insert_with(|| Scaler::taking_over(live, now));
        let wanted = scaler.wanted(now, &load, &policy);
        self.coordinator.metrics.workers_wanted.set(i64::from(wanted));
        Ok(wanted)
    }
}

/// When that job is due, and what it still needs.
fn due(row: &JobRow, now_unix_seconds: i64, policy: &ScalingPolicy) -> Due {
    let (pages, sources) = (&row.status.ledger.pages, &row.status.ledger.sources);
    let open = pages.declared.saturating_sub(pages.terminal());
    // What is not inspected is taken to have as many pages as what is.
    let uninspected = sources.submitted.saturating_sub(sources.terminal());
    let pages_per_source =
        if sources.inspected == 0 { 1 } else { pages.declared.div_ceil(sources.inspected) };
    let due_unix_seconds = row
        .urgency
        .deadline_unix_seconds
        .map_or(row.created_unix_seconds as f64 + policy.patience_seconds, |deadline| deadline as f64);
    Due {
        pages: open.saturating_add(uninspected.saturating_mul(pages_per_source)),
        seconds_left: due_unix_seconds - now_unix_seconds as f64,
    }
}

/// The policy as the trigger's metadata wants it; keys that are not ours are KEDA's.
fn policy(metadata: &HashMap<String, String>) -> Result<ScalingPolicy, Status> {
    let mut policy = ScalingPolicy::default();
    for (key, value) in metadata {
        match key.as_str() {
            "slotsPerWorker" => policy.slots_per_worker = number(key, value, 1.0, 1_024.0)? as u32,
            "workersMin" => policy.workers_min = number(key, value, 0.0, 10_000.0)? as u32,
            "workersMax" => policy.workers_max = number(key, value, 1.0, 10_000.0)? as u32,
            "patienceSeconds" => policy.patience_seconds = number(key, value, 60.0, 31_536_000.0)?,
            "headroom" => policy.headroom = number(key, value, 1.0, 10.0)?,
            "startSeconds" => policy.start_seconds = number(key, value, 0.0, 3_600.0)?,
            "calmSeconds" => policy.calm_seconds = number(key, value, 0.0, 86_400.0)?,
            _ => {}
        }
    }
    Ok(policy)
}

fn number(key: &str, value: &str, least: f64, most: f64) -> Result<f64, Status> {
    let number = value.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| Status::invalid_argument(format!("metadata {key} must be {least} to {most}")))
}

#[tonic::async_trait]
impl ExternalScaler for ScalerService {
    type StreamIsActiveStream = ReceiverStream<Result<IsActiveResponse, Status>>;

    async fn is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<IsActiveResponse>, Status> {
        self.access.scaler(&request)?;
        let result = self.wanted(request.get_ref()).await? > 0;
        Ok(Response::new(IsActiveResponse { result }))
    }

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        self.access.scaler(&request)?;
        let (told, answers) = mpsc::channel(1);
        let (scaler, object) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            tokio::select! {
                () = scaler.tell_changes(&object, &told) => {}
                () = told.closed() => {}
                () = scaler.shutdown.cancelled() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        self.access.scaler(&request)?;
        policy(&request.get_ref().scaler_metadata)?;
        let spec = MetricSpec { metric_name: METRIC.into(), target_size: 1, target_size_float: 1.0 };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![spec] }))
    }

    async fn get_metrics(
        &self,
        request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        self.access.scaler(&request)?;
        let object = request.get_ref().scaled_object_ref.as_ref();
        let object = object.ok_or_else(|| Status::invalid_argument("scaledObjectRef is needed"))?;
        let wanted = self.wanted(object).await?;
        let value = MetricValue {
            metric_name: METRIC.into(),
            metric_value: i64::from(wanted),
            metric_value_float: f64::from(wanted),
        };
        Ok(Response::new(GetMetricsResponse { metric_values: vec![value] }))
    }
}

impl ScalerService {
    /// Tells whether there is anything to do, now and whenever it changed; ends when nobody listens.
    async fn tell_changes(
        &self,
        object: &ScaledObjectRef,
        told: &mpsc::Sender<Result<IsActiveResponse, Status>>,
    ) {
        let mut last = None;
        loop {
            match self.wanted(object).await {
                Ok(wanted) if last == Some(wanted > 0) => {}
                Ok(wanted) => {
                    last = Some(wanted > 0);
                    if told.send(Ok(IsActiveResponse { result: wanted > 0 })).await.is_err() {
                        return;
                    }
                }
                // KEDA opens the stream again.
                Err(status) => return drop(told.send(Err(status)).await),
            }
            tokio::time::sleep(STREAM_PERIOD).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use pagemill_backends::store::JobStatus;
    use pagemill_domain::job::Urgency;
    use pagemill_domain::ledger::{DocumentCounts, Ledger, PageCounts, SourceCounts};
    use pagemill_domain::recipe::Recipe;

    use super::*;

    fn row(deadline: Option<i64>) -> JobRow {
        let sources = SourceCounts { submitted: 10, inspected: 4, ..SourceCounts::default() };
        let pages = PageCounts { declared: 40, recognised: 15, dead: 5, ..PageCounts::default() };
        JobRow {
            id: JobId(1),
            tenant: "a".into(),
            key: "k".into(),
            recipe: Recipe::default(),
            urgency: Urgency { priority: 5, deadline_unix_seconds: deadline },
            created_unix_seconds: 1_000,
            closed_unix_seconds: None,
            status: JobStatus {
                state: JobState::Sealed,
                ledger: Ledger { sources, pages, documents: DocumentCounts::default() },
                faults: 0,
                losses: 0,
                outcomes_ignored: 0,
                cpu_ms: 0,
                pages_read: 0,
            },
        }
    }

    #[test]
    fn sources_that_wait_count_like_those_that_are_known() {
        let policy = ScalingPolicy::default();
        // 20 of 40 pages are open, and six sources of ten pages each.
        assert_eq!(due(&row(None), 1_600, &policy), Due { pages: 80, seconds_left: 3_000.0 });
        assert_eq!(due(&row(Some(1_500)), 1_600, &policy), Due { pages: 80, seconds_left: -100.0 });
    }

    #[test]
    fn the_trigger_tells_the_policy_and_a_slip_is_named() {
        let metadata = |key: &str, value: &str| HashMap::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(policy(&metadata("slotsPerWorker", "8")).unwrap().slots_per_worker, 8);
        assert_eq!(policy(&metadata("scalerAddress", "x:1")).unwrap(), ScalingPolicy::default());
        for (key, value) in [("slotsPerWorker", "0"), ("headroom", "NaN"), ("workersMax", "many")] {
            let refusal = policy(&metadata(key, value)).unwrap_err();
            assert!(refusal.message().contains(key), "{refusal}");
        }
    }
}
