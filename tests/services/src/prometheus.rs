//! Prometheus.

use std::process::Command;
use std::time::Duration;

use crate::{Answer, Daemon, Place, free_port, request};

/// Longest wait for a start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A private server, on the loopback address.
pub struct Prometheus {
    _daemon: Daemon,
    port: u16,
    _place: Place,
}

impl Prometheus {
    /// Starts one with this configuration and waits until it answers.
    pub fn start(configuration: &str) -> Self {
        let (place, port) = (Place::new("prometheus"), free_port());
        let configuration = place.write("prometheus.yml", configuration);
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", configuration.display()));
        command.arg(format!("--storage.tsdb.path={}", place.join("tsdb").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let daemon = Daemon::start("Prometheus", &place.join("log"), &command);
        daemon.wait_ready(PATIENCE, || {
            request(port, "GET", "/-/ready", None, "").is_ok_and(|answer| answer.status == 200)
        });
        Self { _daemon: daemon, port, _place: place }
    }

    /// Asks its API, e.g. `/api/v1/query?query=up`.
    pub fn get(&self, path: &str) -> Answer {
        request(self.port, "GET", path, None, "").unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::Prometheus;

    #[test]
    fn it_answers_queries() {
        let prometheus = Prometheus::start("global: {}\n");
        assert!(prometheus.get("/api/v1/query?query=vector(7)").body.contains("\"7\""));
    }
}
