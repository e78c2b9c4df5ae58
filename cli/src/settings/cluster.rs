//! How clients and workers reach a cluster: addresses, certificates, token. Every refusal names its key.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::{Secret, Settings};
use crate::failure::Failure;

/// A certificate and its key, as PEM.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Time to connect to a coordinator.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// A coordinator that says nothing is asked after so long whether it lives, and given up as long after that.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Bytes of a file that holds a token, a certificate or a key.
const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;

impl Settings {
    /// Where the coordinators are, each ready to be connected to.
    pub(crate) fn coordinators(&self) -> Result<Vec<Endpoint>, Failure> {
        let urls = self.coordinator_url.split(',').map(str::trim).filter(|url| !url.is_empty());
        let endpoints = urls.map(|url| self.endpoint(url)).collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() { Err(wrong("coordinator_url", "names no address")) } else { Ok(endpoints) }
    }

    fn endpoint(&self, url: &str) -> Result<Endpoint, Failure> {
        one_of(url, "coordinator_url", &["http://", "https://"])?;
        let invalid =
            |_| wrong("coordinator_url", "needs addresses such as http://host:7070, separated by commas");
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(invalid)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_WAIT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if !url.starts_with("https://") {
            return Ok(endpoint);
        }
        let mut tls = ClientTlsConfig::new();
        tls = match &self.ca_file {
            Some(file) => tls.ca_certificate(Certificate::from_pem(small_file("ca_file", file)?)),
            None => tls.with_native_roots(),
        };
        if let Some((certificate, key)) = self.tls_identity()? {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        endpoint.tls_config(tls).map_err(|error| wrong("ca_file", &error.to_string()))
    }

    /// The certificate and the key that are shown to the other side.
    pub(crate) fn tls_identity(&self) -> Result<Option<Pair>, Failure> {
        match (&self.tls_cert_file, &self.tls_key_file) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                Ok(Some((small_file("tls_cert_file", certificate)?, small_file("tls_key_file", key)?)))
            }
            (Some(_), None) => Err(wrong("tls_key_file", "must be set together with tls_cert_file")),
            (None, Some(_)) => Err(wrong("tls_cert_file", "must be set together with tls_key_file")),
        }
    }

    /// By what a client or worker is known.
    pub(crate) fn token(&self) -> Result<Option<Secret>, Failure> {
        let token = match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => return Err(wrong("token", "and token_file are both set: keep one")),
            (Some(token), None) => token.clone(),
            (None, Some(file)) => {
                let text = String::from_utf8(small_file("token_file", file)?);
                Secret::new(text.map_err(|_| wrong("token_file", "must hold text"))?.trim().to_owned())
            }
            (None, None) => return Ok(None),
        };
        let is_visible = |byte: u8| (0x21..0x7f).contains(&byte);
        if token.expose().is_empty() || !token.expose().bytes().all(is_visible) {
            return Err(wrong("token (token_file)", "must be visible ASCII without spaces"));
        }
        Ok(Some(token))
    }
}

pub(super) fn wrong(key: &str, what: &str) -> Failure {
    Failure::Setting(format!("{key} {what}"))
}

pub(super) fn variable(key: &str) -> String {
    format!("PAGEMILL_{}", key.to_uppercase())
}

/// Checks how an address begins; the address itself may hold a password and is not repeated.
pub(super) fn one_of(url: &str, key: &str, beginnings: &[&str]) -> Result<(), Failure> {
    if url.starts_with("memory:") {
        return Err(wrong(
            key,
            "is memory:, which ends at this process; a cluster needs a broker (amqp://…)",
        ));
    }
    if beginnings.iter().any(|beginning| url.starts_with(beginning)) {
        return Ok(());
    }
    Err(wrong(key, &format!("({}) must begin with {}", variable(key), beginnings.join(" or "))))
}

pub(super) fn small_file(key: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    let refuse = |why: String| wrong(key, &format!("({}): read {}: {why}", variable(key), file.display()));
    let bytes = fs::metadata(file).map_err(|error| refuse(error.to_string()))?.len();
    if bytes > SMALL_FILE_BYTES_MAX {
        return Err(refuse(format!("{bytes} bytes are too many")));
    }
    fs::read(file).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_its_key_and_no_password() {
        let settings = Settings {
            coordinator_url: "ftp://host".into(),
            tls_key_file: Some("key.pem".into()),
            token: Some(Secret::new("two words hunter2".into())),
            ..Settings::default()
        };
        for (key, refusal) in [
            ("coordinator_url", settings.coordinators().map(|_| ()).unwrap_err()),
            ("tls_cert_file", settings.tls_identity().map(|_| ()).unwrap_err()),
            ("token", settings.token().map(|_| ()).unwrap_err()),
        ] {
            let refusal = refusal.to_string();
            assert!(refusal.contains(key) && !refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn several_coordinators_stand_in_a_row() {
        let settings =
            Settings { coordinator_url: "http://a:7070, http://b:7070".into(), ..Settings::default() };
        let found = settings.coordinators().unwrap();
        assert_eq!(found.iter().map(|one| one.uri().host().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_token_comes_from_its_file_without_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "abc\n").unwrap();
        let settings = Settings { token_file: Some(file), ..Settings::default() };
        assert_eq!(settings.token().unwrap().as_ref().map(Secret::expose), Some("abc"));
    }
}
