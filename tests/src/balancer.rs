//! What stands before several coordinators: one address, connections passed on to whichever takes them.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Longest wait for a backend to take a connection.
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);

/// Passes connections on to backends in turn; those that take none are skipped.
pub struct Balancer {
    address: SocketAddr,
}

impl Balancer {
    /// Listens on `address` (port 0: any that is free) until the test ends.
    pub fn start(address: &str, backends: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (backends, turn) = (Arc::new(backends), Arc::new(AtomicUsize::new(0)));
            for client in listener.incoming().flatten() {
                let (backends, turn) = (backends.clone(), turn.clone());
                thread::spawn(move || pass_on(&client, &backends, turn.fetch_add(1, Ordering::Relaxed)));
            }
        });
        Self { address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Copies both ways until either side ends. Without a backend the client sees its connection closed.
fn pass_on(client: &TcpStream, backends: &[SocketAddr], turn: usize) {
    let in_turn = (0..backends.len()).map(|number| backends[(turn + number) % backends.len()]);
    let connected =
        in_turn.into_iter().find_map(|backend| TcpStream::connect_timeout(&backend, CONNECT_PATIENCE).ok());
    let Some(backend) = connected else { return };
    thread::scope(|scope| {
        scope.spawn(|| copy(client, &backend));
        copy(&backend, client);
    });
}

/// Copies until `from` ends, then lets neither side wait for more.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // A reset is as good an end as any.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
