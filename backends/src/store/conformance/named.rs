//! Which blobs rows name.

use super::*;
use crate::blobs::BlobName;
use crate::store::NamedCursor;

pub(super) async fn every_blob_that_rows_name_is_listed(store: &dyn Store) {
    let uploaded = ContentHash::of(b"uploaded");
    let location = SourceLocation::Blob { tenant: TENANT_DEFAULT.into(), hash: uploaded };
    let sources = [source("1.tif"), NewSource { location, ..source("2.tif") }, source("3.tif")];
    let upload = BlobName::Source { tenant: TENANT_DEFAULT.into(), hash: uploaded };
    let job = submit(store, &Recipe::default(), &sources).await;
    // By one row at a time nothing may be passed over.
    for rows_max in [1, 2, 1_000] {
        assert_eq!(listed(store, rows_max).await, std::slice::from_ref(&upload));
    }
    work(store, job, 5, b"content").await;
    let (text, pdf) = (ContentHash::of(b"text"), ContentHash::of(b"pdf"));
    let expected = [upload, BlobName::Result(text), BlobName::Artifact(pdf)];
    for rows_max in [1, 2, 1_000] {
        assert_eq!(listed(store, rows_max).await, expected);
    }
}

async fn listed(store: &dyn Store, rows_max: u32) -> Vec<BlobName> {
    let (mut blobs, mut next) = (Vec::new(), Some(NamedCursor::default()));
    while let Some(after) = next {
        let page = store.named_blobs(after, rows_max).await.unwrap();
        assert!(page.blobs.len() <= rows_max as usize);
        blobs.extend(page.blobs);
        next = page.next;
    }
    blobs.sort_unstable();
    blobs.dedup();
    blobs
}
