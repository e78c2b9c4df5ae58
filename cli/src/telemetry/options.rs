//! What the environment says of the collector, in OpenTelemetry's own variables.

use std::borrow::Cow;
use std::time::Duration;

use pagemill_proto::otlp::any_value::Value;
use pagemill_proto::otlp::{AnyValue, KeyValue};
use percent_encoding::percent_decode_str;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::failure::Failure;

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Time to connect to the collector.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Time for its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Where spans go, whose they are, and how many.
pub(super) struct Options {
    pub(super) collector: Endpoint,
    /// What each request carries, such as a token: never shown.
    pub(super) headers: MetadataMap,
    /// What tells this program from others.
    pub(super) resource: Vec<KeyValue>,
    /// The share of the traces that is sent, 0 to 1.
    pub(super) share: f64,
}

impl Options {
    /// `None` where no collector is named.
    pub(super) fn read(
        service: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Failure> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let named = ENDPOINTS.into_iter().find_map(|name| Some((name, variable(name)?)));
        let Some((name, url)) = named else { return Ok(None) };
        if let Some(protocol) = variable(PROTOCOL).filter(|protocol| protocol != "grpc") {
            return Err(wrong(PROTOCOL, &format!("is {protocol}; only grpc is spoken")));
        }
        let share = share(variable(SAMPLER).as_deref(), variable(SAMPLER_SHARE).as_deref())?;
        let service = variable(SERVICE_NAME).unwrap_or_else(|| service.to_owned());
        let resource = resource(service, variable(ATTRIBUTES).as_deref().unwrap_or_default())?;
        let collector = endpoint(name, &url, variable(CERTIFICATE).as_deref())?;
        let headers = HEADERS.into_iter().find_map(|name| Some((name, variable(name)?)));
        let headers = headers.map(|(name, value)| headers_of(name, &value)).transpose()?.unwrap_or_default();
        Ok(Some(Self { collector, headers, resource, share }))
    }
}

fn endpoint(name: &str, url: &str, certificate: Option<&str>) -> Result<Endpoint, Failure> {
    let is_known = url.starts_with("http://") || url.starts_with("https://");
    let endpoint = Endpoint::from_shared(url.to_owned()).ok().filter(|_| is_known);
    let endpoint = endpoint.ok_or_else(|| wrong(name, "must be an address such as http://host:4317"))?;
    let endpoint = endpoint.connect_timeout(CONNECT_WAIT).timeout(ANSWER_WAIT);
    if !url.starts_with("https://") {
        return Ok(endpoint);
    }
    let tls = match certificate {
        Some(file) => {
            let pem =
                std::fs::read(file).map_err(|error| wrong(CERTIFICATE, &format!("read {file}: {error}")))?;
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
        }
        None => ClientTlsConfig::new().with_native_roots(),
    };
    endpoint.tls_config(tls).map_err(|error| wrong(CERTIFICATE, &error.to_string()))
}

/// Whether a trace is sent is decided by its number: everybody who is told the same share decides alike, whoever asked.
fn share(sampler: Option<&str>, argument: Option<&str>) -> Result<f64, Failure> {
    let sampler = sampler.unwrap_or("always_on");
    match sampler.strip_prefix("parentbased_").unwrap_or(sampler) {
        "always_on" => Ok(1.0),
        "always_off" => Ok(0.0),
        "traceidratio" => {
            let share = argument.unwrap_or("1").parse::<f64>().ok();
            let share = share.filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| wrong(SAMPLER_SHARE, "must be a share from 0 to 1"))
        }
        _ => Err(wrong(SAMPLER, "must be always_on, always_off or traceidratio")),
    }
}

fn resource(service: String, attributes: &str) -> Result<Vec<KeyValue>, Failure> {
    let own = [
        ("service.name", service),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", crate::cluster::process_name()),
    ];
    let mut resource = own.map(|(key, value)| text(key, value)).to_vec();
    for (key, value) in pairs(ATTRIBUTES, attributes)? {
        resource.retain(|known| known.key != key || key == "service.name");
        if resource.iter().all(|known| known.key != key) {
            resource.push(text(&key, value));
        }
    }
    Ok(resource)
}

/// Refusals show no value: it may be a secret.
fn headers_of(name: &str, value: &str) -> Result<MetadataMap, Failure> {
    let mut headers = MetadataMap::new();
    for (key, value) in pairs(name, value)? {
        let header = AsciiMetadataKey::from_bytes(key.to_lowercase().as_bytes()).ok();
        let header = header.zip(AsciiMetadataValue::try_from(value).ok());
        let (key, mut value) =
            header.ok_or_else(|| wrong(name, "has a name or a value that no header may have"))?;
        value.set_sensitive(true);
        headers.insert::<AsciiMetadataKey>(key, value);
    }
    Ok(headers)
}

/// `key=value,…`, each percent-encoded where it has to be.
fn pairs(name: &str, text: &str) -> Result<Vec<(String, String)>, Failure> {
    let decoded = |part: &str| percent_decode_str(part.trim()).decode_utf8().ok().map(Cow::into_owned);
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((decoded(key).filter(|key| !key.is_empty())?, decoded(value)?))
    };
    let given = text.split(',').filter(|pair| !pair.trim().is_empty());
    given.map(|given| pair(given).ok_or_else(|| wrong(name, "must be key=value,…"))).collect()
}

/// An attribute of text.
pub(super) fn text(key: &str, value: String) -> KeyValue {
    attribute(key, Value::StringValue(value))
}

/// An attribute.
pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

fn wrong(variable: &str, what: &str) -> Failure {
    Failure::Setting(format!("{variable} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<Option<Options>, String> {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Options::read("pagemill worker", variable).map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn nothing_is_sent_where_no_collector_is_named() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).unwrap().is_none());
        let all = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4317")]).unwrap().unwrap();
        assert!(all.share >= 1.0);
    }

    #[tokio::test]
    async fn the_program_is_told_from_others() {
        let environment = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://host:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "not used"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.instance.id=w1, deployment.environment=test,service.name=x",
            ),
        ];
        let resource = read(&environment).unwrap().unwrap().resource;
        let of = |key: &str| {
            let of_key = |known: &&KeyValue| known.key == key;
            resource.iter().filter(of_key).map(|known| known.value.clone().unwrap()).collect::<Vec<_>>()
        };
        let is = |value: &str| vec![text("", value.into()).value.unwrap()];
        assert_eq!(of("service.name"), is("pagemill worker"));
        assert_eq!(of("service.instance.id"), is("w1"));
        assert_eq!(of("deployment.environment"), is("test"));
    }

    #[tokio::test]
    async fn a_header_is_decoded_and_never_shown() {
        let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host:4317");
        let all = ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20s3cret%3D, x-tenant=a,");
        let headers = read(&[collector, all]).unwrap().unwrap().headers;
        assert_eq!(headers.get("authorization").unwrap(), "Bearer s3cret=");
        assert_eq!(headers.get("x-tenant").unwrap(), "a");
        assert!(!format!("{headers:?}").contains("s3cret"), "{headers:?}");
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-tenant=b");
        let headers = read(&[collector, all, of_traces]).unwrap().unwrap().headers;
        assert_eq!((headers.len(), headers.get("x-tenant").unwrap()), (1, &"b".parse().unwrap()));
        for wrong in ["s3cret", "=s3cret", "a b=s3cret", "a=s3cret%0a", "a=s3cret%ff", "a-bin=s3cret"] {
            let refusal = read(&[collector, (all.0, wrong)]).err().unwrap();
            assert!(refusal.contains(all.0) && !refusal.contains("s3cret"), "{refusal}");
        }
    }

    #[tokio::test]
    async fn every_refusal_names_its_variable() {
        let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4317");
        for (name, value, more) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "host:4317", None),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", Some(collector)),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote", Some(collector)),
            ("OTEL_RESOURCE_ATTRIBUTES", "test", Some(collector)),
        ] {
            let environment: Vec<_> = more.into_iter().chain([(name, value)]).collect();
            assert!(read(&environment).err().unwrap().contains(name), "{name}");
        }
        let share = ("OTEL_TRACES_SAMPLER_ARG", "1.5");
        let refusal = read(&[collector, ("OTEL_TRACES_SAMPLER", "traceidratio"), share]).err().unwrap();
        assert!(refusal.contains(share.0), "{refusal}");
    }

    #[test]
    fn a_share_is_that_of_the_sampler() {
        for (sampler, argument, expected) in [
            (None, None, 1.0),
            (Some("always_off"), Some("1"), 0.0),
            (Some("parentbased_always_on"), Some("0.5"), 1.0),
            (Some("traceidratio"), None, 1.0),
            (Some("parentbased_traceidratio"), Some("0.25"), 0.25),
        ] {
            let share = share(sampler, argument).unwrap();
            assert!((share - expected).abs() < f64::EPSILON, "{sampler:?}: {share}");
        }
    }
}
