//! Where the broker is, and how to connect.

use std::sync::Arc;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connect as _, Connection, ConnectionProperties};

use super::super::{QueueError, QueueOptions};
use crate::crypto::install_crypto;

/// Seconds between two heartbeats, unless the address says `?heartbeat=`. After two without a sign of life the
/// connection is given up, here and by the broker, which then delivers to others what a stopped worker held.
const HEARTBEAT_SECONDS: u16 = 10;

/// Where the broker is, and how to connect.
#[derive(Clone)]
pub(super) struct Address {
    uri: AMQPUri,
    options: Arc<QueueOptions>,
}

impl Address {
    /// Reads the setting; errors don't show it, for it holds a password.
    pub(super) fn new(url: &str, options: QueueOptions) -> Result<Self, QueueError> {
        let after_scheme = url.split_once("://").map(|(_, rest)| rest);
        let authority = after_scheme.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        if authority.is_empty() {
            return Err(QueueError::Url("it names no host".to_owned()));
        }
        if authority.contains('[') {
            return Err(QueueError::Url("name the host instead of its IPv6 address".to_owned()));
        }
        let mut uri: AMQPUri = url.parse().map_err(QueueError::Url)?;
        if uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS) == &0 {
            return Err(QueueError::Url("heartbeats can't be switched off".to_owned()));
        }
        if options.ca_pem.is_some() && uri.scheme == AMQPScheme::AMQP {
            return Err(QueueError::Url("certificates need amqps://".to_owned()));
        }
        Ok(Self { uri, options: Arc::new(options) })
    }

    /// Opens a connection; `role` stands beside our name on the broker's management page.
    pub(super) async fn connect(&self, role: &str) -> lapin::Result<Connection> {
        let name = format!("{} ({role})", self.options.name);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        install_crypto();
        let tls = OwnedTLSConfig { identity: None, cert_chain: self.options.ca_pem.clone() };
        let runtime = lapin::runtime::default_runtime()?;
        self.uri.clone().connect_with_config(properties, tls, runtime).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{QueueError, QueueOptions};
    use super::Address;

    #[test]
    fn errors_show_no_password() {
        for url in
            ["amqp://me:secret@[::1]/v", "amqp://me:secret@host:port/v", "amqp://me:secret@host?heartbeat=0"]
        {
            let Err(QueueError::Url(why)) = Address::new(url, QueueOptions::default()) else {
                panic!("{url}")
            };
            assert!(!why.contains("secret"), "{why}");
        }
        let ca = QueueOptions { ca_pem: Some(String::new()), ..QueueOptions::default() };
        assert!(Address::new("amqp://host/v", ca).is_err());
    }
}
