//! `Sources`: uploads of what the cluster doesn't hold yet. The coordinator hashes the bytes and parses none.

use std::time::Duration;

use futures::{Stream, StreamExt};
use pagemill_backends::blobs::Blobs;
use pagemill_domain::hash::ContentHash;
use pagemill_proto::{PIECE_BYTES, v1};
use tonic::{Request, Response, Status, Streaming};

use super::status::{invalid, of_blobs};
use super::{Services, answered, place};

/// Hashes that one request may ask for.
const HASHES_MAX: usize = 10_000;

/// Bytes of a piece: clients send [`PIECE_BYTES`], others may send more.
const PIECE_BYTES_MAX: usize = 4 * PIECE_BYTES;

/// How long an upload may stand still.
const UPLOAD_IDLE_MAX: Duration = Duration::from_secs(30);

#[tonic::async_trait]
impl v1::sources_server::Sources for Services {
    async fn missing(
        &self,
        request: Request<v1::MissingRequest>,
    ) -> Result<Response<v1::MissingResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let hashes = request.into_inner().hashes;
        if hashes.len() > HASHES_MAX {
            let why = format!("hashes must be at most {HASHES_MAX}: ask several times");
            return Err(Status::resource_exhausted(why));
        }
        let hashes = hashes.iter().map(|text| hash(text)).collect::<Result<Vec<_>, Status>>()?;
        answered(async {
            let blobs = &self.coordinator.backends.blobs;
            let missing = blobs.missing_sources(&caller.tenant, &hashes).await.map_err(of_blobs)?;
            let hashes = missing.iter().map(ContentHash::to_string).collect();
            Ok(Response::new(v1::MissingResponse { hashes }))
        })
        .await
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::UploadResponse>, Status> {
        let caller = self.access.caller(&request)?;
        let _place = place(&self.uploads, "uploads")?;
        let bytes_max = self.coordinator.config.limits.bytes_per_source_max;
        let received = receive(
            self.coordinator.backends.blobs.as_ref(),
            &caller.tenant,
            bytes_max,
            UPLOAD_IDLE_MAX,
            request.into_inner(),
        );
        let known = tokio::select! {
            received = received => received?,
            () = self.shutdown.cancelled() => return Err(super::streams::stopping()),
        };
        Ok(Response::new(v1::UploadResponse { known }))
    }
}

/// Stores one source as it comes in; returns whether it was there before.
async fn receive(
    blobs: &dyn Blobs,
    tenant: &str,
    bytes_max: u64,
    idle_max: Duration,
    mut parts: impl Stream<Item = Result<v1::UploadRequest, Status>> + Unpin,
) -> Result<bool, Status> {
    let Some(v1::upload_request::Part::Header(header)) = next(&mut parts, idle_max).await? else {
        return Err(invalid("an upload begins with its header"));
    };
    let hash = hash(&header.hash)?;
    if header.bytes > bytes_max {
        let why = format!("bytes must be at most {bytes_max} (bytes_per_source_max)");
        return Err(Status::resource_exhausted(why));
    }
    if blobs.missing_sources(tenant, &[hash]).await.map_err(of_blobs)?.is_empty() {
        return Ok(true);
    }
    let mut upload = blobs.begin_upload(tenant, hash, header.bytes).await.map_err(of_blobs)?;
    while let Some(part) = next(&mut parts, idle_max).await? {
        let v1::upload_request::Part::Piece(piece) = part else {
            return Err(invalid("an upload has one header"));
        };
        if piece.len() > PIECE_BYTES_MAX {
            let why = format!("a piece must have at most {PIECE_BYTES_MAX} bytes");
            return Err(Status::resource_exhausted(why));
        }
        upload.write(piece).await.map_err(of_blobs)?;
    }
    upload.finish().await.map_err(of_blobs)?;
    Ok(false)
}

/// The next part; `None` at the end. Whoever sends nothing holds no place for ever.
async fn next(
    parts: &mut (impl Stream<Item = Result<v1::UploadRequest, Status>> + Unpin),
    idle_max: Duration,
) -> Result<Option<v1::upload_request::Part>, Status> {
    let part = tokio::time::timeout(idle_max, parts.next()).await.map_err(|_| {
        let seconds = idle_max.as_secs();
        Status::deadline_exceeded(format!("nothing came for {seconds} seconds: upload it again"))
    })?;
    match part.transpose()? {
        Some(v1::UploadRequest { part: Some(part) }) => Ok(Some(part)),
        Some(v1::UploadRequest { part: None }) => Err(invalid("a part of an upload is a header or a piece")),
        None => Ok(None),
    }
}

fn hash(text: &str) -> Result<ContentHash, Status> {
    text.parse().map_err(|_| invalid("a hash must be a SHA-256 in hexadecimal"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use pagemill_backends::blobs::{BlobOptions, connect};
    use tempfile::TempDir;
    use tonic::Code;

    use super::*;

    const LIMIT: u64 = 1_000_000;

    struct Held {
        _folders: (TempDir, TempDir),
        blobs: Arc<dyn Blobs>,
    }

    async fn held() -> Held {
        let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let url = format!("file:{}", folders.0.path().display());
        let blobs = connect(&url, BlobOptions::new(folders.1.path().into())).await.unwrap();
        Held { _folders: folders, blobs }
    }

    fn header(hash: &str, bytes: u64) -> v1::UploadRequest {
        let header = v1::UploadHeader { hash: hash.into(), bytes };
        v1::UploadRequest { part: Some(v1::upload_request::Part::Header(header)) }
    }

    fn piece(bytes: &[u8]) -> v1::UploadRequest {
        v1::UploadRequest { part: Some(v1::upload_request::Part::Piece(Bytes::copy_from_slice(bytes))) }
    }

    async fn send(held: &Held, tenant: &str, parts: Vec<v1::UploadRequest>) -> Result<bool, Code> {
        let parts = futures::stream::iter(parts.into_iter().map(Ok));
        receive(held.blobs.as_ref(), tenant, LIMIT, UPLOAD_IDLE_MAX, parts)
            .await
            .map_err(|status| status.code())
    }

    #[tokio::test]
    async fn a_source_is_taken_once_for_each_tenant() {
        let held = held().await;
        let hash = ContentHash::of(b"a scan");
        let whole = || vec![header(&hash.to_string(), 6), piece(b"a s"), piece(b"can")];
        assert_eq!(send(&held, "a", whole()).await, Ok(false));
        assert_eq!(send(&held, "a", whole()).await, Ok(true));
        // What is known needs no bytes; what another tenant knows does.
        assert_eq!(send(&held, "a", vec![header(&hash.to_string(), 6)]).await, Ok(true));
        assert_eq!(send(&held, "b", vec![header(&hash.to_string(), 6)]).await, Err(Code::DataLoss));
        assert_eq!(send(&held, "b", whole()).await, Ok(false));
    }

    #[tokio::test]
    async fn what_is_no_upload_is_refused_and_leaves_nothing() {
        let held = held().await;
        let hash = ContentHash::of(b"a scan");
        let text = hash.to_string();
        let nothing = v1::UploadRequest { part: None };
        let cases = [
            (vec![], Code::InvalidArgument),
            (vec![piece(b"a scan")], Code::InvalidArgument),
            (vec![nothing.clone()], Code::InvalidArgument),
            (vec![header("xyz", 6), piece(b"a scan")], Code::InvalidArgument),
            (vec![header(&text, 6), header(&text, 6)], Code::InvalidArgument),
            (vec![header(&text, 6), nothing], Code::InvalidArgument),
            (vec![header(&text, LIMIT + 1)], Code::ResourceExhausted),
            (vec![header(&text, LIMIT), piece(&vec![0; PIECE_BYTES_MAX + 1])], Code::ResourceExhausted),
            (vec![header(&text, 6), piece(b"a scam")], Code::DataLoss),
            (vec![header(&text, 6), piece(b"a sca")], Code::DataLoss),
            (vec![header(&text, 6), piece(b"a scan and more")], Code::DataLoss),
        ];
        for (number, (parts, code)) in cases.into_iter().enumerate() {
            assert_eq!(send(&held, "a", parts).await, Err(code), "case {number}");
        }
        assert_eq!(held.blobs.missing_sources("a", &[hash]).await.unwrap(), [hash]);
    }

    #[tokio::test]
    async fn an_upload_that_stands_still_is_ended() {
        let held = held().await;
        let hash = ContentHash::of(b"a scan").to_string();
        let parts = futures::stream::iter([Ok(header(&hash, 6)), Ok(piece(b"a s"))]);
        let stalled = parts.chain(futures::stream::pending());
        let idle_max = Duration::from_millis(50);
        let ended = receive(held.blobs.as_ref(), "a", LIMIT, idle_max, Box::pin(stalled)).await.unwrap_err();
        assert_eq!(ended.code(), Code::DeadlineExceeded);
    }
}
