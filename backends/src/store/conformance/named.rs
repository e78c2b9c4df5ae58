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
    let mut expected =
        [upload, BlobName::Result(text), BlobName::Result(map().blob), BlobName::Artifact(pdf)];
    expected.sort_unstable();
    for rows_max in [1, 2, 1_000] {
        assert_eq!(listed(store, rows_max).await, expected);
    }
}

pub(super) async fn a_source_s_map_goes_with_its_pages(store: &dyn Store) {
    submit(store, &Recipe::default(), &[source("1.tif")]).await;
    for stage in [Stage::Inspect, Stage::Recognise, Stage::Assemble] {
        let [shard] = cut(store).await.try_into().unwrap();
        let (maps, expected) = match &shard.work {
            Work::Inspect(sources) => (sources.iter().map(|source| source.map.clone()).collect(), None),
            Work::Recognise(groups) => {
                (groups.iter().map(|group| group.source.map.clone()).collect::<Vec<_>>(), Some(map()))
            }
            Work::Assemble(plan) => {
                (plan.sources.iter().map(|planned| planned.source.map.clone()).collect(), Some(map()))
            }
            Work::AssembleStored(_) => unreachable!("a store never stores plans aside"),
        };
        assert_eq!((shard.work.stage(), maps), (stage, vec![expected]));
        store.apply(EPOCH, &[answer(&shard, 2, b"content")], &Limits::default()).await.unwrap();
    }
}

async fn listed(store: &dyn Store, rows_max: u32) -> Vec<BlobName> {
    let (mut blobs, mut next) = (Vec::new(), Some(NamedCursor::default()));
    while let Some(after) = next {
        let page = store.named_blobs(after, rows_max).await.unwrap();
        // A source's row names the source and its map.
        assert!(page.blobs.len() <= 2 * rows_max as usize);
        blobs.extend(page.blobs);
        next = page.next;
    }
    blobs.sort_unstable();
    blobs.dedup();
    blobs
}
