//! A client that submits sources which nobody will open.

use std::path::Path;
use std::time::Duration;

use pagemill_proto::v1::jobs_client::JobsClient;
use pagemill_proto::v1::new_source::Location;
use pagemill_proto::v1::{AddSourcesRequest, GetJobRequest, Job, NewSource, OpenRequest, SealRequest};
use tonic::transport::{Channel, Endpoint};

use crate::synthetic::PAGES_PER_SOURCE;

/// Sources of one request.
const SOURCES_PER_CHUNK: u64 = 5_000;

/// Pause before a request is tried again while the coordinator is away.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Speaks to one coordinator.
pub(crate) struct Client {
    jobs: JobsClient<Channel>,
}

impl Client {
    /// Connects when it is first used.
    pub(crate) async fn connect(url: &str) -> Self {
        Self {
            jobs: JobsClient::new(Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap()),
        }
    }

    /// Opens, fills and seals a job of so many pages.
    pub(crate) async fn submit(&mut self, key: &str, pages: u64, root: &Path) -> i64 {
        let open =
            OpenRequest { key: key.to_owned(), recipe_json: "{}".to_owned(), ..OpenRequest::default() };
        let job = self.jobs.open(open).await.unwrap().into_inner().id;
        let numbers: Vec<u64> = (0..pages / PAGES_PER_SOURCE).collect();
        for chunk in numbers.chunks(SOURCES_PER_CHUNK as usize) {
            let sources = chunk.iter().map(|number| source(*number, root)).collect();
            self.jobs.add_sources(AddSourcesRequest { job, sources }).await.unwrap();
        }
        self.jobs.seal(SealRequest { job }).await.unwrap();
        job
    }

    /// How the job stands; waits for a coordinator that is away.
    pub(crate) async fn get(&mut self, job: i64) -> Job {
        loop {
            match self.jobs.get(GetJobRequest { job }).await {
                Ok(answer) => return answer.into_inner(),
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
            }
        }
    }
}

fn source(number: u64, root: &Path) -> NewSource {
    let folder = format!("box {}", number / 100);
    let path = format!("{folder}/{number}.pdf");
    let file = root.join(&path).to_string_lossy().into_owned();
    NewSource { path, folder, location: Some(Location::File(file)), bytes: 1 << 20 }
}
