//! The dashboards beside a real run: every query of every panel gets an answer from a Prometheus that scrapes it.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use pagemill_proto::externalscaler::external_scaler_client::ExternalScalerClient;
use pagemill_proto::externalscaler::{GetMetricsRequest, ScaledObjectRef};
use pagemill_test_services::{Prometheus, request, wait_until};
use pagemill_tests::cluster::{Cluster, Coordinator, JOB_PATIENCE, Services, Worker};
use pagemill_tests::scans::strips;
use pagemill_tests::{Workplace, root};
use regex::Regex;
use serde_json::Value;

/// Pages of the job: more than are read while the panels are asked, for some ask how an open job goes on. It is cancelled then.
const PAGES: u32 = 300;

/// What the panels ask, by dashboard and title.
fn queries() -> BTreeMap<String, Vec<String>> {
    let mut queries: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in fs::read_dir(root().join("deploy/grafana/dashboards")).unwrap() {
        let board: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            let name = format!("{} / {}", board["title"].as_str().unwrap(), panel["title"].as_str().unwrap());
            let targets = panel["targets"].as_array().unwrap().iter();
            let asked = targets.map(|target| filled_in(target["expr"].as_str().unwrap()));
            queries.entry(name).or_default().extend(asked);
        }
    }
    assert!(queries.len() > 30, "{queries:?}");
    queries
}

/// A query as Grafana sends it.
fn filled_in(query: &str) -> String {
    query.replace("$__rate_interval", "30s").replace("$core_hour_price", "0.04")
}

/// Whether Prometheus has an answer; a number that isn't one is none.
fn has_answer(prometheus: &Prometheus, query: &str) -> bool {
    let answer = prometheus.get(&format!("/api/v1/query?query={}", escaped(query)));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    let series = answer["data"]["result"].as_array().unwrap();
    series.iter().any(|one| one["value"][1].as_str().is_some_and(|value| value != "NaN"))
}

fn escaped(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// A server that scrapes every second, with our rules.
fn prometheus(cluster: &Cluster<'_>) -> Prometheus {
    let address = |url: String| url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
    let coordinators = cluster.coordinators.iter().map(|coordinator| address(coordinator.metrics_url()));
    let workers = cluster.workers.iter().map(|worker| address(worker.metrics_url()));
    let targets: Vec<String> = coordinators.chain(workers).collect();
    let rules = root().join("deploy/prometheus");
    Prometheus::start(&format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         rule_files: ['{0}/recording.yaml', '{0}/alerts.yaml']\n\
         scrape_configs: [{{job_name: pagemill, static_configs: [{{targets: {targets:?}}}]}}]\n",
        rules.display()
    ))
}

/// Asks how many workers are wanted, as KEDA does.
async fn ask_as_keda(url: String) -> f64 {
    let mut keda = ExternalScalerClient::connect(url).await.unwrap();
    let object = ScaledObjectRef { name: "worker".into(), ..ScaledObjectRef::default() };
    let request = GetMetricsRequest { scaled_object_ref: Some(object), metric_name: "workers".into() };
    keda.get_metrics(request).await.unwrap().into_inner().metric_values[0].metric_value_float
}

#[test]
fn every_panel_has_an_answer_and_every_metric_is_explained() {
    let cluster = Cluster::start(Services::shared(), 2, 2);
    let prometheus = prometheus(&cluster);
    let workplace = Workplace::new();
    for (name, bytes) in strips(PAGES) {
        workplace.add(name, &bytes);
    }
    // For the panels of failures.
    workplace.add("broken.jpg", b"no picture");
    let submission = cluster.submit(&workplace, "dashboards", &["--deadline", "1h", "--formats", "pdf,txt"]);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut unanswered: BTreeSet<(String, String)> = BTreeSet::new();
    for (panel, asked) in queries() {
        unanswered.extend(asked.into_iter().map(|query| (panel.clone(), query)));
    }
    let started = Instant::now();
    wait_until("every panel had an answer, or time is up", JOB_PATIENCE + Duration::from_secs(30), || {
        runtime.block_on(ask_as_keda(cluster.coordinators[0].grpc_url()));
        unanswered.retain(|(_, query)| !has_answer(&prometheus, query));
        std::thread::sleep(Duration::from_millis(500));
        unanswered.is_empty() || started.elapsed() > JOB_PATIENCE
    });
    cluster.client(&["cancel", "1"]).expect_exit(0);
    submission.finish(&cluster);
    assert_eq!(unanswered, BTreeSet::new());
    assert_eq!(undocumented(&cluster), BTreeSet::new());
}

/// What is exported and not explained, or explained as another type.
fn undocumented(cluster: &Cluster<'_>) -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let row = Regex::new(r"(?m)^\| `(pagemill_[a-z_]+)` \| (counter|gauge|histogram) \|").unwrap();
    let explained: BTreeSet<(String, String)> =
        row.captures_iter(&page).map(|row| (row[1].to_owned(), row[2].to_owned())).collect();
    let kind = Regex::new(r"(?m)^# TYPE (pagemill_[a-z_]+) (\w+)").unwrap();
    let urls = cluster.coordinators.iter().map(Coordinator::metrics_url);
    let mut exported = BTreeSet::new();
    for url in urls.chain(cluster.workers.iter().map(Worker::metrics_url)) {
        let port = url.trim_end_matches("/metrics").rsplit(':').next().unwrap().parse().unwrap();
        let text = request(port, "GET", "/metrics", None, "").unwrap().body;
        exported.extend(kind.captures_iter(&text).map(|found| (found[1].to_owned(), found[2].to_owned())));
    }
    assert!(exported.len() > 15, "{exported:?}");
    exported.difference(&explained).map(|(name, kind)| format!("{name} {kind}")).collect()
}
