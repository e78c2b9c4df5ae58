//! The scaler, called as KEDA calls it.

use std::collections::HashMap;
use std::time::Duration;

use pagemill_proto::externalscaler::external_scaler_client::ExternalScalerClient;
use pagemill_proto::externalscaler::{GetMetricsRequest, ScaledObjectRef};
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::Guarded;
use crate::cluster::{Cluster, PATIENCE};
use pagemill_test_services::Authority;

fn object(metadata: &[(&str, &str)]) -> ScaledObjectRef {
    // KEDA hands on all of the trigger's metadata, its own included.
    let mut scaler_metadata =
        HashMap::from([("scalerAddress".into(), "coordinator.pagemill.svc:7070".into())]);
    scaler_metadata.extend(metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    ScaledObjectRef { name: "worker".into(), namespace: "pagemill".into(), scaler_metadata }
}

async fn wanted(keda: &mut ExternalScalerClient<Channel>, object: &ScaledObjectRef) -> i64 {
    let spec = keda.get_metric_spec(object.clone()).await.unwrap().into_inner().metric_specs.remove(0);
    assert_eq!((spec.target_size, spec.target_size_float), (1, 1.0));
    let scaled_object_ref = Some(object.clone());
    let request = GetMetricsRequest { scaled_object_ref, metric_name: spec.metric_name.clone() };
    let value = keda.get_metrics(request).await.unwrap().into_inner().metric_values.remove(0);
    assert_eq!(value.metric_name, spec.metric_name);
    assert_eq!(value.metric_value, value.metric_value_float as i64);
    value.metric_value
}

#[tokio::test]
async fn workers_come_from_zero_and_go_back_to_zero() {
    let mut cluster = Cluster::start().await;
    let address = format!("http://{}", cluster.grpc_address);
    let mut keda = ExternalScalerClient::connect(address).await.unwrap();
    let object = object(&[("calmSeconds", "0"), ("slotsPerWorker", "2"), ("workersMax", "20")]);
    assert!(!keda.is_active(object.clone()).await.unwrap().into_inner().result);
    assert_eq!(wanted(&mut keda, &object).await, 0);
    let mut activity = keda.stream_is_active(object.clone()).await.unwrap().into_inner();
    assert!(!activity.message().await.unwrap().unwrap().result);

    // A job that was due long ago: as many slots as it may have pages.
    let mut request = crate::cluster::open_request("late");
    request.deadline_unix_seconds = 1;
    let job = cluster.jobs.open(request).await.unwrap().into_inner().id;
    let sources = (0..10_000).map(|n| crate::cluster::new_source(&format!("{n}.tif"))).collect();
    cluster.jobs.add_sources(pagemill_proto::v1::AddSourcesRequest { job, sources }).await.unwrap();
    assert_eq!(wanted(&mut keda, &object).await, 0, "a draft is no work yet");
    cluster.jobs.seal(pagemill_proto::v1::SealRequest { job }).await.unwrap();
    assert_eq!(wanted(&mut keda, &object).await, 20);
    let told = tokio::time::timeout(PATIENCE, activity.message()).await.unwrap().unwrap().unwrap();
    assert!(told.result, "activity is pushed");

    cluster.jobs.cancel(pagemill_proto::v1::CancelRequest { job }).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, activity.message()).await.unwrap().unwrap().unwrap();
    assert!(!told.result);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(wanted(&mut keda, &object).await, 0);
}

#[tokio::test]
async fn a_slip_in_the_trigger_is_told() {
    let cluster = Cluster::start().await;
    let mut keda = ExternalScalerClient::connect(format!("http://{}", cluster.grpc_address)).await.unwrap();
    let refusal = keda.get_metric_spec(object(&[("slotsPerWorker", "none")])).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    assert!(refusal.message().contains("slotsPerWorker"));
}

#[tokio::test]
async fn keda_gets_in_by_its_certificate() {
    let authority = Authority::new();
    let guarded = Guarded::start(Some(&authority)).await;
    let anybody = guarded.secure(&authority, None).await.unwrap();
    let refusal = ExternalScalerClient::new(anybody).is_active(Request::new(object(&[]))).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    let keda = guarded.secure(&authority, Some("keda")).await.unwrap();
    let answer = ExternalScalerClient::new(keda).is_active(Request::new(object(&[]))).await.unwrap();
    assert!(!answer.into_inner().result);
}
