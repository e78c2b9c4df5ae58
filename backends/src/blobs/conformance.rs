//! What all blobs promise.

use std::io::Write;

use pagemill_domain::hash::ContentHash;
use pagemill_domain::outcome::Artifact;
use pagemill_domain::recipe::Format;
use pagemill_domain::shard::ResultRef;

use super::{BlobError, Blobs};

pub(crate) async fn run(blobs: &dyn Blobs) {
    results_come_back_and_are_checked(blobs).await;
    artifacts_appear_whole_or_not_at_all(blobs).await;
    no_name_leads_out(blobs).await;
}

async fn results_come_back_and_are_checked(blobs: &dyn Blobs) {
    let blob = blobs.put_result(b"first second".to_vec()).await.unwrap();
    assert_eq!(blob, blobs.put_result(b"first second".to_vec()).await.unwrap());
    let second = ResultRef { blob, offset: 6, length: 6, hash: ContentHash::of(b"second") };
    assert_eq!(blobs.get_result(&second).await.unwrap(), b"second");
    let wrong = ResultRef { hash: ContentHash::of(b"other"), ..second.clone() };
    assert!(matches!(blobs.get_result(&wrong).await, Err(BlobError::Damaged(_))));
    let beyond = ResultRef { offset: 100, ..second };
    assert!(matches!(blobs.get_result(&beyond).await, Err(BlobError::Damaged(_))));
}

fn artifact() -> Artifact {
    Artifact { format: Format::Pdf, name: "folder/doc.pdf".into(), bytes: 10, hash: ContentHash::of(b"") }
}

async fn artifacts_appear_whole_or_not_at_all(blobs: &dyn Blobs) {
    let mut staging = blobs.stage_artifact().await.unwrap();
    staging.file().write_all(b"a document").unwrap();
    assert_eq!(blobs.artifact_bytes(&artifact()).await.unwrap(), None);
    blobs.commit_artifact(staging, "folder/doc.pdf", ContentHash::of(b"")).await.unwrap();
    assert_eq!(blobs.artifact_bytes(&artifact()).await.unwrap(), Some(10));
    let mut staging = blobs.stage_artifact().await.unwrap();
    staging.file().write_all(b"newer").unwrap();
    blobs.commit_artifact(staging, "folder/doc.pdf", ContentHash::of(b"")).await.unwrap();
    assert_eq!(blobs.artifact_bytes(&artifact()).await.unwrap(), Some(5));
    blobs.remove_artifact("folder/doc.pdf").await.unwrap();
    blobs.remove_artifact("folder/doc.pdf").await.unwrap();
    assert_eq!(blobs.artifact_bytes(&artifact()).await.unwrap(), None);
}

async fn no_name_leads_out(blobs: &dyn Blobs) {
    for name in ["../up.pdf", "/etc/passwd", "a/../../b", "", "nul\0.pdf"] {
        let staging = blobs.stage_artifact().await.unwrap();
        let refused = blobs.commit_artifact(staging, name, ContentHash::of(b"")).await;
        assert!(matches!(refused, Err(BlobError::UnsafeName(_))), "{name:?}");
    }
}
