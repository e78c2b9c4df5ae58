//! `amqps:`, with certificates made for the test.

use std::path::Path;
use std::process::Command;

use pagemill_test_services::{free_port, shared};

use super::super::super::{Lanes, QueueOptions, conformance, connect};
use super::within;

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate of `localhost` by it.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"));
    openssl(folder, &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem";
    openssl(folder, sign);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trusts_the_given_authority_and_no_stranger() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let rabbit = shared::rabbitmq();
    let vhost = rabbit.fresh_url().rsplit('/').next().unwrap().to_owned();
    let port = free_port();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let listen = format!(
        "rabbit_networking:start_ssl_listener({port}, [{{certfile, \"{certificate}\"}}, {{keyfile, \"{key}\"}}], 2)."
    );
    tokio::task::block_in_place(|| rabbit.ctl(&["eval", &listen]));
    let url = format!("amqps://guest:guest@localhost:{port}/{vhost}");

    let ca_pem = Some(std::fs::read_to_string(folder.path().join("ca.pem")).unwrap());
    let queue = connect(&url, QueueOptions { name: "test".to_owned(), ca_pem }).await.unwrap();
    assert!(queue.is_up());
    queue.publish_shard(&conformance::shard(1)).await.unwrap();
    assert_eq!(within("a shard", conformance::take(&*queue, Lanes::All)).await, 1);

    let distrustful = connect(&url, QueueOptions::default()).await.unwrap();
    let refused = distrustful.publish_shard(&conformance::shard(2)).await.unwrap_err();
    assert!(refused.to_string().to_lowercase().contains("certificate"), "{refused}");
    assert!(!distrustful.is_up());
}
