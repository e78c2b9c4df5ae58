//! RabbitMQ.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{Answer, Daemon, Place, free_port, request, wait_until};

/// Where Debian puts the broker's own programs; those on the path insist on its system user.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Longest wait for a start, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(4);

/// `guest:guest`, as HTTP wants it.
const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// A private node, on the loopback address, with the management plug-in.
pub struct RabbitMq {
    daemon: Daemon,
    node: Node,
    vhosts: AtomicU32,
}

/// What makes a node: its name, its ports, its files.
struct Node {
    name: String,
    amqp_port: u16,
    management_port: u16,
    distribution_port: u16,
    place: Place,
    registry: Arc<Registry>,
}

/// What the nodes of a cluster share: the port mapper, by which they find each other, and the cookie's folder.
struct Registry {
    _epmd: Daemon,
    port: u16,
    place: Place,
}

impl RabbitMq {
    /// Starts one and waits until it takes connections (5–8 s).
    pub fn start() -> Self {
        let node = Self::launch(&Arc::new(Registry::start()), 1);
        node.wait_ready();
        node
    }

    /// Starts a cluster of three nodes, of which each holds a replica of every quorum queue (20 s).
    pub fn start_three() -> [Self; 3] {
        let registry = Arc::new(Registry::start());
        let first = Self::launch(&registry, 1);
        first.wait_ready();
        let others = [2, 3].map(|number| Self::launch(&registry, number));
        for node in &others {
            node.wait_ready();
            for arguments in
                [&["stop_app"][..], &["reset"], &["join_cluster", &first.node.name], &["start_app"]]
            {
                node.ctl(arguments);
            }
            node.wait_ready();
        }
        let [second, third] = others;
        [first, second, third]
    }

    /// The URL of the default virtual host.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.node.amqp_port)
    }

    /// Creates a virtual host and returns its URL.
    pub fn fresh_url(&self) -> String {
        let name = format!("pagemill-{}", self.vhosts.fetch_add(1, Ordering::Relaxed));
        self.create_vhost(&name);
        self.vhost_url(&name)
    }

    /// The URL of a virtual host at this node.
    pub fn vhost_url(&self, vhost: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", self.node.amqp_port)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// Its AMQP port.
    pub fn port(&self) -> u16 {
        self.node.amqp_port
    }

    /// The page on which a person sees what it holds.
    pub fn management_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.node.management_port)
    }

    /// Asks the management API, e.g. `GET /api/queues/VHOST`; `{"name":"value"}` as the body of a change.
    pub fn management(&self, method: &str, path: &str, body: &str) -> Answer {
        request(self.node.management_port, method, path, Some(GUEST), body).unwrap()
    }

    /// Lets a command, and what it starts, find this node's `rabbitmqctl` before what `path` names, and the node with it.
    pub fn reach(&self, command: &mut Command, path: &str) {
        self.node.configure(command).env("PATH", format!("{PROGRAMS}:{path}"));
    }

    /// Runs `rabbitmqctl` with these arguments on the node; panics where it fails.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let mut ctl = Command::new(Path::new(PROGRAMS).join("rabbitmqctl"));
        ctl.args(["-q", "-n", &self.node.name]).args(arguments);
        let output = self.node.configure(&mut ctl).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `kill -9` of the node.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Starts it again after [`Self::kill`], on the same ports and files (5 s).
    pub fn restart(&self) {
        self.daemon.start_again(&self.node.server());
        self.wait_ready();
    }

    /// SIGSTOP of the node.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// SIGCONT of the node.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    fn launch(registry: &Arc<Registry>, number: u32) -> Self {
        let node = Node::new(registry, number);
        let daemon = Daemon::start("RabbitMQ", &node.place.join("log"), &node.server());
        Self { daemon, node, vhosts: AtomicU32::new(0) }
    }

    fn create_vhost(&self, name: &str) {
        let created = self.management("PUT", &format!("/api/vhosts/{name}"), "{}");
        assert!(created.status < 300, "create virtual host: {} {}", created.status, created.body);
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        let allowed = self.management("PUT", &format!("/api/permissions/{name}/guest"), all);
        assert!(allowed.status < 300, "allow guest: {} {}", allowed.status, allowed.body);
    }

    fn wait_ready(&self) {
        self.daemon.wait_ready(PATIENCE, || {
            TcpStream::connect(("127.0.0.1", self.node.amqp_port)).is_ok()
                && request(self.node.management_port, "GET", "/api/vhosts", Some(GUEST), "")
                    .is_ok_and(|answer| answer.status == 200)
        });
    }
}

impl Node {
    fn new(registry: &Arc<Registry>, number: u32) -> Self {
        let place = Place::new("rabbitmq");
        let [amqp_port, management_port, distribution_port] = [(); 3].map(|()| free_port());
        place.write("enabled_plugins", "[rabbitmq_management].");
        place.write(
            "rabbitmq.conf",
            &format!(
                "listeners.tcp.1 = 127.0.0.1:{amqp_port}\nmanagement.tcp.ip = 127.0.0.1\n\
                 management.tcp.port = {management_port}\nlog.console = true\nlog.file = false\n\
                 disk_free_limit.absolute = 50MB\n"
            ),
        );
        let name = format!("pagemill{number}@localhost");
        Self { name, amqp_port, management_port, distribution_port, place, registry: registry.clone() }
    }

    fn server(&self) -> Command {
        let mut server = Command::new(Path::new(PROGRAMS).join("rabbitmq-server"));
        // Without a terminal, and with its input "allowed": then the script becomes the node, and the child's process id
        // is the node's.
        server.arg("-noinput").env("RABBITMQ_ALLOW_INPUT", "1");
        self.configure(&mut server);
        server
    }

    fn configure<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let place = |name: &str| self.place.join(name);
        command
            .env("HOME", self.registry.place.path())
            .env("ERL_EPMD_PORT", self.registry.port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.amqp_port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", place("mnesia"))
            .env("RABBITMQ_LOG_BASE", place("logs"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONFIG_FILE", place("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", place("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", place("pid"))
            .env("RABBITMQ_FEATURE_FLAGS_FILE", place("feature_flags"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
    }
}

impl Registry {
    fn start() -> Self {
        let server = Path::new(PROGRAMS).join("rabbitmq-server");
        assert!(server.exists(), "{} is missing: run scripts/setup.sh test", server.display());
        let (place, port) = (Place::new("epmd"), free_port());
        let cookie = place.write(".erlang.cookie", "PAGEMILL");
        fs::set_permissions(cookie, Permissions::from_mode(0o400)).unwrap();
        let mut epmd = Command::new("epmd");
        epmd.args(["-port", &port.to_string(), "-address", "127.0.0.1"]);
        let epmd = Daemon::start("epmd", &place.join("log"), &epmd);
        wait_until("epmd listens", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { _epmd: epmd, port, place }
    }
}

#[cfg(test)]
mod tests {
    use super::RabbitMq;

    #[test]
    fn a_killed_node_comes_back_with_its_virtual_hosts() {
        let rabbit = RabbitMq::start();
        let url = rabbit.fresh_url();
        assert!(url.ends_with("/pagemill-0") && rabbit.fresh_url().ends_with("/pagemill-1"), "{url}");
        rabbit.kill();
        rabbit.restart();
        assert!(rabbit.ctl(&["list_vhosts"]).contains("pagemill-1"));
        assert_eq!(rabbit.management("GET", "/api/queues/pagemill-0", "").body, "[]");
    }
}
