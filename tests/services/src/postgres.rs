//! PostgreSQL.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::{Daemon, Place, free_port};

/// Where Debian puts the server's programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// Longest wait for a start; after a kill the last incarnation's children have to end first.
const PATIENCE: Duration = Duration::from_mins(2);

/// A private server, on the loopback address, without passwords.
pub struct Postgres {
    daemon: Daemon,
    port: u16,
    databases: AtomicU32,
    place: Place,
}

impl Postgres {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let initdb = Path::new(PROGRAMS).join("initdb");
        assert!(initdb.exists(), "{} is missing: run scripts/setup.sh test", initdb.display());
        let (place, port) = (Place::new("postgres"), free_port());
        if rustix::process::geteuid().is_root() {
            let chown = Command::new("chown").arg("postgres").arg(place.path()).status().unwrap();
            assert!(chown.success());
        }
        let mut initdb = as_postgres("initdb");
        initdb.arg("-D").arg(place.join("data"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        let output = initdb.current_dir(place.path()).output().unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let daemon = Daemon::start("PostgreSQL", &place.join("log"), &server(&place, port));
        let postgres = Self { daemon, port, databases: AtomicU32::new(0), place };
        postgres.daemon.wait_ready(PATIENCE, || postgres.answers());
        postgres
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Creates a database and returns its URL.
    pub fn fresh_url(&self) -> String {
        let name = format!("pagemill_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs a statement in a database (or its URL) as its owner; returns the rows, their columns parted by `|`.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let output = self.psql(database, statement).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes a database (or that of a URL) to a file, as `docs/operating.md` says, while it is being written to.
    pub fn dump(&self, database: &str, file: &Path) {
        let mut dump = self.client("pg_dump", database);
        run(dump.args(["--format=custom", "--file"]).arg(file));
    }

    /// Fills an empty database from such a file.
    pub fn restore(&self, database: &str, file: &Path) {
        let mut restore = self.client("pg_restore", database);
        run(restore.args(["--no-owner", "--exit-on-error"]).arg(file));
    }

    /// `kill -9` of the server; its children follow it by themselves.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Starts it again after [`Self::kill`], on the same port and files.
    pub fn restart(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.daemon.start_again(&server(&self.place, self.port));
            // It gives up at once while a child of the last incarnation holds the shared memory.
            if self.daemon.becomes_ready(PATIENCE, || self.answers()) {
                return;
            }
            self.daemon.kill();
            assert!(Instant::now() < deadline, "PostgreSQL does not start:\n{}", self.daemon.log_tail());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn answers(&self) -> bool {
        self.psql("postgres", "SELECT 1").output().is_ok_and(|output| output.status.success())
    }

    fn psql(&self, database: &str, statement: &str) -> Command {
        let mut psql = self.client("psql", database);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        psql
    }

    /// A client program that asks a database (or that of a URL) as its owner.
    fn client(&self, program: &str, database: &str) -> Command {
        let mut client = Command::new(Path::new(PROGRAMS).join(program));
        client.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"]);
        client.args(["-d", database.rsplit('/').next().unwrap()]);
        client
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn server(place: &Place, port: u16) -> Command {
    let mut server = as_postgres("postgres");
    server.arg("-D").arg(place.join("data")).args(["-p", &port.to_string()]);
    server.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    server.args(["-c", "max_connections=200"]).current_dir(place.path());
    server
}

/// One of PostgreSQL's programs, as its own user where we are root: the server refuses root.
fn as_postgres(program: &str) -> Command {
    let program = Path::new(PROGRAMS).join(program);
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "KILL"]);
    command.arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::Postgres;

    #[test]
    fn databases_survive_a_kill_and_are_apart() {
        let postgres = Postgres::start();
        let (first, second) = (postgres.fresh_url(), postgres.fresh_url());
        postgres.sql(&first, "CREATE TABLE t (n INT); INSERT INTO t VALUES (7)");
        postgres.kill();
        assert!(!postgres.answers());
        postgres.restart();
        assert_eq!(postgres.sql(&first, "SELECT n FROM t"), "7");
        assert_eq!(postgres.sql(&second, "SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
    }
}
