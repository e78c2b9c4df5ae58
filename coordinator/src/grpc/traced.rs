//! Requests whose caller follows them: the header `traceparent` of W3C Trace Context.

use pagemill_domain::trace::Traceparent;
use tonic::codegen::http::Request;
use tracing::Span;

/// Where our services lie.
const PREFIX: &str = "/pagemill.v1.";

/// Bytes of `Service/Method`.
const RPC_BYTES_MAX: usize = 64;

/// The step that a request is in its caller's trace; none where the caller follows nothing.
pub(super) fn span(request: &Request<()>) -> Span {
    let header = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let followed = header.and_then(Traceparent::parse).filter(|followed| followed.sampled);
    let (Some(Traceparent { trace, parent, .. }), Some(rpc)) = (followed, rpc(request.uri().path())) else {
        return Span::none();
    };
    tracing::info_span!("rpc", rpc, %trace, %parent)
}

/// `Service/Method` of ours. The caller wrote it: nothing else goes into logs.
fn rpc(path: &str) -> Option<&str> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
    path.strip_prefix(PREFIX).filter(|rpc| rpc.len() <= RPC_BYTES_MAX && rpc.bytes().all(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_taken_from_a_path() {
        assert_eq!(rpc("/pagemill.v1.Jobs/Seal"), Some("Jobs/Seal"));
        let long = format!("{PREFIX}{}", "x".repeat(RPC_BYTES_MAX + 1));
        for strange in
            ["/grpc.health.v1.Health/Check", "/pagemill.v1.Jobs/Se al", "/pagemill.v1.%0a", long.as_str()]
        {
            assert_eq!(rpc(strange), None, "{strange}");
        }
    }
}
