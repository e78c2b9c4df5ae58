//! `SeaweedFS` as an S3 server.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{Daemon, Place, free_port, request};

/// Longest wait for a start.
const PATIENCE: Duration = Duration::from_mins(2);

/// The one user who may do everything.
const IDENTITIES: &str = r#"{"identities":[{"name":"test","credentials":[{"accessKey":"key","secretKey":"secret"}],
    "actions":["Admin","Read","Write","List","Tagging"]}]}"#;

/// The parts of the server that listen, as their options are called; each has a second port for gRPC.
const LISTENERS: [&str; 4] = ["master", "volume", "filer", "s3"];

/// A private server, on the loopback address.
pub struct S3 {
    daemon: Daemon,
    filer_port: u16,
    port: u16,
    command: Command,
    buckets: AtomicU32,
    _place: Place,
}

impl S3 {
    /// Starts one and waits until it stores (4 s).
    pub fn start() -> Self {
        let program = program();
        assert!(program.exists(), "{} is missing: run scripts/setup.sh test", program.display());
        let place = Place::new("s3");
        let identities = place.write("identities.json", IDENTITIES);
        let mut command = Command::new(program);
        command.current_dir(place.path());
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.iam=false"]);
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64"]);
        command.args(["-volume.max=500"]).arg(format!("-dir={}", place.path().display()));
        command.arg(format!("-s3.config={}", identities.display()));
        // A bucket has volumes of its own: one at a time is enough.
        command.env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
        let ports = LISTENERS.map(|_| free_port());
        for (listener, port) in LISTENERS.iter().zip(ports) {
            command.arg(format!("-{listener}.port={port}"));
            command.arg(format!("-{listener}.port.grpc={}", free_port()));
        }
        let [_, _, filer_port, port] = ports;
        let daemon = Daemon::start("SeaweedFS", &place.join("log"), &command);
        let s3 = Self { daemon, filer_port, port, command, buckets: AtomicU32::new(0), _place: place };
        s3.wait_ready();
        s3
    }

    /// Creates a bucket and returns its URL, `s3://…`.
    pub fn fresh_bucket_url(&self) -> String {
        let name = format!("pagemill-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        let created = request(self.filer_port, "POST", &format!("/buckets/{name}/"), None, "").unwrap();
        assert!(created.status < 300, "create bucket: {} {}", created.status, created.body);
        format!("s3://{name}")
    }

    /// Where it answers, and with which credentials: the variables that S3 clients read.
    pub fn env(&self) -> Vec<(String, String)> {
        let endpoint = self.endpoint();
        let pairs = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ENDPOINT_URL", &endpoint),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `kill -9` of the server.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Starts it again after [`Self::kill`], on the same ports and files.
    pub fn restart(&self) {
        self.daemon.start_again(&self.command);
        self.wait_ready();
    }

    /// SIGSTOP of the server.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// SIGCONT of the server.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    /// Waits until both doors are open and a file can be stored, which needs all parts.
    fn wait_ready(&self) {
        self.daemon.wait_ready(PATIENCE, || {
            let succeeds = |port, method, path, body| {
                request(port, method, path, None, body).is_ok_and(|answer| answer.status < 300)
            };
            // An unsigned list is refused, which is an answer.
            request(self.port, "GET", "/", None, "").is_ok()
                && succeeds(self.filer_port, "PUT", "/probe/ready", "ready")
                && succeeds(self.filer_port, "GET", "/probe/ready", "")
        });
    }
}

/// Where `scripts/setup.sh test` puts it.
fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or(home).unwrap_or_default().join("pagemill/services/bin/weed")
}

#[cfg(test)]
mod tests {
    use super::S3;
    use crate::request;

    #[test]
    fn what_was_stored_survives_a_kill() {
        let s3 = S3::start();
        assert_eq!(
            (s3.fresh_bucket_url(), s3.fresh_bucket_url()),
            ("s3://pagemill-0".into(), "s3://pagemill-1".into())
        );
        let stored = request(s3.filer_port, "PUT", "/buckets/pagemill-1/a", None, "abc").unwrap();
        assert!(stored.status < 300);
        // Nobody gets in without a signature.
        assert_eq!(request(s3.port, "GET", "/pagemill-1/a", None, "").unwrap().status, 403);
        s3.kill();
        s3.restart();
        assert_eq!(request(s3.filer_port, "GET", "/buckets/pagemill-1/a", None, "").unwrap().body, "abc");
    }
}
