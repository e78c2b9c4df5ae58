//! The blobs that rows name, a page of rows at a time, in the order of the rows: sources, then pages, then artifacts. What
//! is not among them is an orphan.

use pagemill_domain::shard::{ResultRef, SourceLocation};

use super::super::dialect::Connection;
use super::statement::{from_json, statement};
use crate::blobs::BlobName;
use crate::store::{NamedBlobs, NamedCursor, PageCursor, StoreError};

pub(super) async fn blobs(
    db: &mut Connection,
    after: NamedCursor,
    rows_max: u32,
) -> Result<NamedBlobs, StoreError> {
    match after {
        NamedCursor::Sources { after } => sources(db, after, rows_max).await,
        NamedCursor::Pages { after } => pages(db, after, rows_max).await,
        NamedCursor::Artifacts { document, name } => artifacts(db, document, &name, rows_max).await,
    }
}

async fn sources(db: &mut Connection, after: i64, rows_max: u32) -> Result<NamedBlobs, StoreError> {
    let select = "SELECT id, location, map FROM source WHERE id > $1 ORDER BY id LIMIT $2";
    let rows: Vec<(i64, String, Option<String>)> =
        statement("list named sources", select).bind(after).bind(i64::from(rows_max)).all(db).await?;
    let mut blobs = Vec::new();
    for (_, location, map) in &rows {
        if let SourceLocation::Blob { tenant, hash } = from_json("a source's location", location)? {
            blobs.push(BlobName::Source { tenant, hash });
        }
        if let Some(map) = map {
            blobs.push(BlobName::Result(from_json::<ResultRef>("a source's map", map)?.blob));
        }
    }
    let next = match rows.last() {
        Some(&(after, ..)) => NamedCursor::Sources { after },
        None => NamedCursor::Pages { after: PageCursor::default() },
    };
    Ok(NamedBlobs { blobs, next: Some(next) })
}

async fn pages(db: &mut Connection, after: PageCursor, rows_max: u32) -> Result<NamedBlobs, StoreError> {
    let select = "SELECT source, number, result FROM page
        WHERE source >= $1 AND (source > $1 OR number > $2) AND result IS NOT NULL ORDER BY source, number LIMIT $3";
    let rows: Vec<(i64, i64, String)> = statement("list named results", select)
        .bind(after.source)
        .bind(i64::from(after.number))
        .bind(i64::from(rows_max))
        .all(db)
        .await?;
    let blob = |(_, _, result): &(i64, i64, String)| {
        from_json("a page's result", result).map(|result: ResultRef| BlobName::Result(result.blob))
    };
    let mut blobs = rows.iter().map(blob).collect::<Result<Vec<_>, _>>()?;
    // Pages of a shard share their blob.
    blobs.dedup();
    let next = match rows.last() {
        Some(&(source, number, _)) => {
            NamedCursor::Pages { after: PageCursor { source, number: number as u32 } }
        }
        None => NamedCursor::Artifacts { document: 0, name: String::new() },
    };
    Ok(NamedBlobs { blobs, next: Some(next) })
}

async fn artifacts(
    db: &mut Connection,
    document: i64,
    name: &str,
    rows_max: u32,
) -> Result<NamedBlobs, StoreError> {
    let select = "SELECT document, name, hash FROM artifact
        WHERE document >= $1 AND (document > $1 OR name > $2) ORDER BY document, name LIMIT $3";
    let rows: Vec<(i64, String, String)> = statement("list named artifacts", select)
        .bind(document)
        .bind(name)
        .bind(i64::from(rows_max))
        .all(db)
        .await?;
    let hash = |(_, _, hash): &(i64, String, String)| {
        let unreadable = |_| StoreError::Unreadable { what: "an artifact's hash", found: hash.clone() };
        hash.parse().map(BlobName::Artifact).map_err(unreadable)
    };
    let blobs = rows.iter().map(hash).collect::<Result<_, _>>()?;
    let last = rows.into_iter().last();
    let next = last.map(|(document, name, _)| NamedCursor::Artifacts { document, name });
    Ok(NamedBlobs { blobs, next })
}
